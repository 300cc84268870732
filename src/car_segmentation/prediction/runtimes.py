"""Other runtimes that predict in Keras' place: OpenVINO and ONNX Runtime, on the processor.

A model is converted when it first predicts, once in a process, and computes in float32.
"""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.prediction.predictor import OnAnother
from car_segmentation.prediction.stored_model import keras_model

Runtime = Literal["openvino", "onnxruntime"]
Format = Literal["openvino", "onnx"]
FORMATS: dict[Runtime, Format] = {"openvino": "openvino", "onnxruntime": "onnx"}
FILES: dict[Format, str] = {"onnx": "model.onnx", "openvino": "model.xml"}
PACKAGES: dict[Format, tuple[str, ...]] = {
    "onnx": ("tf2onnx", "onnx", "onnxruntime"),
    "openvino": ("openvino",),
}
"""Packages that each format needs to be written and run; also the names of the extras."""

_ONE_PREDICTS = threading.Lock()


@dataclass(frozen=True)
class RuntimeModel(OnAnother):
    """A Keras model that another runtime predicts with; a `Predictor`.

    Attributes:
        predictor: The Keras model, or the file that it is in.
        runtime: What predicts.
        batch_size: Photos in every batch.

    Raises:
        UserError: If the runtime's packages are not installed; when it first predicts, if the model
            cannot be converted.
    """

    runtime: Runtime
    batch_size: int

    def __post_init__(self) -> None:
        """Check the packages before any work."""
        extra = FORMATS[self.runtime]
        missing = missing_packages(PACKAGES[extra])
        if missing:
            raise UserError(
                f"prediction.backend is {self.runtime}, which needs {', '.join(missing)}: "
                f"pip install -e '.[{extra}]', or set it to keras."
            )

    def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
        """See `Predictor`; by one thread at a time."""
        with _ONE_PREDICTS:
            model: Any = self.predictor  # Any Keras model, and its file, can be a key.
            return _converted(model, self.runtime, self.batch_size)(photos)

    def to_json(self) -> str:
        """See `Predictor`."""
        return json.dumps({"runtime": self.runtime, "of": self.predictor.to_json()})


def missing_packages(packages: Sequence[str]) -> list[str]:
    """Those of some packages that are not installed."""
    return [package for package in packages if find_spec(package) is None]


def onnx_session(file: Path) -> Any:
    """Load an ONNX file in ONNX Runtime, on the processor."""
    import onnxruntime

    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def compiled_openvino(file: Path) -> Any:
    """Load an OpenVINO file for the processor, in float32, wholly into memory."""
    import openvino

    core = openvino.Core()
    core.set_property({"ENABLE_MMAP": False})
    # Some processors would compute in bfloat16 by default.
    return core.compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@cache
def _converted(
    predictor: Any, runtime: Runtime, batch_size: int
) -> Callable[[np.ndarray], np.ndarray]:
    """From a batch of photos to float32 (batch, height, width, 1), by another runtime."""
    import keras

    from car_segmentation.networks.precision import in_float32

    model = keras_model(predictor)
    photos = keras.InputSpec(shape=(batch_size, *model.input_shape[1:]), dtype="uint8")
    kind = FORMATS[runtime]
    with TemporaryDirectory() as folder:
        file = Path(folder) / FILES[kind]
        try:
            in_float32(model).export(
                str(file), format=kind, input_signature=[photos], verbose=False
            )
        except Exception as error:  # Converters may raise anything.
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise UserError(
                f"prediction.backend is {runtime}, for which this model cannot be converted "
                f"({reason[0]}). Set it to keras."
            ) from error
        if runtime == "openvino":
            compiled = compiled_openvino(file)
            return lambda batch: np.array(compiled([batch])[0])
        session = onnx_session(file)
        name = session.get_inputs()[0].name
        return lambda batch: np.asarray(session.run(None, {name: batch})[0])
