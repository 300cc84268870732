from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction.prediction_origin import check_origin
from car_segmentation.prediction.predictor import model_digest
from car_segmentation.prediction.resume_journal import JOURNAL_FILE, Journal
from car_segmentation.prediction.runtimes import RuntimeModel
from car_segmentation.prediction.shards import Shard, shard_file
from car_segmentation.prediction.test_time_augmentation import TestTimeAugmentation

OPTIONS = PredictionOptions()


@dataclass(frozen=True)
class Model:
    weight: float
    input_shape: tuple[int | None, ...] = (None, 8, 8, 3)

    def to_json(self) -> str:
        return "a network"

    def get_weights(self) -> list[np.ndarray]:
        return [np.array([self.weight])]

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        return photos


def predicted(folder: Path, predictor: object, threshold: float = 0.5) -> Path:
    Journal(folder / JOURNAL_FILE, {"model": model_digest(predictor), "threshold": threshold})
    return folder


def test_predictions_of_the_same_model_pass(tmp_path: Path) -> None:
    check_origin(predicted(tmp_path, Model(1)), Model(1), OPTIONS, 0.5)


def test_the_backend_may_differ(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="an extra")
    folder = predicted(tmp_path, RuntimeModel(Model(1), "openvino", OPTIONS.batch_size))
    check_origin(folder, Model(1), OPTIONS.model_copy(update={"backend": "openvino"}), 0.5)


@pytest.mark.parametrize(
    ("predictor", "threshold"),
    [
        (Model(2), 0.5),
        (Model(1), 0.4),
        (TestTimeAugmentation(Model(1), flip=True, scales=(1.0,)), 0.5),
    ],
    ids=["weights", "threshold", "options"],
)
def test_others_are_refused(tmp_path: Path, predictor: object, threshold: float) -> None:
    with pytest.raises(UserError, match="holds predictions of another model, threshold or"):
        check_origin(predicted(tmp_path, predictor, threshold), Model(1), OPTIONS, 0.5)


def test_parts_of_a_folder_say_it_too(tmp_path: Path) -> None:
    file = shard_file(tmp_path / JOURNAL_FILE, Shard.parse("2/3"))
    Journal(file, {"model": model_digest(Model(2)), "threshold": 0.5})
    with pytest.raises(UserError, match="holds predictions of another model"):
        check_origin(tmp_path, Model(1), OPTIONS, 0.5)


def test_a_folder_that_does_not_say_passes(tmp_path: Path) -> None:
    check_origin(tmp_path, Model(1), OPTIONS, 0.5)
    (tmp_path / JOURNAL_FILE).write_bytes(b"cut sho")
    check_origin(tmp_path, Model(1), OPTIONS, 0.5)
