"""A model that was exported to ONNX, photo in and mask out, as a predictor: without Keras."""

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.prediction.runtimes import missing_packages, onnx_session


class ExportedModel:
    """Predicts photos at their native size, one after the other: see `Predictor`.

    Args:
        path: An ONNX file that the pipeline ``export`` wrote.

    Raises:
        UserError: If there is none, it is of another kind, or ONNX Runtime is not installed.
    """

    input_shape = (None, None, None, 3)

    def __init__(self, path: Path):
        if missing_packages(["onnxruntime"]):
            raise UserError(f"{path} needs ONNX Runtime: pip install onnxruntime.")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(f"There is no model in {path}: {error.strerror}.") from None
        try:
            self._session = onnx_session(path)
        except Exception as error:  # ONNX Runtime raises its own, of no common base.
            reason = (str(error).splitlines() or [repr(error)])[0][:200]
            raise UserError(f"{path} cannot be read as an ONNX model: {reason}") from error
        taken = [(each.type, len(each.shape)) for each in self._session.get_inputs()]
        given = {each.name for each in self._session.get_outputs()}
        if taken != [("tensor(uint8)", 4)] or "probability" not in given:
            raise UserError(
                f"{path} is not a model of this project's export: it must take photos and give "
                "`probability`. `kedro run --pipelines=export` writes one."
            )
        self._input = self._session.get_inputs()[0].name
        self._digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        self._is_free = threading.Lock()

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        """See `Predictor`."""
        with self._is_free:
            maps = [
                self._session.run(["probability"], {self._input: photo[np.newaxis]})[0]
                for photo in photos
            ]
        return np.concatenate(maps)[..., np.newaxis]

    def to_json(self) -> str:
        """See `Predictor`: the whole file."""
        return self._digest

    def get_weights(self) -> list[Any]:
        """See `Predictor`: they are in the file."""
        return []
