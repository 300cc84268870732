"""Masks as run lengths, in Kaggle's text format.

A run is a pixel's number and a length: pixels are numbered from 1, left to right and then down,
and ``3 2`` means the third pixel and the one after. An empty mask is an empty text.
"""

import numpy as np


def encode_runs(mask: np.ndarray) -> str:
    """Write a mask, bool (height, width), as run lengths.

    Example:
        >>> encode_runs(np.array([[False, False, True], [True, False, True]]))
        '3 2 6 1'
    """
    framed = np.zeros(mask.size + 2, dtype=bool)
    framed[1:-1] = mask.ravel()
    # Position k of the frame is pixel k, from 1: a change after k - 1 starts or ends a run at k.
    changes = np.flatnonzero(framed[1:] != framed[:-1]) + 1
    changes[1::2] -= changes[::2]
    return " ".join(map(str, changes.tolist()))


def decode_runs(runs: str, height: int, width: int) -> np.ndarray:
    """Read run lengths as a mask, bool (height, width).

    Raises:
        ValueError: If the text is not pairs of whole numbers, or a run is empty, overlaps the one
            before or leaves the mask.

    Example:
        >>> decode_runs("3 2 6 1", height=2, width=3).astype(int)
        array([[0, 0, 1],
               [1, 0, 1]])
    """
    numbers = np.array(runs.split(), dtype=np.int64)
    if numbers.size % 2:
        raise ValueError(f"run lengths come in pairs, and these are {numbers.size} numbers")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    ends = starts + lengths
    if (lengths < 1).any() or (starts[1:] < ends[:-1]).any():
        raise ValueError("each run must hold a pixel, and start after the end of the one before")
    if numbers.size and (starts[0] < 0 or ends[-1] > height * width):
        raise ValueError(f"runs must lie within pixels 1 to {height * width} ({height}×{width})")
    steps = np.zeros(height * width + 1, dtype=np.int8)
    steps[starts] = 1
    steps[ends] -= 1  # A run may start where the one before ends.
    return steps[:-1].cumsum(dtype=np.int8).view(bool).reshape(height, width)
