"""Which version of the registered model others use."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner

from car_segmentation.core.errors import UserError
from car_segmentation.datasets.models import (
    ChosenModelDataset,
    ChosenThresholdDataset,
    TrackedModelDataset,
)
from car_segmentation.evaluation.run_comparison import RunRecord
from car_segmentation.experiments import model_registry as registry
from car_segmentation.experiments.promotion import decide
from car_segmentation.pipelines.promotion import create_pipeline
from car_segmentation.serving import ServedModel

CARS, VIEWS = 8, 2
NAME = "car_segmentation"
WORSE = 0.98 - 0.005 * np.arange(CARS * VIEWS) / (CARS * VIEWS)
BETTER = WORSE + 0.001
"""Better on every photo: the interval has no width."""
MIXED = WORSE + np.where(np.arange(CARS * VIEWS) // VIEWS % 2, 0.001, -0.001)
"""Better on half of the cars, as much worse on the others."""


def scores(dice: np.ndarray, cars: int = CARS) -> pd.DataFrame:
    ids = [(f"{car}_{view}", str(car), str(view)) for car in range(cars) for view in range(VIEWS)]
    table = pd.DataFrame(ids, columns=["photo_id", "car", "view"])
    return table.assign(dice=dice[: len(table)], edge_error_px=1.0)


def record(run_id: str, dice: np.ndarray, cars: int = CARS) -> RunRecord:
    table = scores(dice, cars)
    return RunRecord(run_id, run_id, "today", {}, {}, table, table)


def test_the_first_candidate_is_promoted() -> None:
    decision = decide(record("a", WORSE), None, seed=1)
    assert decision.promoted
    assert decision.why == "there is no champion yet."


def test_the_champion_does_not_beat_itself() -> None:
    assert not decide(record("a", BETTER), record("a", BETTER), seed=1).promoted


@pytest.mark.parametrize(
    ("dice", "promoted", "why"),
    [
        (BETTER, True, "interval +0.00100 to +0.00100), significantly better"),
        (WORSE - 0.001, False, "interval -0.00100 to -0.00100), significantly worse"),
        (MIXED, False, "not significant"),
        (WORSE, False, "not significant"),
    ],
)
def test_only_what_is_better_beyond_noise_is_promoted(
    dice: np.ndarray, promoted: bool, why: str
) -> None:
    decision = decide(record("b", dice), record("a", WORSE), seed=1)
    assert decision.promoted == promoted
    assert why in decision.why
    assert "on 16 test photos of 8 cars" in decision.why


def test_one_car_is_too_few_to_tell() -> None:
    decision = decide(record("b", BETTER), record("a", WORSE, cars=1), seed=1)
    assert not decision.promoted
    assert decision.why.endswith("on 2 test photos of 1 car, which is too few for an interval.")


@pytest.fixture
def store(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[mlflow.MlflowClient]:
    """An MLflow store of its own, which the registry is in."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def tiny_network(bias: float) -> keras.Model:
    """Answers one logit everywhere."""
    photo = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.ops.cast(photo, "float32")
    layer = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", activation="sigmoid")
    model = keras.Model(photo, layer(x))
    layer.set_weights([np.zeros((1, 1, 3, 1), np.float32), np.array([bias], np.float32)])
    return model


def train(folder: Path, dice: np.ndarray | None, threshold: float = 0.5) -> str:
    """Leave behind what a training leaves, and return the run's id."""
    folder.mkdir()
    if dice is not None:
        for name in ("photo_scores.csv", "photo_splits.csv", "predicted_masks.csv.gz"):
            scores(dice).to_csv(folder / name, index=False)
    with mlflow.start_run() as run:
        example = np.zeros((8, 8, 3), np.uint8)
        served = ServedModel(tiny_network(threshold), threshold, 1.0, example, NAME)
        TrackedModelDataset("model").save(served)
        mlflow.log_artifacts(str(folder))
    return run.info.run_id


class KeptDataset(MemoryDataset):
    """Outlasts the run, which lets go of what no node needs any more."""

    def _release(self) -> None:
        pass


def promote(candidate: int | None = None) -> str:
    """Run the pipeline, and return what it says."""
    verdict = KeptDataset()
    settings = {"name": NAME, "register_models": True, "candidate": candidate}
    catalog = DataCatalog(
        {
            "params:registry": MemoryDataset(settings),
            "params:seed": MemoryDataset(1),
            "params:subject": MemoryDataset({"one": "car", "many": "cars"}),
            "promotion_verdict": verdict,
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return str(verdict.load())


def test_trainings_register_and_the_better_becomes_champion(
    store: mlflow.MlflowClient, tmp_path: Path
) -> None:
    runs = [
        train(tmp_path / str(number), dice, threshold)
        for number, (dice, threshold) in enumerate([(WORSE, 0.25), (MIXED, 0.5), (BETTER, 0.75)])
    ]
    assert store.get_model_version_by_alias(NAME, "candidate").run_id == runs[2]

    assert promote(1) == "Version 1 is the champion now: there is no champion yet."
    assert promote(1) == "Version 1 stays the champion: there is no newer version."
    assert promote(2).startswith("Version 2 does not become champion in place of version 1: mean")
    champion = store.get_model_version_by_alias(NAME, "champion")
    assert champion.run_id == runs[0]
    verdict = promote()
    assert verdict.startswith("Version 3 is the champion now in place of version 1: mean Dice")
    champion = store.get_model_version_by_alias(NAME, "champion")
    assert (champion.run_id, champion.tags["verdict"]) == (runs[2], verdict)

    # The champion, a version and a run's model are what they were when they were trained.
    for uri, threshold in {
        f"models:/{NAME}@champion": 0.75,
        f"models:/{NAME}/1": 0.25,
        f"runs:/{runs[1]}/model": 0.5,
    }.items():
        assert ChosenThresholdDataset(uri).load() == {"threshold": threshold}
        loaded = ChosenModelDataset(uri).load()
        bias = loaded.get_weights()[1]
        assert bias == pytest.approx(threshold)


def test_what_is_not_there_is_said(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no @candidate of a model called 'car_segmentation'"):
        registry.candidate_and_champion(NAME, None)
    for uri in (f"models:/{NAME}@champion", "runs:/0123456789abcdef0123456789abcdef/model"):
        with pytest.raises(DatasetError, match="has no model"):
            ChosenThresholdDataset(uri).load()
        with pytest.raises(DatasetError, match="has no model"):
            ChosenModelDataset(uri).load()
    train(tmp_path / "unscored", None)
    with pytest.raises(UserError, match=r"has no photo_scores\.csv .*registry\.candidate=VERSION"):
        registry.candidate_and_champion(NAME, None)


def test_a_file_has_its_threshold_beside_it(tmp_path: Path) -> None:
    model = tmp_path / "model.keras"
    with pytest.raises(DatasetError, match=r"There is no .*threshold\.json"):
        ChosenThresholdDataset(str(model)).load()
    tiny_network(0.5).save(model)
    (tmp_path / "threshold.json").write_text(json.dumps({"threshold": 0.4}))
    assert ChosenThresholdDataset(str(model)).load() == {"threshold": 0.4}
    assert ChosenModelDataset(str(model)).load().input_shape == (None, 8, 8, 3)


def test_a_store_without_a_registry_costs_a_warning(
    store: mlflow.MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise mlflow.exceptions.MlflowException("no registry here\nand a long story")

    monkeypatch.setattr(mlflow.MlflowClient, "search_registered_models", refuse)
    train(tmp_path / "run", WORSE)
    assert "did not register the model; training continues. (no registry here)" in caplog.text
