import base64
import json
import math

import cv2
import numpy as np
import pandas as pd
import plotly
import plotly.graph_objects as go
import pytest

from car_segmentation.report import html as html_page
from car_segmentation.report.colours import COLOURS
from car_segmentation.report.html import Section, render_page
from tests.support.pages import NASTY, Page


@pytest.fixture(autouse=True)
def _short_plotly(monkeypatch):
    """Pages are parsed much faster without its 5 MB."""
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "var Plotly = 'here';")


def page_of(*blocks):
    return Page(render_page("A title", "A lead", [Section("Part", blocks, "What it says.")]))


def test_page_names_its_parts_and_links_to_them():
    page = page_of(html_page.paragraph("Hello"))
    assert page.text("h1") == ["A title"] and page.text("h2") == ["Part"]
    assert {"A lead", "What it says.", "Hello"} <= set(page.text("p"))
    (link,) = page.attributes("a")
    assert link["href"] == "#" + page.attributes("section")[0]["id"]
    assert page.open == []


def test_page_loads_nothing():
    html = render_page(
        "t",
        "",
        [
            Section(
                "s",
                [
                    html_page.figure(go.Figure(go.Scatter(x=[1], y=[1]))),
                    html_page.picture(np.zeros((2, 2, 3), np.uint8)),
                ],
            )
        ],
    )
    page = Page(html)
    assert len(page.elements) > 10
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:")), attributes
    style = "".join(page.text("style"))
    assert "url(" not in style and "@import" not in style
    assert not any(attributes.get("src") for attributes in page.attributes("script"))


def test_plotly_is_in_the_page_once_and_only_for_figures():
    plot = html_page.figure(go.Figure(go.Scatter(x=[1], y=[1])))
    without = render_page("t", "", [Section("s", [html_page.paragraph("p")])])
    with_two = render_page("t", "", [Section("s", [html_page.beside(plot, plot)])])
    assert without.count("Plotly = 'here'") == 0
    assert with_two.count("Plotly = 'here'") == 1


def test_plotly_itself_ends_no_script():
    assert "</script" not in plotly.offline.get_plotlyjs()


@pytest.mark.parametrize(
    "block",
    [
        html_page.paragraph(NASTY),
        html_page.numbers([(NASTY, NASTY, NASTY)]),
        html_page.facts({NASTY: NASTY}),
        html_page.folded(NASTY, html_page.paragraph(NASTY)),
        html_page.figure(go.Figure(go.Scatter(x=[NASTY], y=[1], ids=[NASTY])), NASTY),
        html_page.table(pd.DataFrame({NASTY: [NASTY]}), caption=NASTY, links=[NASTY]),
        html_page.picture(np.zeros((2, 2, 3), np.uint8), NASTY, NASTY, name=NASTY),
    ],
    ids=["paragraph", "numbers", "facts", "folded", "figure", "table", "picture"],
)
def test_text_of_users_stays_text(block):
    assert "<script>alert" not in block
    page = Page(str(block))
    assert page.open == []
    assert all(a.get("type") == "application/json" for a in page.attributes("script"))


def test_titles_and_leads_stay_text():
    page = Page(render_page(NASTY, NASTY, [Section(NASTY, [], NASTY)]))
    assert page.text("h1") == page.text("h2") == page.text("title") == [NASTY]


def test_table_sorts_by_values_and_shows_formats():
    frame = pd.DataFrame(
        {
            "Photo": ["b", "a"],
            "Dice": [0.991234, np.nan],
            "Distance": [math.inf, 1.0],
            "Pixels": [12345, 7],
            "Enough": [True, False],
        }
    )
    page = Page(html_page.table(frame, {"Dice": ".3f", "Pixels": ","}, searchable=True))
    cells = page.attributes("td")
    assert [cell["data-value"] for cell in cells] == [
        *("b", "0.991234", "Infinity", "12345", "1"),
        *("a", "", "1.0", "7", "0"),
    ]
    assert page.text("td") == ["b", "0.991", "inf", "12,345", "yes", "a", "–", "1.0", "7", "no"]
    assert [heading.get("class") for heading in page.attributes("th")] == [
        *(None, "number", "number", "number", None)
    ]
    assert [row.get("data-name") for row in page.attributes("tr")] == [None, "b", "a"]
    assert page.attributes("input")[0]["type"] == "search"


def test_table_without_rows():
    page = Page(html_page.table(pd.DataFrame({"Photo": [], "Dice": []})))
    assert page.text("button") == ["Photo", "Dice"] and not page.attributes("td")


def test_links_of_a_table_lead_to_pictures():
    name = "odd name_01 é"
    picture = Page(html_page.picture(np.zeros((2, 2, 3), np.uint8), name=name))
    table = Page(html_page.table(pd.DataFrame({"Photo": [name, "x"]}), links=[name]))
    (link,) = table.attributes("a")
    assert link["href"] == "#" + picture.attributes("figure")[0]["id"]


def test_anchors_differ_and_need_no_escape():
    names = ["a_b", "a-b", "a b", "a_5f_b", "a5fb", "é"]
    anchors = [html_page.anchor(name) for name in names]
    assert len(set(anchors)) == len(names)
    assert all(set(anchor) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_") for anchor in anchors)


def picture_in(page):
    source = page.attributes("img")[0]["src"]
    content = np.frombuffer(base64.b64decode(source.partition(",")[2]), np.uint8)
    return source, cv2.imdecode(content, cv2.IMREAD_COLOR_RGB)


def test_jpeg_keeps_colours_of_single_pixels():
    """Red errors one pixel wide stay red: colour is not halved in resolution."""
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[:, ::2] = (214, 39, 40)
    source, decoded = picture_in(Page(html_page.picture(rgb)))
    assert source.startswith("data:image/jpeg;base64,")
    assert abs(decoded.astype(int) - rgb).mean() < 12


def test_wide_picture_is_reduced():
    _, decoded = picture_in(Page(html_page.picture(np.zeros((100, 400, 3), np.uint8), "", "", 100)))
    assert decoded.shape == (25, 100, 3)


def test_figure_keeps_its_data_and_gives_its_title_to_the_page():
    plot = go.Figure(
        go.Scatter(x=[1, 2], y=[np.nan, 4], ids=["</script>", "b"]),
        layout={"title": "A <b>title</b>"},
    )
    page = Page(html_page.figure(plot, "A caption", min_width=400))
    assert page.text("h3") == ["A title"] and page.text("figcaption") == ["A caption"]
    description = json.loads(page.text("script")[0])
    assert description["data"][0]["y"] == [None, 4]
    assert description["data"][0]["ids"] == ["</script>", "b"]
    assert "title" not in description["layout"]
    assert "min-width: 400px" in page.attributes("div")[1]["style"]
    assert plot.layout.title.text == "A <b>title</b>"


def test_every_colour_has_one_dark_one():
    """The page exchanges light colours for dark ones by their value."""
    assert len({light for light, _ in COLOURS.values()}) == len(COLOURS)
    dark = json.loads(
        next(
            text
            for tag, text in Page(render_page("t", "", [])).texts
            if tag == "script" and text.startswith("{")
        )
    )
    assert dark == dict(COLOURS.values())


def contrast(one, other):
    """WCAG 2.1's contrast ratio, 1 to 21."""

    def luminance(colour):
        channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_points_can_be_read(theme):
    card = COLOURS["card"][theme]
    for name in ("ink", "quiet", "first", "second"):
        assert contrast(COLOURS[name][theme], card) >= 4.5, name
    for name in ("false_positive", "false_negative"):
        assert contrast(COLOURS[name][theme], card) >= 3, name
