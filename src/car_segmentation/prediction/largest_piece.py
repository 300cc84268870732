"""Only the largest piece of what was found: people have one thing before the camera."""

import cv2
import numpy as np

SOFT_EDGE = 5
"""Pixels around a smaller piece that go with it, for cut-outs have soft edges."""


def keep_largest_piece(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Forget what was found but for its largest connected piece.

    Args:
        probability: float32 (height, width), 0 to 1.
        threshold: Probability from which a pixel is car.

    Returns:
        The probability, 0 on all pieces of the mask but the largest, and close round them.
    """
    mask = (probability >= threshold).astype(np.uint8)
    pieces, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if pieces <= 2:  # The background is one.
        return probability
    largest = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    others = (mask.astype(bool) & ~largest).astype(np.uint8)
    around = np.ones((2 * SOFT_EDGE + 1, 2 * SOFT_EDGE + 1), np.uint8)
    forgotten = (cv2.dilate(others, around) > 0) & (cv2.dilate(largest.view(np.uint8), around) == 0)
    return np.where(forgotten | (others > 0), np.float32(0), probability)
