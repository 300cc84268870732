"""From the bytes of a photo to the picture that is asked for, and what is to be said of it."""

import threading
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from car_segmentation.data.image_files import Limits
from car_segmentation.prediction.composites import Backdrop, composite
from car_segmentation.prediction.cutouts import cut_out
from car_segmentation.prediction.photo_files import encode_picture
from car_segmentation.prediction.photo_record import expected_dice
from car_segmentation.serving.live_model import PhotoModel
from car_segmentation.serving.picture_options import NO_OPTIONS, PictureOptions, Wanted
from car_segmentation.serving.problems import Problem
from car_segmentation.serving.uploads import decode


@dataclass(frozen=True)
class Answer:
    """What became of a photo.

    Attributes:
        png: Of the picture.
        height: Of the photo, upright, in pixels.
        width: Likewise.
        foreground_fraction: Of its pixels, 0 to 1.
        confidence: The Dice that the model expects of its mask, 0 to 1.
        warnings: What to look at.
    """

    png: bytes
    height: int
    width: int
    foreground_fraction: float
    confidence: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What is wanted of photos.

    Attributes:
        wanted: A mask (PNG, 8 bits, 0 or 255) or a cut-out (PNG, RGBA), at the photo's native size.
        model: Predicts them.
        limits: Larger photos are refused before they are decoded.
        options: Of cut-outs.
    """

    wanted: Wanted
    model: PhotoModel
    limits: Limits
    options: PictureOptions = NO_OPTIONS

    def answer(self, content: bytes, unwanted: threading.Event) -> Answer:
        """Decode a photo, predict it and encode the picture.

        Args:
            content: An image file.
            unwanted: Ends the work between its steps when it is set.

        Raises:
            Problem: If the photo cannot be used.
        """
        photo = decode(content, self.limits)
        _stop_if(unwanted)
        probability = self.model.probability(photo)
        _stop_if(unwanted)
        threshold = self.model.identity.threshold
        mask = probability >= threshold
        if self.wanted == "mask":
            picture = mask.view(np.uint8) * np.uint8(255)
        else:
            picture = cut_out(photo, probability, threshold)
            if self._backdrop is not None:
                picture = composite(picture, self._backdrop.behind(*mask.shape))
        return Answer(
            png=encode_picture(picture),
            height=mask.shape[0],
            width=mask.shape[1],
            foreground_fraction=np.count_nonzero(mask) / mask.size,
            confidence=expected_dice(probability, mask),
            warnings=tuple(filter(None, self.model.warnings(mask).split("; "))),
        )

    @cached_property
    def _backdrop(self) -> Backdrop | None:
        return self.options.backdrop(self.limits)


def _stop_if(unwanted: threading.Event) -> None:
    if unwanted.is_set():
        raise Problem(503, "Nobody waits for this photo any more.")
