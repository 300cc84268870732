"""Canvases of a folder: its cut-outs laid out for a shop, all views of a car at one scale."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from car_segmentation.core.files import atomic_file
from car_segmentation.core.parallel import map_photos
from car_segmentation.parameters import CanvasOptions
from car_segmentation.prediction.canvas import Box, Canvas, box_of, lay_file_on_canvas, plan_canvas
from car_segmentation.prediction.composites import Backdrop, clear_if_other
from car_segmentation.prediction.photo_files import (
    CANVASES,
    CUT_OUTS,
    MASKS,
    output_file,
    write_picture,
)

LAYOUT_FILE = ".layouts.json"
"""Layouts of the finished canvases: another view of a car may change them."""


@dataclass(frozen=True)
class _Task:
    name: str
    box: Box
    canvas: Canvas


def write_canvases(
    folder: Path,
    groups: Mapping[str, str],
    options: CanvasOptions,
    backdrop: Backdrop | None,
    shadow: bool,
) -> None:
    """Lay the cut-outs of a folder on canvases, where they are not yet.

    Args:
        folder: Predictions, whose masks and cut-outs are written.
        groups: The car of each photo, by the photo's file name.
        options: Of the canvases.
        backdrop: What is behind the cut-outs; None: nothing.
        shadow: Whether the cut-outs have their shadow.
    """
    target = folder / CANVASES
    target.mkdir(exist_ok=True)
    behind = "" if backdrop is None else backdrop.digest()
    clear_if_other(target, f"{options.model_dump_json()} {behind} {shadow}")
    names = sorted(groups)
    boxes = map_photos(partial(_box_in, folder), names, len(names), "measure", workers="threads")
    tasks = _laid_out(names, boxes, groups, options)
    layouts = {task.name: [*task.box, *astuple(task.canvas)] for task in tasks}
    finished = _read_layouts(target / LAYOUT_FILE)
    missing = [
        task
        for task in tasks
        if finished.get(task.name) != layouts[task.name]
        or not output_file(folder, CANVASES, task.name, backdrop).is_file()
    ]
    write = partial(_write, folder, backdrop)
    map_photos(write, missing, len(missing), "canvases", workers="threads")
    with atomic_file(target / LAYOUT_FILE) as part:
        part.write_text(json.dumps(layouts), encoding="ascii")


def _laid_out(
    names: Sequence[str], boxes: Sequence[Box], groups: Mapping[str, str], options: CanvasOptions
) -> list[_Task]:
    named = dict(zip(names, boxes, strict=True))
    group_of = groups if options.same_scale else {name: name for name in names}
    of_group: dict[str, list[Box]] = {}
    for name, box in named.items():
        of_group.setdefault(group_of[name], []).append(box)
    canvases = {group: plan_canvas(found, options) for group, found in of_group.items()}
    return [_Task(name, box, canvases[group_of[name]]) for name, box in named.items()]


def _box_in(folder: Path, name: str) -> Box:
    mask = cv2.imread(str(output_file(folder, MASKS, name)), cv2.IMREAD_GRAYSCALE)
    return box_of(np.asarray(mask) > 0)


def _write(folder: Path, backdrop: Backdrop | None, task: _Task) -> None:
    cut_out = output_file(folder, CUT_OUTS, task.name).read_bytes()
    picture = lay_file_on_canvas(cut_out, task.box, task.canvas, backdrop)
    write_picture(output_file(folder, CANVASES, task.name, backdrop), picture)


def _read_layouts(path: Path) -> dict[str, list[float | str]]:
    try:
        layouts = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return {}  # They are made again.
    return layouts if isinstance(layouts, dict) else {}
