"""Stages of a training: resized photos first, then crops, or whole photos (a curriculum).

Where and which a car is can be learnt from small photos, for a fraction of the cost (progressive
resizing; Howard 2018, fastai's entry to DAWNBench). What is left to learn after that lies at the
edge, and crops near it show more of it for the same cost than whole photos do.
"""

from collections.abc import Sequence

import numpy as np

from car_segmentation.data.augmentation import Augmentation, augment_pair, draw_warp, warp
from car_segmentation.data.colour_jitter import jitter_colour
from car_segmentation.data.image_stack import object_plane
from car_segmentation.data.images import resize_by_area
from car_segmentation.parameters import Stage
from car_segmentation.training.random_crops import crop_corner


def stage_of(stages: Sequence[Stage], epoch: int, epochs: int) -> Stage | None:
    """The stage that an epoch belongs to; None for whole photos at the network's size.

    Args:
        stages: In their order.
        epoch: From 0.
        epochs: How many the whole training has.
    """
    return next((s for s in stages if epoch < round(s.end_fraction * epochs)), None)


def describe_stage(stage: Stage | None, size: tuple[int, int]) -> str:
    """Describe the photos of a stage, at a height and width."""
    shown = "crops of photos" if stage and stage.mode == "crop" else "whole photos"
    return f"on {shown} at {size[1]}×{size[0]}"


def mean_area(stages: Sequence[Stage], height: int, width: int) -> float:
    """Fraction of a photo's pixels that the network sees, as a mean over all epochs: the cost.

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
        stage: None for whole photos.
        photo: uint8 (height, width, 3).
        mask: uint8 (height, width), 0 to 255; or (height, width, 2), see `image_stack`.
        augmentation: How they are varied.
        rng: Decides about the variation, and where a crop lies.

    Returns:
        Both uint8, at the stage's height and width.
    """
    if stage is None:
        return augment_pair(photo, mask, augmentation, rng)
    size = stage.height, stage.width
    if stage.mode == "resize":
        varied = augment_pair(photo, mask, augmentation, rng)
        return resize_by_area(varied[0], *size), resize_by_area(varied[1], *size)
    height, width = mask.shape[:2]
    matrix = draw_warp(augmentation, height, width, rng)
    matrix[:, 2] -= crop_corner(object_plane(mask), matrix, size, stage.edge_crop_probability, rng)
    photo, mask = (warp(image, matrix, augmentation.border, size) for image in (photo, mask))
    return jitter_colour(photo, augmentation, rng), mask
