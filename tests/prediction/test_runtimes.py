from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.core.file_place import FilePlace
from car_segmentation.networks.registry import build_network
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction import runtimes
from car_segmentation.prediction.predictor import model_digest
from car_segmentation.prediction.runtimes import RuntimeModel
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.prediction.stored_model import StoredModel, stored
from tests.support.photos import disc_mask, photo_of

HEIGHT, WIDTH = 32, 48


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_network("segnet_unet", HEIGHT, WIDTH, filters=[4, 8], centre_filters=8)


@pytest.fixture(params=list(runtimes.FORMATS))
def runtime(request: pytest.FixtureRequest) -> Iterator[runtimes.Runtime]:
    extra = runtimes.FORMATS[request.param]
    for package in runtimes.PACKAGES[extra]:
        pytest.importorskip(package, reason=f"needs the extra {extra}: pip install -e '.[{extra}]'")
    yield request.param
    runtimes._converted.cache_clear()


def test_another_runtime_makes_the_masks_of_keras(
    model: keras.Model, runtime: runtimes.Runtime
) -> None:
    photos = [photo_of(disc_mask(*size), seed) for seed, size in enumerate([(48, 64), (75, 131)])]
    options = PredictionOptions(batch_size=3, flip=True)
    expected = list(Segmenter.from_options(model, options).probabilities(photos))
    threshold = float(np.median(expected[0]))
    other = Segmenter.from_options(
        model, options.model_copy(update={"backend": runtime}), threshold
    )
    for photo, probability in zip(photos, expected, strict=True):
        # The same but for float16, of which a step is 5e-4 below one half.
        assert np.abs(other.probability(photo) - probability).max() <= 5e-4
        # The network is not trained: many of its pixels lie near any threshold.
        clear = np.abs(probability - threshold) > 5e-4
        assert clear.mean() > 0.25
        assert np.array_equal(other.mask(photo)[clear], (probability >= threshold)[clear])


def test_a_model_in_a_file_is_converted_once_in_a_process(
    model: keras.Model, runtime: runtimes.Runtime, tmp_path: Path
) -> None:
    def store(keras_model: keras.Model) -> FilePlace:
        keras_model.save(tmp_path / "model.keras")
        return FilePlace(tmp_path, "model.keras")

    photos = np.random.default_rng(0).integers(0, 256, (2, HEIGHT, WIDTH, 3)).astype(np.uint8)
    whole = RuntimeModel(model, runtime, batch_size=2)
    for _ in range(2):  # As two tasks of a worker have it.
        light = stored(whole, store)
        assert isinstance(light, RuntimeModel) and isinstance(light.predictor, StoredModel)
        assert light.predict_on_batch(photos) == pytest.approx(
            np.asarray(model.predict_on_batch(photos)), abs=1e-5
        )
    assert runtimes._converted.cache_info().misses == 1


def test_a_model_that_cannot_be_converted(
    model: keras.Model, runtime: runtimes.Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise NotImplementedError("no such operation\nand much more")

    monkeypatch.setattr(keras.Model, "export", fail)
    other = RuntimeModel(model, runtime, 1)
    with pytest.raises(UserError, match=rf"{runtime}, .*\(no such operation\)\. Set it to keras"):
        other.predict_on_batch(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8))


def test_results_of_two_runtimes_are_told_apart(
    model: keras.Model, runtime: runtimes.Runtime
) -> None:
    assert model_digest(RuntimeModel(model, runtime, 1)) != model_digest(model)


def test_a_runtime_that_is_not_installed(
    model: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None)
    options = PredictionOptions(backend="onnxruntime")
    message = r"onnxruntime, which needs tf2onnx, onnx, onnxruntime: pip install -e '\.\[onnx\]'"
    with pytest.raises(UserError, match=message):
        Segmenter.from_options(model, options)
