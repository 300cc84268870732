"""Composites: a cut-out laid on a colour or on another picture."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import ImageColor

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file
from car_segmentation.data.boxes import Box
from car_segmentation.data.image_files import Limits, UnusableImage, open_image

NOTE_FILE = ".backdrop"
"""In a folder of pictures: what they were made with."""


@dataclass(frozen=True)
class Backdrop:
    """Backdrop of composites.

    Attributes:
        picture: uint8 RGB (height, width, 3); a single pixel for a colour.
        suffix: Of the composites' files.
    """

    picture: np.ndarray
    suffix: Literal[".jpg", ".png"] = ".jpg"

    def behind(self, height: int, width: int) -> np.ndarray:
        """Fit the backdrop to a photo's size; uint8 RGB (height, width, 3).

        A picture is scaled until it covers the photo, and its middle is kept.
        """
        own_height, own_width = self.picture.shape[:2]
        if own_height == own_width == 1:
            return np.broadcast_to(self.picture, (height, width, 3))
        scale = max(height / own_height, width / own_width)
        # What is not kept is cut off first, for a small part may be all of a long picture.
        kept_height = min(own_height, max(1, round(height / scale)))
        kept_width = min(own_width, max(1, round(width / scale)))
        top, left = (own_height - kept_height) // 2, (own_width - kept_width) // 2
        kept = self.picture[top : top + kept_height, left : left + kept_width]
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        return cv2.resize(kept, (width, height), interpolation=interpolation)

    def digest(self) -> str:
        """Tells composites on this backdrop from those on another one."""
        content = f"{self.picture.shape} {self.suffix}".encode() + self.picture.tobytes()
        return hashlib.blake2b(content, digest_size=16).hexdigest()


def read_backdrop(
    description: str, suffix: Literal[".jpg", ".png"], max_megapixels: float = float("inf")
) -> Backdrop:
    """Read a backdrop: a colour as for `parse_colour`, or the path of a picture.

    Raises:
        UserError: If it is neither, or the picture cannot be used.
    """
    if description.startswith("#") or description.lower() in ImageColor.colormap:
        colour = parse_colour(description, "inference.composites")
        return Backdrop(np.array([[colour]], np.uint8), suffix)
    path = Path(description)
    if not path.is_file():
        raise UserError(
            f"inference.composites is '{description}', and there is no such picture. Give the path "
            "of one, or a colour such as white or '#ffffff'."
        )
    try:
        return Backdrop(open_image(path, Limits(max_megapixels)).rgb(), suffix)
    except UnusableImage as problem:
        raise UserError(f"inference.composites: {path} {problem}.") from None


def parse_colour(text: str, name: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of ``#rrggbb`` in hexadecimal digits or a colour's CSS name.

    Args:
        text: The colour.
        name: Of the option, for the message.

    Raises:
        UserError: If it is not a colour.
    """
    if re.fullmatch("#[0-9a-fA-F]{6}", text):
        red, green, blue = bytes.fromhex(text[1:])
        return red, green, blue
    if text.lower() in ImageColor.colormap:
        return ImageColor.getrgb(text)[:3]
    raise UserError(
        f"{name} is '{text[:40]}', which is not a valid colour: write six hexadecimal digits after "
        "the #, such as '#ffffff' for white, or a name such as white."
    )


def composite(picture: np.ndarray, backdrop: np.ndarray) -> np.ndarray:
    """Lay a cut-out on a backdrop.

    Args:
        picture: uint8 RGBA (height, width, 4), alpha not premultiplied.
        backdrop: uint8 RGB (height, width, 3).

    Returns:
        uint8 RGB (height, width, 3): colours mixed by alpha as they are stored, as browsers do.
    """
    result = backdrop.copy()
    seen = Box.around(picture[..., 3] > 0).slices
    # 255 · 255 and half of 255 fit into 16 bits.
    alpha = picture[seen][..., 3:].astype(np.uint16)
    mixed = picture[seen][..., :3] * alpha + backdrop[seen] * (255 - alpha)
    result[seen] = (mixed + 127) // 255
    return result


def clear_if_other(folder: Path, made_with: str, unless_noted: str | None = None) -> None:
    """Delete pictures that a folder has by other options, so that they are made again.

    Args:
        folder: The folder, which keeps a note of its options.
        made_with: The options, in ASCII.
        unless_noted: Options of a folder without a note; None: it has none that count.
    """
    note = folder / NOTE_FILE
    noted = note.read_text(encoding="ascii") if note.is_file() else unless_noted
    if noted == made_with:
        return
    # Without a note there are none; but another part of the folder may be making the first ones.
    for suffix in (".jpg", ".png") if noted is not None else ():
        for file in folder.rglob(f"*{suffix}"):
            file.unlink()
    with atomic_file(note) as part:
        part.write_text(made_with, encoding="ascii")
