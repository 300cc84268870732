import re
from pathlib import Path

import plotly.graph_objects as go

from car_segmentation.datasets.plots import PlotDataset

PLOT = go.Figure(go.Bar(x=["a", "<b>"], y=[1.5, 2.0]), layout={"title": "Dice & more"})


def test_a_plot_is_a_page_that_needs_no_network_and_its_data(tmp_path: Path) -> None:
    dataset = PlotDataset(str(tmp_path / "plot.html"))
    assert not dataset.exists()
    dataset.save(PLOT)
    assert dataset.exists() and dataset.load() == PLOT
    page = (tmp_path / "plot.html").read_text(encoding="utf-8")
    assert "<h1>Dice &amp; more</h1>" in page and "Plotly.react" in page
    assert not re.search(r'<(script|link|img)[^>]*(src|href)="http', page)


def test_kedro_viz_is_given_the_figure(tmp_path: Path) -> None:
    dataset = PlotDataset(str(tmp_path / "plot.html"))
    dataset.save(PLOT)
    preview = dataset.preview()
    assert preview["layout"]["title"]["text"] == "Dice & more"
    assert preview["data"][0]["x"] == ["a", "<b>"]
