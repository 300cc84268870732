"""Save a trained model so that it is loaded, and served, where the project is not installed."""

import inspect
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from car_segmentation.data.encoding import encode_picture
from car_segmentation.experiments.model_registry import NETWORK
from car_segmentation.serving import ServedModel

if TYPE_CHECKING:
    import keras

MODEL_FILE = Path(__file__).with_name("mask_model.py")
"""Code that MLflow runs to build the model."""
MAX_MEGABYTES = 32.0
"""Largest file of a photo that a server takes."""
CODE_FILES = [
    MODEL_FILE.parents[1] / file
    for file in (
        "data/image_files.py",
        "core/processor.py",
        "networks/folding.py",
        "networks/precision.py",
    )
]
"""Code that it imports: reads photos, makes the network fast. Imports nothing of the project."""
PINNED = ("keras", "mlflow", "numpy", "opencv-python-headless", "pandas", "pillow", "simplejpeg")

logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)  # It tells of its own checks.

SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("binary", "photo")]),
    outputs=Schema(
        [
            ColSpec("binary", "mask"),
            ColSpec("long", "height"),
            ColSpec("long", "width"),
            ColSpec("double", "foreground_share"),
        ]
    ),
)


def save_model(path: str, served: ServedModel, mlflow_model: Model, **_: Any) -> None:
    """Write an MLflow model with two flavours; called by MLflow.

    ``python_function`` takes the bytes of photos and gives masks; ``keras`` is the network alone.
    """
    import keras

    layers = layer_files(served.network)
    mlflow_model.add_flavor(
        "keras",
        data=NETWORK,
        keras_version=keras.__version__,
        keras_backend=keras.backend.backend(),
        save_exported_model=False,
    )
    packages = (*PINNED, keras.backend.backend())
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It asks for type hints, though there is a signature.
        network = Path(folder) / f"{Path(NETWORK).name}.keras"
        served.network.save(network)
        mlflow.pyfunc.save_model(
            path=path,
            mlflow_model=mlflow_model,
            python_model=str(MODEL_FILE),
            artifacts={"network": str(network)},
            code_paths=[str(file) for file in (*CODE_FILES, *layers)],
            model_config={
                "threshold": served.threshold,
                "max_megapixels": served.max_megapixels,
                "max_megabytes": MAX_MEGABYTES,
                "layers": [file.stem for file in layers],
            },
            signature=SIGNATURE,
            input_example=pd.DataFrame({"photo": [encode_picture(served.example, ".jpg")]}),
            pip_requirements=[f"{package}=={version(package)}" for package in packages],
        )


def layer_files(network: "keras.Model") -> list[Path]:
    """The files that define what a network has beyond Keras' own layers, in order of name."""
    import keras

    names = set(_registered_names(json.loads(network.to_json())))
    classes = filter(None, map(keras.saving.get_registered_object, names))
    return sorted({Path(inspect.getfile(found)) for found in classes})


def _registered_names(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if isinstance(config.get("registered_name"), str):
            yield config["registered_name"]
        config = list(config.values())
    if isinstance(config, list):
        for part in config:
            yield from _registered_names(part)
