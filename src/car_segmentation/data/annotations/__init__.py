"""Masks from what labelling tools export, and back into them.

`read_annotations` tells the format by content, `match_photos` finds the photo of each annotation,
and `Annotation.mask` draws one. `write_coco`, `write_labelme` and `write_label_studio` hand masks
to people.
"""

from car_segmentation.data.annotations.coco import write_coco
from car_segmentation.data.annotations.drawing import NOTHING_CUT_OUT, draw_mask, draw_masks
from car_segmentation.data.annotations.label_studio import labelling_interface, write_label_studio
from car_segmentation.data.annotations.labelme import write_labelme
from car_segmentation.data.annotations.matching import match_photos
from car_segmentation.data.annotations.predictions import PredictedMask
from car_segmentation.data.annotations.reading import read_annotations
from car_segmentation.data.annotations.regions import (
    BACKGROUND,
    FOREGROUND,
    IGNORED,
    Annotation,
    Choice,
    Label,
)

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "IGNORED",
    "NOTHING_CUT_OUT",
    "Annotation",
    "Choice",
    "Label",
    "PredictedMask",
    "draw_mask",
    "draw_masks",
    "labelling_interface",
    "match_photos",
    "read_annotations",
    "write_coco",
    "write_label_studio",
    "write_labelme",
]
