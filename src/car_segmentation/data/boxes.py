"""Rectangles of photos and masks."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels: rows from ``top`` to ``bottom``, columns from ``left`` to ``right``.

    Bottom and right are exclusive.
    """

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def around(cls, mask: np.ndarray, margin: int = 0) -> Self:
        """The smallest box that holds a mask, with a margin, within the frame.

        Args:
            mask: bool (height, width).
            margin: Pixels on each side.

        Returns:
            The box; all of the frame where the mask is empty.

        Example:
            >>> Box.around(np.array([[0, 0, 0, 0], [0, 0, 1, 1]], bool))
            Box(top=1, left=2, bottom=2, right=4)
        """
        frame_height, frame_width = mask.shape
        left, top, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
        if not width:
            return cls(0, 0, frame_height, frame_width)
        return cls(
            max(top - margin, 0),
            max(left - margin, 0),
            min(top + height + margin, frame_height),
            min(left + width + margin, frame_width),
        )

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index an array with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def of(self, picture: np.ndarray) -> np.ndarray:
        """Crop a picture or mask to the box; a view, not a copy."""
        return picture[self.slices]
