"""Contact sheets: many pictures on one, each under its caption."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import pandas as pd

from car_segmentation.core.dask_cluster import in_chunks
from car_segmentation.report.colours import BACKGROUND
from car_segmentation.report.text_drawing import caption_strip


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str], cell_width: int
) -> np.ndarray:
    """Lay pictures out in rows, each row under its caption.

    Args:
        rows: Pictures, uint8 RGB of any size; the first of a row sets the row's height.
        captions: A text for each row.
        cell_width: Width of each picture on the sheet, in pixels.

    Returns:
        uint8 RGB (height, width, 3).
    """
    gap = _gap(cell_width)
    columns = max(len(row) for row in rows)
    strips: list[np.ndarray] = []
    for row, caption in zip(rows, captions, strict=True):
        size = cell_width, round(row[0].shape[0] * cell_width / row[0].shape[1])
        cells = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in row]
        strip = _strip_of(cells, columns, gap, gap)
        strips += [caption_strip(caption, strip.shape[1], margin=gap), strip]
    return np.concatenate(strips)


def photo_sheet(
    pictures: Iterable[np.ndarray], captions: Sequence[str], columns: int, cell_width: int
) -> np.ndarray:
    """Lay pictures out in a grid, each under its own caption.

    Pictures are taken one by one, so that no more than one is in memory at its full size.

    Args:
        pictures: uint8 RGB of any size, one for each caption; none is cut, each keeps its shape.
        captions: A text for each picture; as many lines as it takes.
        columns: How many pictures are side by side.
        cell_width: Width of each picture on the sheet, in pixels.

    Returns:
        uint8 RGB (height, width, 3).
    """
    gap = _gap(cell_width)
    strips: list[np.ndarray] = []
    cells = (fitted(picture, cell_width) for picture in pictures)
    texts = (caption_strip(caption, cell_width) for caption in captions)
    for row in in_chunks(zip(texts, cells, strict=True), columns):
        above, below = zip(*row, strict=True)
        strips += [_strip_of(above, columns, gap, 0), _strip_of(below, columns, gap, gap)]
    return np.concatenate(strips)


def drawn_at_random(photo_scores: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """A uniform random sample of photos.

    Args:
        photo_scores: Columns ``photo_id`` and ``dice``, a row per photo; their order does not
            matter.
        count: How many; all, if there are fewer.
        seed: Another one draws other photos.

    Returns:
        Their rows, the worst first.
    """
    rows = photo_scores.sort_values("photo_id")
    drawn = np.random.default_rng(seed).permutation(len(rows))[:count]
    return rows.iloc[drawn].sort_values(["dice", "photo_id"], ignore_index=True)


def _strip_of(cells: Sequence[np.ndarray], columns: int, gap: int, room_below: int) -> np.ndarray:
    """Cells side by side on a white strip, room left for those that are missing."""
    width = cells[0].shape[1] + gap
    height = max(cell.shape[0] for cell in cells)
    strip = np.full((height + room_below, gap + columns * width, 3), BACKGROUND, np.uint8)
    for column, cell in enumerate(cells):
        left = gap + column * width
        strip[: cell.shape[0], left : left + cell.shape[1]] = cell
    return strip


def fitted(picture: np.ndarray, width: int, height: int | None = None) -> np.ndarray:
    """A picture at another size: averaged where it shrinks, with hard pixels where it grows.

    Args:
        picture: Of any type and channels.
        width: In pixels.
        height: Likewise; None keeps its shape.
    """
    if height is None:
        height = round(picture.shape[0] * width / picture.shape[1])
    shrinks = width < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return cv2.resize(picture, (width, height), interpolation=method)


def _gap(cell_width: int) -> int:
    """Pixels between cells of a sheet."""
    return cell_width // 60 + 2
