"""One photo, one command: mask, cut-out and JSON, from an empty folder."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from car_segmentation.__main__ import main
from car_segmentation.prediction.exported_model import ExportedModel
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.serving import photo_model
from car_segmentation.serving.export import export_model
from car_segmentation.serving.photo_model import PhotoModel
from tests.support.models import Darkness
from tests.support.photos import disc_mask, photo_of
from tests.support.services import identity, image


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a photo elsewhere, and a model that needs no file's content."""
    folder = tmp_path / "here"
    folder.mkdir()
    (tmp_path / "model.keras").touch()
    (tmp_path / "car.jpg").write_bytes(image())
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        photo_model, "load_model", lambda *_: PhotoModel(Segmenter(Darkness()), identity())
    )
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["car_segmentation", "cut-out", *words])
    main()


def test_mask_cut_out_and_json(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "../car.jpg", "--model", "../model.keras")
    (photo,) = json.loads(capsys.readouterr().out)["photos"]
    assert sorted(path.name for path in here.iterdir()) == ["car_cut_out.png", "car_mask.png"]
    mask = np.asarray(Image.open(photo["mask"]))
    assert photo["foreground_fraction"] == pytest.approx((mask > 0).mean(), abs=1e-6)
    assert np.asarray(Image.open(photo["cut_out"])).shape == (48, 64, 4)
    assert photo["warnings"] == []


def test_options_are_those_of_the_service(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here.parent / "blue.png").write_bytes(image(np.full((4, 4, 3), (0, 0, 255), np.uint8), "PNG"))
    options = ["--canvas-width=90", "--canvas-height=50", "--background=../blue.png", "--shadow"]
    run(monkeypatch, "../car.jpg", "--model=../model.keras", "--to=shop", *options)
    picture = np.asarray(Image.open("shop/car_cut_out.png"))
    assert picture.shape == (50, 90, 3) and picture[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["../missing.jpg"], r"missing\.jpg cannot be read: No such file"),
        (["../car.jpg", "--canvas-width=90"], "both width and height"),
        (["../car.jpg", "--background=reed"], "background is 'reed'"),
        (["../car.jpg", "--model=../missing.keras"], r"no model in \.\./missing\.keras"),
    ],
)
def test_a_mistake_is_a_sentence(
    here: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, "--model=../model.keras", *words)


def test_a_photo_that_cannot_be_used_does_not_stop_the_others(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here.parent / "text.jpg").write_text("no photo")
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, "../text.jpg", "../car.jpg", "--model=../model.keras")
    assert end.value.code == 1
    broken, good = json.loads(capsys.readouterr().out)["photos"]
    assert broken["problem"].startswith("The photo is not an image")
    assert Path(good["mask"]).is_file()


IMPORTED = """
import sys
from car_segmentation.__main__ import main
sys.argv = ["car_segmentation", "cut-out", sys.argv[1], "--model", sys.argv[2]]
main()
heavy = "mlflow kedro fastapi keras tensorflow scipy matplotlib pandas sklearn IPython".split()
print(*(name for name in heavy if name in sys.modules), file=sys.stderr)
"""


def loaded_by_a_cut_out(photo: Path, model: Path) -> tuple[set[str], Any]:
    """Large packages that a process loads for one photo, and what it prints: no chatter."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, str(photo), str(model)],
        cwd=photo.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    (loaded,) = done.stderr.splitlines()
    return set(loaded.split()), json.loads(done.stdout)


def green_is_background() -> keras.Model:
    """A network of one layer."""
    photo = keras.Input((16, 24, 3), dtype="uint8")
    x = keras.ops.cast(photo, "float32") / 255
    x = keras.layers.Conv2D(1, 1, name="green")(x)
    model = keras.Model(photo, keras.layers.Activation("sigmoid")(x))
    kernel = np.array([0.0, -20.0, 0.0], np.float32).reshape(1, 1, 3, 1)
    model.get_layer("green").set_weights([kernel, np.array([9.0], np.float32)])
    return model


def test_a_keras_file_needs_keras_and_its_backend_alone(tmp_path: Path) -> None:
    model = green_is_background()
    model.save(tmp_path / "model.keras")
    (tmp_path / "threshold.json").write_text('{"threshold": 0.4}')
    disc = photo_of(disc_mask(60, 80, 20))
    (tmp_path / "car.png").write_bytes(image(disc, "PNG"))
    loaded, _ = loaded_by_a_cut_out(tmp_path / "car.png", tmp_path / "model.keras")
    assert loaded - {"scipy"} == {"keras", keras.backend.backend()}
    mask = np.asarray(Image.open(tmp_path / "car_mask.png")) > 0
    assert (Segmenter(model, 0.4).mask(disc) == mask).all()


@pytest.mark.skipif(
    not (find_spec("onnxruntime") and find_spec("tf2onnx")), reason="the extra onnx is missing"
)
def test_an_exported_model_needs_neither_keras_nor_the_rest(tmp_path: Path) -> None:
    model = green_is_background()
    export_model(tmp_path / "exported", model, 0.4, ["onnx"])
    exported = tmp_path / "exported" / "model.onnx"
    disc = photo_of(disc_mask(60, 80, 20))
    (tmp_path / "car.png").write_bytes(image(disc, "PNG"))
    loaded, printed = loaded_by_a_cut_out(tmp_path / "car.png", exported)
    assert not loaded
    assert printed["model"]["threshold"] == 0.4
    mask = np.asarray(Image.open(tmp_path / "car_mask.png")) > 0
    expected = Segmenter(model, 0.4).mask(disc)
    assert 0.1 < expected.mean() < 0.9
    assert (mask != expected).mean() < 0.002
    assert (Segmenter(ExportedModel(exported), 0.4).mask(disc) == mask).all()
