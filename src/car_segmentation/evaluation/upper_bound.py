"""Upper bound of the scores: the best that are possible at a network's input size."""

from dataclasses import replace

import pandas as pd

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.evaluation.photo_scores import measure_photos, score_photo

HALF_COVERED = 255 / 2
"""Where a soft mask (uint8) is cut: at pixels that the car covers by half."""


def upper_bound(soft_masks: ImageStack, photo_table: pd.DataFrame) -> dict[str, float]:
    """Score a perfect predictor that sees photos as small as the network does.

    It knows, for each of the network's pixels, what fraction of it the car covers; nobody could
    know more at that size. These fractions are enlarged, cut at a half, and scored as predictions
    are.

    Args:
        soft_masks: The true masks as small as the network sees them, uint8 (height, width).
        photo_table: Columns ``photo_id``, ``car``, ``view`` and ``mask_path``, a row per photo.

    Returns:
        The ``photos``, and the means ``dice_mean`` and ``edge_error_px`` over them.
    """
    pixels = soft_masks.pixels if soft_masks.pixels.ndim == 3 else soft_masks.pixels[..., 0]
    results = measure_photos(
        score_photo,
        replace(soft_masks, pixels=pixels, folder=None),
        photo_table,
        HALF_COVERED,
        "score a perfect predictor",
    )
    scores = pd.DataFrame(results)
    return {
        "photos": len(scores),
        "dice_mean": float(scores["dice"].mean()),
        "edge_error_px": float(scores["edge_error_px"].mean()),
    }
