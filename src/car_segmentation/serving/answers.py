"""From the bytes of a photo to the picture that is asked for, and what is to be said of it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.data.encoding import encode_picture
from car_segmentation.data.image_files import Limits
from car_segmentation.parameters import CanvasOptions
from car_segmentation.prediction.canvas import Box, box_of, lay_file_on_canvas, plan_canvas
from car_segmentation.prediction.composites import Backdrop, composite
from car_segmentation.prediction.largest_piece import keep_largest_piece
from car_segmentation.prediction.photo_files import cut_out_with
from car_segmentation.prediction.photo_record import expected_dice
from car_segmentation.serving.decoding import decode
from car_segmentation.serving.photo_model import PhotoModel
from car_segmentation.serving.picture_options import NO_OPTIONS, RequestOptions, Wanted
from car_segmentation.serving.problems import Problem


@dataclass(frozen=True)
class Answer:
    """The result of a photo.

    Attributes:
        png: Of the picture.
        height: Of the photo, upright, in pixels.
        width: Likewise.
        foreground_fraction: Of its pixels, 0 to 1.
        confidence: The Dice that the model expects of its mask, 0 to 1.
        warnings: What to look at.
        box: The object's box.
    """

    png: bytes
    height: int
    width: int
    foreground_fraction: float
    confidence: float
    warnings: tuple[str, ...]
    box: Box

    def as_dict(self) -> dict[str, Any]:
        """All of it but the picture, for JSON."""
        return {
            "width": self.width,
            "height": self.height,
            "foreground_fraction": round(self.foreground_fraction, 6),
            "confidence": round(self.confidence, 4),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Found:
    """Result of a model for a photo.

    Attributes:
        photo: uint8 RGB (height, width, 3).
        probability: float32 (height, width), 0 to 1.
        mask: bool (height, width).
    """

    photo: np.ndarray
    probability: np.ndarray
    mask: np.ndarray

    def mask_png(self) -> bytes:
        """The mask as a file, 8 bits, 0 or 255."""
        return encode_picture(self.mask.view(np.uint8) * np.uint8(255))


@dataclass(frozen=True)
class Asked:
    """Pictures that a request asks for.

    Attributes:
        wanted: A mask (PNG, 8 bits, 0 or 255) or a cut-out (PNG, RGBA).
        model: Predicts them.
        limits: Larger photos are refused before they are decoded.
        options: Of pictures.
    """

    wanted: Wanted
    model: PhotoModel
    limits: Limits
    options: RequestOptions = NO_OPTIONS

    def answer(self, content: bytes, unwanted: threading.Event) -> Answer:
        """Decode a photo, predict it and encode its picture, at native size.

        Args:
            content: An image file.
            unwanted: Ends the work between its steps when it is set.

        Raises:
            Problem: If the photo cannot be used.
        """
        found = self.find(content, unwanted)
        _stop_if(unwanted)
        return self.picture(found)

    def find(self, content: bytes, unwanted: threading.Event) -> Found:
        """Decode a photo and predict it: see `answer`."""
        photo = decode(content, self.limits)
        _stop_if(unwanted)
        probability = self.model.probability(photo)
        threshold = self.model.identity.threshold
        if self.options.largest_piece:
            probability = keep_largest_piece(probability, threshold)
        return Found(photo, probability, probability >= threshold)

    def picture(self, found: Found) -> Answer:
        """Draw and encode the picture that is wanted."""
        mask = found.mask
        if self.wanted == "mask":
            png = found.mask_png()
        else:
            picture = cut_out_with(
                found.photo,
                found.probability,
                self.model.identity.threshold,
                self.options.shadow,
            )
            if self._backdrop is not None and not self.has_canvas:
                picture = composite(picture, self._backdrop.behind(*mask.shape))
            png = encode_picture(picture)
        return Answer(
            png=png,
            height=mask.shape[0],
            width=mask.shape[1],
            foreground_fraction=np.count_nonzero(mask) / mask.size,
            confidence=expected_dice(found.probability, mask),
            warnings=tuple(filter(None, self.model.warnings(mask).split("; "))),
            box=box_of(mask),
        )

    @property
    def has_canvas(self) -> bool:
        """True if `lay_out` has to follow."""
        return self.wanted == "cut_out" and self.options.canvas() is not None

    def lay_out(self, answer: Answer, boxes: Sequence[Box], unwanted: threading.Event) -> Answer:
        """Lay a cut-out on its canvas.

        Args:
            answer: Of a photo.
            boxes: The objects' boxes in all photos of the request.
            unwanted: As for `answer`.
        """
        options = self.options.canvas() or CanvasOptions()
        _stop_if(unwanted)
        try:
            canvas = plan_canvas(boxes if options.same_scale else [answer.box], options)
        except UserError as error:
            raise Problem(400, str(error)) from None
        picture = lay_file_on_canvas(answer.png, answer.box, canvas, self._backdrop)
        return replace(answer, png=encode_picture(picture))

    @cached_property
    def _backdrop(self) -> Backdrop | None:
        return self.options.backdrop(self.limits)


def _stop_if(unwanted: threading.Event) -> None:
    if unwanted.is_set():
        raise Problem(503, "The client has disconnected.")
