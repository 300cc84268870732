"""Plots that open in a browser, and that MLflow and Kedro-Viz show."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from car_segmentation.core.files import atomic_file
from car_segmentation.datasets.files import FileDataset
from car_segmentation.datasets.previews import PlotlyPreview

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class PlotDataset(FileDataset["Figure", "Figure"]):
    """A Plotly figure: a page that opens without a network, and its data as JSON beside it.

    Args:
        filepath: The page, ``.html``.
        version: See `FileDataset`.
        metadata: For plugins such as Kedro-Viz.
    """

    def load(self) -> "Figure":
        """Read the figure."""
        from plotly.io import from_json  # Plotly takes 0.3 s to import.

        return from_json(_data_of(self.load_path).read_text(encoding="utf-8"))

    def save(self, data: "Figure") -> None:
        """Write the page and the figure."""
        from car_segmentation.report.html import plot_page

        page = self.save_path
        with atomic_file(_data_of(page)) as part:
            part.write_text(data.to_json(engine="json"), encoding="utf-8")
        with atomic_file(page) as part:
            part.write_text(plot_page(data), encoding="utf-8")

    def _exists(self) -> bool:
        return _data_of(self.load_path).is_file()

    def preview(self) -> PlotlyPreview:
        """The figure itself."""
        return PlotlyPreview(json.loads(_data_of(self.load_path).read_text(encoding="utf-8")))


def _data_of(page: Path) -> Path:
    return page.with_suffix(".json")
