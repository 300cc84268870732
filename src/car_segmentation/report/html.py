"""One HTML page in one file: text, tables, plots and pictures that open from disk, without network.

Every function here that returns a `Block` escapes the text that it is given: names of files, cars
and makes come from users. Pictures are encoded as they are handed over, so that a caller who draws
them one after the other never holds more than one.
"""

import base64
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import jinja2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from car_segmentation.core.text import printable
from car_segmentation.data.encoding import encode_picture, narrowed
from car_segmentation.report.colours import COLOURS

Block = Markup
"""A piece of the page: HTML that needs no more escaping."""

JPEG_QUALITY = 85
"""OpenCV's, 0 to 100."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
CHART_HEIGHT = 340
"""Height of a figure that has none of its own; pixels."""
ROWS_MIN_WIDTH = 460
"""Least width of figures with long names on the left; pixels."""

_LINES = {"gridcolor": COLOURS["line"][0], "linecolor": COLOURS["line"][0]}
_AXIS = _LINES | {
    "zeroline": False,
    "automargin": True,
    "title": {"standoff": 8, "font": {"size": 13}},
}
CHART_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": COLOURS["ink"][0]},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": [COLOURS["first"][0], COLOURS["second"][0]],
        "margin": {"t": 12, "r": 12, "b": 44, "l": 52},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "polar": {"bgcolor": "rgba(0,0,0,0)", "radialaxis": _LINES, "angularaxis": _LINES},
        "hoverlabel": {
            "bgcolor": COLOURS["card"][0],
            "bordercolor": COLOURS["quiet"][0],
            "font": {"family": FONT, "size": 13, "color": COLOURS["ink"][0]},
            "align": "left",
        },
        "legend": {
            "orientation": "h",
            "traceorder": "normal",
            "x": 0,  # From the left of the page: labels of rows take half of a phone.
            "xref": "container",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
        },
        "bargap": 0.15,
        "dragmode": False,  # A finger on a plot scrolls the page.
    }
)

NO_VALUE = "–"
"""Placeholder of a missing value."""


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading.

    Attributes:
        title: The heading, which the page's navigation shows too; empty for none.
        body: What stands in it, from top to bottom.
        lead: A sentence or two that say what the section shows; plain text.
    """

    title: str
    body: Sequence[Block]
    lead: str = ""


def paragraph(text: str, quiet: bool = False) -> Block:
    """A paragraph of plain text; a quiet one explains, and is set smaller."""
    return macros("blocks.html.j2").paragraph(text, quiet)


def numbers(tiles: Sequence[tuple[str, str, str]]) -> Block:
    """The large numbers on top: label, value and a note, such as the interval, for each."""
    return macros("blocks.html.j2").numbers(tiles)


def facts(pairs: Mapping[str, str]) -> Block:
    """A list of names and what they are."""
    return macros("blocks.html.j2").facts(pairs)


def beside(*blocks: Block) -> Block:
    """Blocks side by side where the page is wide enough, else one below the other."""
    return macros("blocks.html.j2").beside(blocks)


def folded(title: str, *blocks: Block) -> Block:
    """Blocks that are shown when their title is clicked."""
    return macros("blocks.html.j2").folded(title, blocks)


def figure(plot: go.Figure, caption: str = "", min_width: int = 280) -> Block:
    """A Plotly figure that can be hovered, and takes the page's theme.

    Its title becomes text of the page, which wraps where a phone is narrow. A click on a point
    that has an id (``ids`` of the trace) leads to the picture or table row of that name.

    Args:
        plot: Drawn in the colours of `light`.
        caption: Plain text below it.
        min_width: Where the page is narrower than this, in pixels, the figure is scrolled.
    """
    description = plot.to_plotly_json()
    layout = dict(description["layout"])
    title = Markup((layout.pop("title", None) or {}).get("text") or "").striptags()
    layout["template"] = CHART_TEMPLATE
    height = layout.setdefault("height", CHART_HEIGHT)
    text = go.Figure(data=description["data"], layout=layout).to_json(engine="json")
    return macros("blocks.html.j2").figure(
        title, Markup(for_script(text)), caption, height, min_width
    )


def table(
    frame: pd.DataFrame,
    formats: Mapping[str, str] | None = None,
    caption: str = "",
    searchable: bool = False,
    links: Collection[str] = (),
) -> Block:
    """A table that is sorted by a click on a heading.

    Args:
        frame: A row per row; its column names are the headings, its index is not shown.
        formats: Format specification (``.4f``, ``.1%``, ``,``) of numeric columns.
        caption: What the table shows; plain text.
        searchable: Whether there is a box that leaves only the rows with the words typed in it.
        links: Values of the first column that lead to the picture of that name: see `picture`.
    """
    specifications = formats or {}
    columns = [
        {"heading": str(name), "numeric": _is_numeric(frame[name])} for name in frame.columns
    ]
    rows = []
    for values in frame.itertuples(index=False, name=None):
        cells = [
            {"key": _sort_key(value), "text": _cell_text(value, specifications.get(name, ""))}
            for name, value in zip(frame.columns, values, strict=True)
        ]
        rows.append({"name": str(values[0]) if values else "", "cells": cells})
    targets = {name: anchor(name) for name in links}
    return macros("blocks.html.j2").table(columns, rows, caption, searchable, targets)


def picture(
    rgb: np.ndarray,
    caption: str = "",
    alt: str = "",
    max_width: int = 1600,
    name: str | None = None,
) -> Block:
    """A picture within the page; a click shows it at its full size.

    Args:
        rgb: uint8 RGB (height, width, 3).
        caption: Plain text below it.
        alt: What it shows, for whoever cannot see it.
        max_width: Wider pictures are reduced to this width, in pixels.
        name: What links of a `table` and points of a `figure` find it by, such as a photo id.
    """
    rgb = narrowed(rgb, max_width)
    height, width = rgb.shape[:2]
    return macros("blocks.html.j2").picture(
        _data_url(rgb), width, height, caption, alt or caption, name, anchor(name) if name else ""
    )


def render_page(
    title: str, lead: str, sections: Sequence[Section], foot: Mapping[str, str] | None = None
) -> str:
    """The whole page, as HTML that loads nothing from anywhere.

    Args:
        title: Heading of the page, plain text.
        lead: What the page is about, plain text.
        sections: Its parts, in their order.
        foot: What the page is of, by heading; at its end.
    """
    has_plots = any("data-plot" in block for section in sections for block in section.body)
    page = _templates().get_template("page.html.j2")
    return page.render(
        title=title,
        lead=lead,
        foot=facts(foot) if foot else "",
        sections=[(anchor(section.title), section) for section in sections],
        colours=COLOURS,
        font=Markup(FONT),
        exchange=Markup(for_script(json.dumps(dict(COLOURS.values())))),
        style=Markup(asset("page.css")),
        script=Markup(asset("page.js")),
        plotly=Markup(get_plotlyjs()) if has_plots else "",
    )


def plot_page(plot: go.Figure) -> str:
    """A page of one figure."""
    title = Markup(plot.layout.title.text or "Plot").striptags()
    untitled = go.Figure(plot).update_layout(title=None)
    return render_page(title, "", [Section("", [figure(untitled)])])


def anchor(name: str) -> str:
    """An id for an element that any name gives, and no two names share."""
    return "at-" + re.sub(r"[^A-Za-z0-9-]", lambda odd: f"_{ord(odd[0]):x}_", name)


def _data_url(rgb: np.ndarray) -> str:
    # At full colour resolution: errors are a pixel wide, and only their colour distinguishes them.
    quality = [
        cv2.IMWRITE_JPEG_QUALITY,
        JPEG_QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    jpeg = encode_picture(rgb, ".jpg", quality)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _cell_text(value: Any, specification: str) -> str:
    if pd.isna(value):
        return NO_VALUE
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return format(value, specification) if specification else str(value)


def _sort_key(value: Any) -> str:
    """Sort key of a cell: a number as JavaScript reads it, empty for missing values."""
    if pd.isna(value):
        return ""
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    return str(value)


def for_script(text: str) -> str:
    """JSON that may stand in a script element, whatever strings are in it."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _shown(value: Any) -> Any:
    """Names of files may hold line breaks and control characters."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("car_segmentation.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def macros(name: str) -> Any:
    """The macros of a template, parts of pages; each returns `Markup`."""
    return _templates().get_template(name).module


def asset(name: str) -> str:
    """A file beside the templates, such as a style sheet."""
    source, _, _ = jinja2.PackageLoader("car_segmentation.report").get_source(_templates(), name)
    return source
