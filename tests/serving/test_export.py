from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.data.images import read_photo, resize_by_area
from car_segmentation.datasets.models import ExportedModelsDataset
from car_segmentation.networks.precision import in_float32
from car_segmentation.networks.registry import build_network
from car_segmentation.prediction import runtimes
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.serving import export as portable
from car_segmentation.serving.export import (
    check_packages,
    compare_exports,
    export_model,
    load_exported,
)
from car_segmentation.serving.photo_to_mask import (
    PhotoToMask,
    average_areas,
    enlarge,
)
from tests.support.photos import disc_mask, photo_of

HEIGHT, WIDTH = 32, 48


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_network("segnet_unet", HEIGHT, WIDTH, filters=[4, 8], centre_filters=8)


def random_image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("height", "width"), [(64, 97), (33, 48), (32, 48), (200, 101), (20, 30), (31, 48)]
)
def test_areas_are_averaged_as_opencv_does(height: int, width: int) -> None:
    photo = random_image(height, width, 3)
    small = average_areas(average_areas(photo[np.newaxis], HEIGHT, axis=1), WIDTH, axis=2)
    expected = resize_by_area(photo.astype(np.float32), HEIGHT, WIDTH)
    assert np.abs(np.asarray(small)[0] - expected).max() < 0.02


def test_areas_are_exact_far_from_the_origin() -> None:
    # 3000 to 1499: OpenCV works in float64 along the way.
    line = random_image(1, 3000, 1)
    small = np.asarray(average_areas(line[np.newaxis], 1499, axis=2))[0, 0, :, 0]
    edges = np.arange(1500) * 3000 / 1499
    sums = np.interp(edges, np.arange(3001), np.concatenate([[0], line[0, :, 0].cumsum()]))
    assert small == pytest.approx(np.diff(sums) / (3000 / 1499), abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(64, 97), (32, 48), (100, 30)])
def test_maps_are_enlarged_as_opencv_does(height: int, width: int) -> None:
    small = np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32)
    large = enlarge(enlarge(small[np.newaxis, ..., np.newaxis], width, axis=2), height, axis=1)
    expected = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.abs(np.asarray(large)[0, ..., 0] - expected).max() < 1e-5


@pytest.mark.parametrize("size", [(48, 64), (75, 131)])
def test_the_whole_function_is_that_of_inference(model: keras.Model, size: tuple[int, int]) -> None:
    photos = np.stack([photo_of(disc_mask(*size), seed) for seed in (0, 1)])
    expected = np.stack(list(Segmenter(model, batch_size=2).probabilities(photos)))
    threshold = float(np.median(expected))
    result = PhotoToMask(model, threshold)(photos)
    # Photos are whole numbers: a half may be rounded the other way.
    assert np.abs(np.asarray(result["probability"]) - expected).max() < 0.01
    mask = np.asarray(result["mask"])
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 255}
    assert np.mean((mask > 0) != (expected >= threshold)) < 0.02


def test_precision_is_float32_whatever_it_was() -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = build_network("segnet_unet", HEIGHT, WIDTH, filters=[4, 8], centre_filters=8)
    finally:
        keras.config.set_dtype_policy(policy)
    plain = in_float32(mixed)
    assert {layer.compute_dtype for layer in mixed.layers} > {"bfloat16"}
    assert "bfloat16" not in {layer.compute_dtype for layer in plain.layers}
    assert plain.input.dtype == "uint8"
    photo = random_image(1, HEIGHT, WIDTH, 3)
    one, other = (np.asarray(each.predict_on_batch(photo)) for each in (mixed, plain))
    assert np.abs(one - other).max() < 0.02


@pytest.mark.parametrize("kind", ["onnx", "litert", "openvino"])
def test_an_exported_file_does_what_keras_does(
    model: keras.Model, kind: portable.Format, tmp_path: Path
) -> None:
    for package in portable.PACKAGES[kind]:
        pytest.importorskip(package, reason=f"needs the extra {kind}: pip install -e '.[{kind}]'")
    folder = ExportedModelsDataset(str(tmp_path / "export"))
    export_model(tmp_path / "export", model, 0.5, [kind])
    folder.save(tmp_path / "export")
    exported = folder.load()
    assert list(exported) == [kind]
    own_size, *others = [tmp_path / f"{index}.png" for index in range(3)]
    for path, size in zip((own_size, *others), [(HEIGHT, WIDTH), (48, 64), (75, 131)], strict=True):
        cv2.imwrite(str(path), photo_of(disc_mask(*size), seed=size[0]))
    table = compare_exports(model, 0.5, exported, [own_size]).set_index("runtime")
    assert table.index.tolist() == ["keras", "keras float32", kind]
    assert table.loc["keras float32", "probability_difference"] == 0
    assert table.loc[kind, "probability_difference"] < 1e-3
    assert (table["seconds"] > 0).all()
    # Where photos are resized, a half may be rounded the other way, and an untrained network
    # makes much of one level of 255.
    table = compare_exports(model, 0.5, exported, others).set_index("runtime")
    assert table.loc[kind, "probability_difference"] < 0.03
    # It is unsure of every pixel, so that masks are compared with the file's own probabilities.
    probability, mask = load_exported(kind, exported[kind])(read_photo(others[1]))
    assert np.array_equal(mask, np.where(probability >= 0.5, 255, 0))
    assert mask.dtype == np.uint8 and mask.shape == (75, 131)


def test_a_missing_package_is_the_users_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None if "onnx" in name else object())
    check_packages(["litert"])
    with pytest.raises(UserError, match=r"onnx needs tf2onnx, onnx, onnxruntime: pip install"):
        check_packages(["litert", "onnx"])
