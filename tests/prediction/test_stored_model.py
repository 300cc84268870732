import pickle
from pathlib import Path

import keras
import numpy as np

from car_segmentation.core.file_place import FilePlace
from car_segmentation.prediction.ensemble import Ensemble
from car_segmentation.prediction.stored_model import StoredModel, stored
from car_segmentation.prediction.test_time_augmentation import TestTimeAugmentation
from car_segmentation.prediction.tiling import Tiles
from tests.support.models import HEIGHT, WIDTH, Toy


def test_models_travel_as_files(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    photos = np.random.default_rng(1).integers(0, 255, (2, HEIGHT, WIDTH, 3), np.uint8)
    models = []
    for _ in range(2):
        inputs = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
        scaled = keras.layers.Rescaling(1 / 255)(inputs)
        outputs = keras.layers.Conv2D(1, 1, activation="sigmoid")(scaled)
        models.append(keras.Model(inputs, outputs))
    written: list[Path] = []

    def store(model: keras.Model) -> FilePlace:
        written.append(tmp_path / f"{len(written)}.keras")
        model.save(written[-1])
        return FilePlace(tmp_path, written[-1].name)

    predictor = TestTimeAugmentation(Ensemble(models), flip=True)
    light = pickle.dumps(stored(predictor, store))
    assert len(written) == 2
    assert len(light) < 1000
    travelled = pickle.loads(light)
    expected = predictor.predict_on_batch(photos)
    np.testing.assert_allclose(travelled.predict_on_batch(photos), expected, atol=1e-6)
    for path in written:
        path.unlink()  # Read once.
    np.testing.assert_allclose(travelled.predict_on_batch(photos), expected, atol=1e-6)
    member = travelled.predictor.members[0]
    assert isinstance(member, StoredModel) and member.input_shape == (None, HEIGHT, WIDTH, 3)


def test_what_is_not_a_keras_model_travels_as_it_is() -> None:
    toy = Toy()
    assert stored(Tiles(toy, 0.25, 4), lambda model: FilePlace(Path(), "")).predictor is toy
