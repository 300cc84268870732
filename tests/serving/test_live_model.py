"""The model is exchanged while photos are predicted, and a broken successor changes nothing."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pytest
from mlflow.models import Model

from car_segmentation.__main__ import main
from car_segmentation.core.errors import UserError
from car_segmentation.experiments import model_registry
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.serving import ServedModel
from car_segmentation.serving.live_model import LiveModel
from car_segmentation.serving.metrics import Metrics
from car_segmentation.serving.packaging import save_model
from car_segmentation.serving.photo_model import PhotoModel, current_version
from tests.support.models import Darkness
from tests.support.photos import disc_mask, photo_of
from tests.support.services import identity, image, running


def network(bias: float) -> keras.Model:
    """Says the same of each pixel."""
    photo = keras.Input((16, 24, 3), dtype="uint8")
    x = keras.ops.cast(photo, "float32")
    x = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", name="score")(x)
    model = keras.Model(photo, keras.layers.Activation("sigmoid")(x))
    model.get_layer("score").set_weights([np.zeros((1, 1, 3, 1)), np.array([bias])])
    return model


def write_model(path: Path, bias: float, threshold: Any = 0.5) -> None:
    network(bias).save(path)
    path.with_name("threshold.json").write_text(json.dumps({"threshold": threshold}))


def test_a_file_is_a_model_with_the_threshold_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    write_model(path, bias=0.0, threshold=0.25)
    model = LiveModel(str(path), Metrics()).current
    assert model.identity.threshold == 0.25
    assert model.identity.source == "model.keras"
    assert model.identity.version == model.identity.digest
    photo = np.zeros((5, 7, 3), np.uint8)
    assert np.array_equal(model.probability(photo), np.full((5, 7), 0.5, np.float32))


@pytest.mark.parametrize("threshold", [7, -0.1, float("nan"), "0.5", None, True])
def test_a_threshold_that_is_none_is_refused(tmp_path: Path, threshold: Any) -> None:
    path = tmp_path / "model.keras"
    write_model(path, 0.0, threshold)
    with pytest.raises(UserError, match=r"threshold\.json is damaged: threshold .* Train a model"):
        LiveModel(str(path), Metrics())


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '{"threshhold": 0.5}', "\0\0"])
def test_a_threshold_file_that_broke_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.keras"
    write_model(path, 0.0)
    path.with_name("threshold.json").write_text(content)
    with pytest.raises(UserError, match=r"threshold\.json is damaged: "):
        LiveModel(str(path), Metrics())


def test_a_file_that_is_replaced_is_taken_and_a_broken_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    write_model(path, 1.0)
    metrics = Metrics()
    live = LiveModel(str(path), metrics)
    first = live.current
    live.refresh()
    assert live.current is first
    path.write_bytes(b"broken")
    for _ in range(3):
        live.refresh()
    assert live.current is first
    assert b"car_segmentation_model_loads_failed_total 1.0" in metrics.text()
    write_model(path, -1.0)
    live.refresh()
    assert live.current.identity.digest != first.identity.digest
    assert f'digest="{live.current.identity.digest}"'.encode() in metrics.text()
    assert f'digest="{first.identity.digest}"'.encode() not in metrics.text()


def test_what_is_not_there_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no model in"):
        current_version(str(tmp_path / "missing.keras"))


@pytest.fixture
def registry(tmp_path: Path, empty_database: Path) -> str:
    """A registered model of two versions; the first is the champion."""
    database = tmp_path / "mlflow.db"
    database.write_bytes(empty_database.read_bytes())
    mlflow.set_tracking_uri(f"sqlite:///{database}")
    client = mlflow.MlflowClient()
    client.create_registered_model("car")
    for number, bias in enumerate((5.0, -5.0), start=1):
        folder = tmp_path / f"version{number}"
        example = photo_of(disc_mask(16, 24, 5))
        save_model(str(folder), ServedModel(network(bias), 0.5, 1.0, example), Model())
        client.create_model_version("car", str(folder))
    client.set_registered_model_alias("car", "champion", "1")
    return "models:/car@champion"


def test_a_new_champion_is_taken_without_losing_a_request_and_rolled_back(
    registry: str, tmp_path: Path
) -> None:
    metrics = Metrics()
    live = LiveModel(registry, metrics)
    seen: set[tuple[str, float]] = set()
    failed: list[int] = []
    done = threading.Event()
    with running(tmp_path, model=live) as service:

        def ask() -> None:
            while not done.is_set():
                reply = service.ask("/masks", image())
                if reply.status == 429:
                    continue
                if reply.status != 200:
                    failed.append(reply.status)
                seen.add((reply.headers["Model-Version"], float(reply.pixels().mean())))

        with ThreadPoolExecutor(4) as pool:
            clients = [pool.submit(ask) for _ in range(4)]
            try:
                version = mlflow.MlflowClient().get_model_version("car", "2")
                model_registry.set_champion("car", version.version)
                live.refresh()
                assert service.ask("/version").json()["model"]["version"] == "car/2"
                assert model_registry.roll_back("car") == ("1", "2")
                live.refresh()
                assert service.ask("/version").json()["model"]["version"] == "car/1"
            finally:
                done.set()
            for finished in clients:
                finished.result()
    assert not failed
    # Version 1 finds the object everywhere, version 2 nowhere; no mask is under another's name.
    assert seen <= {("car/1", 255.0), ("car/2", 0.0)}
    assert model_registry.roll_back("car") == ("2", "1")


def test_rolling_back_is_one_command(
    registry: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.get_tracking_uri())
    mlflow.MlflowClient().set_registered_model_alias("car", "previous_champion", "2")
    monkeypatch.setattr("sys.argv", ["car_segmentation", "roll-back", "car"])
    main()
    assert capsys.readouterr().out == "Version 2 of car is the champion, in place of 1.\n"
    assert current_version(registry) == "models:/car/2"
    monkeypatch.setattr("sys.argv", ["car_segmentation", "roll-back", "lorry"])
    with pytest.raises(SystemExit, match="no previous champion of a model called 'lorry'"):
        main()


def test_without_a_previous_champion_nothing_is_rolled_back(registry: str) -> None:
    with pytest.raises(UserError, match="no previous champion of a model called 'car'"):
        model_registry.roll_back("car")
    with pytest.raises(UserError, match="no model models:/car@nobody of this project"):
        current_version("models:/car@nobody")


def test_it_follows_in_a_thread_until_it_is_stopped(tmp_path: Path) -> None:
    source = tmp_path / "toy.keras"
    source.write_text("one")
    loaded = threading.Event()

    def load(_: str, version: str) -> PhotoModel:
        if version != first:
            loaded.set()
        return PhotoModel(Segmenter(Darkness()), identity())

    first = current_version(str(source))
    live = LiveModel(str(source), Metrics(), load=load)
    live.follow(0.01)
    source.write_text("three")
    assert loaded.wait(10)
    live.stop()
