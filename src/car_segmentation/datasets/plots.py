"""Plots that open in a browser, and that MLflow and Kedro-Viz show."""

import json
from typing import TYPE_CHECKING

from car_segmentation.datasets.files import FileDataset
from car_segmentation.datasets.previews import PlotlyPreview

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DATA = ".json"
"""Extension of the figure's data, beside the page."""


class PlotDataset(FileDataset["Figure", "Figure"]):
    """A Plotly figure: a page that opens without a network, and its data as JSON beside it.

    Args:
        filepath: The page, ``.html``.
        version: See `FileDataset`.
        metadata: For plugins such as Kedro-Viz.
        credentials: Options of the store's fsspec file system.
    """

    def load(self) -> "Figure":
        """Read the figure."""
        from plotly.io import from_json  # Plotly takes 0.3 s to import.

        with self.reading(DATA) as path:
            return from_json(path.read_text(encoding="utf-8"))

    def save(self, data: "Figure") -> None:
        """Write the page and the figure."""
        from car_segmentation.report.html import plot_page

        with self.save_place(DATA).writing() as part:
            part.write_text(data.to_json(engine="json"), encoding="utf-8")
        with self.writing() as part:
            part.write_text(plot_page(data), encoding="utf-8")

    def _exists(self) -> bool:
        return self.load_place(DATA).exists()

    def preview(self) -> PlotlyPreview:
        """The figure itself."""
        with self.reading(DATA) as path:
            return PlotlyPreview(json.loads(path.read_text(encoding="utf-8")))
