"""What a training shows of photos, from stage to stage: small photos, windows, whole photos.

Where and which a car is can be learnt from small photos, for a share of the cost (progressive
resizing; Howard 2018, fastai's entry to DAWNBench). What is left to learn after that lies round the
edge, and windows round it show more of it for the same cost than whole photos do.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from car_segmentation.data.augmentation import (
    Augmentation,
    augment_pair,
    draw_warp,
    vary_colour,
    warp,
)
from car_segmentation.data.images import resize_by_area
from car_segmentation.parameters import Stage

OFF_CENTRE = 0.4
"""How far from a window's centre the edge may lie that it shows, as a share of its sides."""


def stage_of(stages: Sequence[Stage], epoch: int, epochs: int) -> Stage | None:
    """The stage that an epoch belongs to; None for whole photos as they are.

    Args:
        stages: In their order.
        epoch: From 0.
        epochs: How many the whole training has.
    """
    return next((stage for stage in stages if epoch < _end(stage, epochs)), None)


def next_stage(stages: Sequence[Stage], epoch: int, epochs: int) -> int:
    """The first epoch after the stage that an epoch belongs to; see `stage_of`."""
    stage = stage_of(stages, epoch, epochs)
    return epochs if stage is None else _end(stage, epochs)


def mean_area(stages: Sequence[Stage], height: int, width: int) -> float:
    """Share of a photo's pixels that the network sees of it, as a mean over all epochs: the cost.

    Args:
        stages: In their order.
        height: Of whole photos, in pixels.
        width: In pixels.
    """
    begun, total = 0.0, 0.0
    for stage in stages:
        total += (stage.end_fraction - begun) * stage.height * stage.width / (height * width)
        begun = stage.end_fraction
    return total + 1 - begun


def apply_stage(
    stage: Stage | None,
    photo: np.ndarray,
    mask: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """A photo and its soft mask, varied by one draw, as a stage shows them.

    Args:
        stage: None for whole photos as they are.
        photo: uint8 (height, width, 3).
        mask: uint8 (height, width), 0 to 255.
        augmentation: How they are varied.
        rng: Decides about the variation, and where a window lies.

    Returns:
        Both uint8, at the stage's height and width.
    """
    if stage is None:
        return augment_pair(photo, mask, augmentation, rng)
    size = stage.height, stage.width
    if stage.mode == "resize":
        varied = augment_pair(photo, mask, augmentation, rng)
        return resize_by_area(varied[0], *size), resize_by_area(varied[1], *size)
    height, width = mask.shape
    matrix = draw_warp(augmentation, height, width, rng)
    matrix[:, 2] -= _window_corner(stage, mask, matrix, rng)
    photo, mask = (warp(image, matrix, augmentation.border, size) for image in (photo, mask))
    return vary_colour(photo, augmentation, rng), mask


def _window_corner(
    stage: Stage, mask: np.ndarray, matrix: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The top left pixel (x, y) of a window that lies inside the warped photo."""
    sides = np.array([stage.width, stage.height])
    room = np.array(mask.shape[::-1]) - sides
    # Always the same number of draws, so that one setting does not change another's.
    at_edge, point = rng.random(2)
    anywhere = rng.uniform(0, room)
    off_centre = rng.uniform(-OFF_CENTRE, OFF_CENTRE, 2) * sides
    edge = _edge_pixels(mask)
    if at_edge >= stage.edge_crop_probability or not len(edge):
        return np.round(anywhere)
    y, x = divmod(int(edge[int(point * len(edge))]), mask.shape[1])
    return np.round(np.clip(matrix @ [x, y, 1] + off_centre - sides / 2, 0, room))


def _edge_pixels(mask: np.ndarray) -> np.ndarray:
    """Positions in the flattened mask where car and background meet."""
    contrast = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return np.flatnonzero(contrast > np.iinfo(np.uint8).max // 2)


def _end(stage: Stage, epochs: int) -> int:
    return round(stage.end_fraction * epochs)
