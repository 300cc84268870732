"""Draws docs/images/pipelines.svg from the pipelines: ``python docs/draw_pipelines.py``."""

import textwrap
from html import escape
from pathlib import Path

from kedro.pipeline import Pipeline

from car_segmentation.pipeline_registry import register_pipelines

PICTURE = Path(__file__).parent / "images" / "pipelines.svg"
ORDER = ("data_processing", "modelling", "reporting")
FROM_FILES = "photos and masks, in Kaggle's layout"
RESULTS = "scores, pictures and the report"

WIDTH, MARGIN, LINE, GAP = 480, 12, 18, 64
LABEL = 'font-style="italic" fill="#22343a"'
CHARACTERS = 68
"""In a line of a box, at 12 pixels."""


def draw(pipelines: dict[str, Pipeline]) -> str:
    """The picture as SVG: a box for each pipeline, from top to bottom, and what goes between."""
    parts: list[str] = []
    y = arrow(parts, MARGIN, FROM_FILES)
    for place, name in enumerate(ORDER):
        y = box(parts, y, name, pipelines[name])
        later = [pipelines[other] for other in ORDER[place + 1 :]]
        made, wanted = pipelines[name].outputs() | pipelines[name].all_outputs(), set()
        for pipeline in later:
            wanted |= pipeline.inputs()
        passed = [dataset for dataset in sorted(made & wanted) if not dataset.startswith("params:")]
        y = arrow(parts, y, ", ".join(passed) or RESULTS)
    height = y + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def box(parts: list[str], top: int, name: str, pipeline: Pipeline) -> int:
    """Add a box with the names of a pipeline's nodes; return where it ends."""
    lines = textwrap.wrap(" · ".join(node.short_name for node in pipeline.nodes), CHARACTERS)
    height = MARGIN + LINE * (len(lines) + 1) + MARGIN // 2
    parts.append(
        f'<rect x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" height="{height}" rx="6" '
        'fill="#e8f1f2" stroke="#37707a"/>'
    )
    parts.append(text(top + LINE + 2, name, 'font-weight="bold" font-size="14" fill="#16424a"'))
    for number, line in enumerate(lines, start=2):
        parts.append(text(top + LINE * number + 2, line, 'fill="#22343a"'))
    return top + height


def arrow(parts: list[str], top: int, label: str) -> int:
    """Add an arrow down with its label beside it; return where it ends."""
    bottom, x = top + GAP, 3 * MARGIN
    parts.append(
        f'<path d="M{x} {top + 4}V{bottom - 4}m-5 -6l5 6l5 -6" fill="none" stroke="#37707a" '
        'stroke-width="1.5"/>'
    )
    lines = textwrap.wrap(label, CHARACTERS - 6)
    first = top + GAP // 2 + 4 - (len(lines) - 1) * LINE // 2
    for number, line in enumerate(lines):
        parts.append(text(first + number * LINE, line, LABEL, x + 16))
    return bottom


def text(y: int, words: str, style: str, x: int = 2 * MARGIN) -> str:
    """A line of text."""
    return f'<text x="{x}" y="{y}" {style}>{escape(words)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(draw(register_pipelines()), encoding="utf-8")
