import numpy as np
import pandas as pd

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import resize_by_area
from car_segmentation.evaluation.upper_bound import upper_bound
from tests.support.photos import disc_mask

TRUTH = disc_mask()


def test_the_upper_bound_of_the_native_size_is_perfect(two_photos: pd.DataFrame) -> None:
    soft = ImageStack(("a", "b"), np.stack([TRUTH, TRUTH]).astype(np.uint8) * np.uint8(255))
    assert upper_bound(soft, two_photos) == {"photos": 2, "dice_mean": 1, "edge_error_px": 0}


def test_the_upper_bound_cuts_at_pixels_that_are_covered_by_half(two_photos: pd.DataFrame) -> None:
    soft = np.where(TRUTH, 128, 127).astype(np.uint8)
    assert upper_bound(ImageStack(("a", "b"), np.stack([soft, soft])), two_photos)["dice_mean"] == 1


def test_the_upper_bound_falls_with_the_size(two_photos: pd.DataFrame) -> None:
    def dice_at(factor: int) -> float:
        height, width = (side // factor for side in TRUTH.shape)
        small = resize_by_area(TRUTH.astype(np.uint8) * np.uint8(255), height, width)
        return upper_bound(ImageStack(("a", "b"), np.stack([small, small])), two_photos)[
            "dice_mean"
        ]

    assert 1 > dice_at(2) > dice_at(4) > dice_at(8) > 0.8
