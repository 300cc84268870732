"""The files that inference writes for each photo: mask, probability map, cut-out, composite."""

import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file
from car_segmentation.core.name_patterns import without_extension
from car_segmentation.data.encoding import encode_picture
from car_segmentation.data.images import read_photo
from car_segmentation.prediction.composites import Backdrop, composite
from car_segmentation.prediction.cutouts import cut_out
from car_segmentation.prediction.shadow import lay_on_shadow, shadow_of

MASKS, PROBABILITY_MAPS = "masks", "probability_maps"
CUT_OUTS, COMPOSITES = "cut_outs", "composites"
CANVASES = "canvases"
FOLDERS = (MASKS, PROBABILITY_MAPS, CUT_OUTS, COMPOSITES, CANVASES)

PROBABILITY_STEPS = 65535
"""Levels of a probability map, which has 16 bits."""
ENDS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}
"""Last bytes of a complete picture."""


@dataclass(frozen=True)
class PhotoFiles:
    """Files written for each photo, and their places.

    Attributes:
        folder: The folder of all predictions.
        outputs: Those of `FOLDERS` in which each photo gets a file; not `CANVASES`, which
            `canvas_files` fills.
        backdrop: What `COMPOSITES` are laid on; None where there are none.
        shadow: Whether cut-outs and composites keep the shadow.
    """

    folder: Path
    outputs: Sequence[str] = (MASKS,)
    backdrop: Backdrop | None = None
    shadow: bool = False

    def exist(self, name: str) -> bool:
        """True if a photo has all its files, with their ends: a power cut may take those away."""
        return all(
            _has_its_end(output_file(self.folder, output, name, self.backdrop))
            for output in self.outputs
        )

    def write(
        self, photo: Path, name: str, probability: np.ndarray, mask: np.ndarray, threshold: float
    ) -> None:
        """Write the files of a photo.

        Args:
            photo: Its file.
            name: What it is called: its path in the folder of photos.
            probability: float32 (height, width), 0 to 1, at native size.
            mask: bool (height, width), True where the probability reaches the threshold.
            threshold: Probability from which a pixel is car.

        Raises:
            UnusableImage: If the photo is needed once more, and cannot be read any more.
        """

        @cache
        def car() -> np.ndarray:
            # Decoded again, because photos that wait at native size would cost memory.
            return cut_out_with(read_photo(photo), probability, threshold, self.shadow)

        def on_backdrop() -> np.ndarray:
            if self.backdrop is None:
                raise ValueError("composites need a backdrop")
            return composite(car(), self.backdrop.behind(*probability.shape))

        pictures: dict[str, Callable[[], np.ndarray]] = {
            MASKS: lambda: mask.view(np.uint8) * np.uint8(255),
            PROBABILITY_MAPS: lambda: np.rint(probability * PROBABILITY_STEPS).astype(np.uint16),
            CUT_OUTS: car,
            COMPOSITES: on_backdrop,
        }
        for output in self.outputs:
            path = output_file(self.folder, output, name, self.backdrop)
            write_picture(path, pictures[output]())


def _has_its_end(picture: Path) -> bool:
    end = ENDS[picture.suffix]
    try:
        with picture.open("rb") as file:
            file.seek(-len(end), os.SEEK_END)
            return file.read() == end
    except OSError:  # Also where the file is shorter than that.
        return False


def cut_out_with(
    photo: np.ndarray, probability: np.ndarray, threshold: float, shadow: bool
) -> np.ndarray:
    """See `cut_out`; with its shadow under it, if that is asked for."""
    picture = cut_out(photo, probability, threshold)
    if not shadow:
        return picture
    return lay_on_shadow(picture, shadow_of(photo, probability >= threshold))


def output_file(folder: Path, output: str, photo: str, backdrop: Backdrop | None = None) -> Path:
    """Where an output, `MASKS` say, of a photo, given by its name, is."""
    on_backdrop = output in {COMPOSITES, CANVASES}
    suffix = backdrop.suffix if backdrop is not None and on_backdrop else ".png"
    return folder / output / f"{without_extension(photo)}{suffix}"


def read_probability_map(path: Path) -> np.ndarray | None:
    """Read a probability map that `PhotoFiles` wrote: float32 (height, width), 0 to 1.

    Returns:
        None if there is none.

    Raises:
        UserError: If the file is damaged.
    """
    if not path.is_file():
        return None
    content = np.fromfile(path, np.uint8)
    levels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if levels is None or levels.dtype != np.uint16 or levels.ndim != 2:
        raise UserError(
            f"{path} is not a probability map of 16 bits, or is damaged: delete it, and run the "
            "inference again."
        )
    return levels.astype(np.float32) / PROBABILITY_STEPS


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write what `encode_picture` takes in the format of the file's extension."""
    # Of a cluster, two workers may have the same photo: one that seemed dead, and another.
    with atomic_file(path, writer=uuid.uuid4().hex[:8]) as part:
        part.write_bytes(encode_picture(image, path.suffix))
