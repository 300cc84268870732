"""Keras models in the catalog, for any backend.

kedro-datasets' ``TensorFlowModelDataset`` needs TensorFlow even where Keras runs on JAX, and
writes in place; this one needs Keras alone and replaces the file in one step.
"""

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from car_segmentation.core.errors import UserError
from car_segmentation.datasets.files import FileDataset
from car_segmentation.datasets.previews import TablePreview

if TYPE_CHECKING:
    import keras

LAYER_SETTINGS = ("name", "filters", "kernel_size", "strides", "activation")
"""Columns of the preview, a row per layer."""


class KerasModelDataset(FileDataset["keras.Model", "keras.Model"]):
    """A ``.keras`` file, loaded in safe mode and without its loss and optimiser.

    Args:
        filepath: The ``.keras`` file.
        version: See `FileDataset`.
        metadata: For plugins such as Kedro-Viz.
        credentials: Options of the store's fsspec file system.
    """

    def load(self) -> "keras.Model":
        """Read the model."""
        place = self.load_place()
        if not place.exists():
            raise UserError(
                f"There is no model in {place}. Train one first: `kedro run`, or "
                f"`make run` for the demo.{_where_it_was(Path(str(place)))}"
            )
        # Imports Keras, which takes 5 seconds: only where a model is really needed.
        from car_segmentation.networks.model_file import read_model

        with place.reading() as path:
            return read_model(path)

    def save(self, data: "keras.Model") -> None:
        """Write the model."""
        with self.writing(durable=True) as part:
            data.save(part)

    def preview(self) -> TablePreview:
        """The layers in their order, read from the file's configuration without Keras."""
        with self.reading() as path, zipfile.ZipFile(path) as archive:
            layers = json.loads(archive.read("config.json"))["config"]["layers"]
        rows = [
            [layer["class_name"], *(str(layer["config"].get(key, "")) for key in LAYER_SETTINGS)]
            for layer in layers
        ]
        columns = ["layer", *(key.replace("_", " ") for key in LAYER_SETTINGS)]
        return TablePreview({"index": list(range(len(rows))), "columns": columns, "data": rows})


def _where_it_was(model: Path) -> str:
    """Where environments kept their models before each had a folder, if one is there."""
    before = Path(*model.parts[:-3], *model.parts[-2:])
    if not before.is_file():
        return ""
    return (
        f" {before} is there, from before environments had folders of their own: "
        f"--params=model={before} uses it for inference, and moving its folder here for all else."
    )
