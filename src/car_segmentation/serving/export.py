"""A model for runtimes without Keras: photo in, mask out, in ONNX, LiteRT or OpenVINO files."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_folder
from car_segmentation.data.images import read_photo
from car_segmentation.parameters import PredictionOptions
from car_segmentation.prediction import runtimes
from car_segmentation.prediction.segmenter import Segmenter

if TYPE_CHECKING:
    import keras

Format = Literal["onnx", "litert", "openvino"]
FILES: dict[Format, str] = {
    "onnx": runtimes.FILES["onnx"],
    "litert": "model.tflite",
    "openvino": runtimes.FILES["openvino"],
}
PACKAGES: dict[Format, tuple[str, ...]] = {
    "onnx": runtimes.PACKAGES["onnx"],
    "litert": ("tensorflow", "ai_edge_litert"),
    "openvino": runtimes.PACKAGES["openvino"],
}

Predict = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From a photo, uint8 RGB (height, width, 3), to its probability map, float32 (height, width), and
its mask, uint8 of the same shape, 0 or 255."""


def export_model(
    folder: Path, model: "keras.Model", threshold: float, formats: Sequence[Format]
) -> None:
    """Write a file for each format, in place of all that the folder held.

    OpenVINO puts weights into a second one, ``model.bin``.

    Args:
        folder: Where to.
        model: From uint8 photos of one size to probabilities.
        threshold: Probability from which a pixel is car.
        formats: What to write.
    """
    import keras

    from car_segmentation.serving.photo_to_mask import PhotoToMask

    whole = PhotoToMask(model, threshold)
    whole(np.zeros((1, *model.input_shape[1:3], 3), np.uint8))  # Keras needs it built.
    photo = keras.InputSpec(shape=(None, None, None, 3), dtype="uint8", name="photo")
    with atomic_folder(folder) as part:
        for kind in formats:
            file = str(part / FILES[kind])
            whole.export(file, format=kind, input_signature=[photo], verbose=False)
        # The masks in the files have it; whoever takes their probabilities needs it, too.
        (part / "threshold.json").write_text(json.dumps({"threshold": threshold}))


def exported_files(folder: Path) -> dict[Format, Path]:
    """The files that `export_model` wrote, by format."""
    files = {kind: folder / name for kind, name in FILES.items()}
    return {kind: file for kind, file in files.items() if file.is_file()}


def check_packages(formats: Sequence[Format]) -> None:
    """Refuse formats whose packages are not installed.

    Raises:
        UserError: One message with all that is missing.
    """
    for kind in formats:
        missing = runtimes.missing_packages(PACKAGES[kind])
        if missing:
            raise UserError(
                f"Export to {kind} needs {', '.join(missing)}: pip install -e '.[{kind}]', or take "
                f"{kind} out of export.formats."
            )


def load_exported(kind: Format, file: Path) -> Predict:
    """Load an exported file in its own runtime, on the processor and in float32."""
    return {"onnx": _load_onnx, "litert": _load_litert, "openvino": _load_openvino}[kind](file)


def keras_predict(model: "keras.Model", threshold: float) -> Predict:
    """The same function as inference has it."""
    segmenter = Segmenter.from_options(model, PredictionOptions(), threshold)

    def predict(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probability = segmenter.probability(photo)
        return probability, (probability >= threshold).view(np.uint8) * np.uint8(255)

    return predict


def compare_exports(
    model: "keras.Model", threshold: float, exported: dict[Format, Path], photos: Sequence[Path]
) -> pd.DataFrame:
    """Compare exported files with Keras, on the same photos.

    Returns:
        A row for Keras with the model's own precision, for Keras in float32, and for each format:
        ``runtime``; ``probability_difference``, the largest from Keras in float32;
        ``mask_pixels_differing``, the fraction of all pixels; ``seconds``, the median of all photos
        from pixels to mask; ``processor_seconds``, the same in time of all cores together.
    """
    from car_segmentation.networks.precision import in_float32

    reference = keras_predict(in_float32(model), threshold)
    predictors = {"keras": keras_predict(model, threshold), "keras float32": reference}
    predictors |= {kind: load_exported(kind, file) for kind, file in exported.items()}
    rows = []
    for path in photos:
        photo = read_photo(path)
        expected, expected_mask = reference(photo)
        for name, predict in predictors.items():
            if path == photos[0]:
                predict(photo)  # Compiles.
            start, processor_start = time.perf_counter(), time.process_time()
            probability, mask = predict(photo)
            seconds = time.perf_counter() - start
            rows.append(
                {
                    "runtime": name,
                    "probability_difference": float(np.abs(probability - expected).max()),
                    "mask_pixels_differing": float(np.mean(mask != expected_mask)),
                    "seconds": seconds,
                    "processor_seconds": time.process_time() - processor_start,
                }
            )
    by_runtime = pd.DataFrame(rows).groupby("runtime", sort=False)
    return by_runtime.agg(
        probability_difference=("probability_difference", "max"),
        mask_pixels_differing=("mask_pixels_differing", "mean"),
        seconds=("seconds", "median"),
        processor_seconds=("processor_seconds", "median"),
    ).reset_index()


def _load_onnx(file: Path) -> Predict:
    session = runtimes.onnx_session(file)

    def predict(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        names = ["probability", "mask"]
        probability, mask = session.run(names, {"photo": photo[np.newaxis]})
        return probability[0], mask[0]

    return predict


def _load_litert(file: Path) -> Predict:
    import os

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file), num_threads=os.cpu_count())
    run = interpreter.get_signature_runner()

    def predict(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        result: dict[str, Any] = run(photo=photo[np.newaxis])
        return result["probability"][0], result["mask"][0]

    return predict


def _load_openvino(file: Path) -> Predict:
    compiled = runtimes.compiled_openvino(file)

    def predict(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # By type: Keras names its inputs alone in this format.
        results = {each.dtype: each[0] for each in compiled([photo[np.newaxis]]).values()}
        return results[np.dtype(np.float32)], results[np.dtype(np.uint8)]

    return predict
