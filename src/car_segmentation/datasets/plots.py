"""Plots that open in a browser, and that MLflow and Kedro-Viz show."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from car_segmentation.core.files import atomic_file
from car_segmentation.core.places import local_path
from car_segmentation.datasets.previews import PlotlyPreview

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class PlotDataset(AbstractDataset["Figure", "Figure"]):
    """A Plotly figure: a page that opens without a network, and its data as JSON beside it.

    Args:
        filepath: The page, ``.html``.
        metadata: For plugins such as Kedro-Viz.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = local_path(filepath)
        self.metadata = metadata

    @property
    def _json(self) -> Path:
        return self._filepath.with_suffix(".json")

    def load(self) -> "Figure":
        """Read the figure."""
        from plotly.io import from_json  # Plotly takes 0.3 s to import.

        return from_json(self._json.read_text(encoding="utf-8"))

    def save(self, data: "Figure") -> None:
        """Write the page and the figure."""
        from car_segmentation.report.html import plot_page

        with atomic_file(self._json) as part:
            part.write_text(data.to_json(engine="json"), encoding="utf-8")
        with atomic_file(self._filepath) as part:
            part.write_text(plot_page(data), encoding="utf-8")

    def _exists(self) -> bool:
        return self._json.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def preview(self) -> PlotlyPreview:
        """The figure itself."""
        return PlotlyPreview(json.loads(self._json.read_text(encoding="utf-8")))
