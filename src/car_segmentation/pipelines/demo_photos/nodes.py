"""Nodes of the demo_photos pipeline."""

from pathlib import Path
from typing import Any

from car_segmentation.core.files import atomic_folder
from car_segmentation.data.demo_cars import VIEWS, car_id, draw_car, render_view
from car_segmentation.data.encoding import encode_picture
from car_segmentation.parameters import DemoPhotos


def render_demo_photos(
    demo_photos: dict[str, Any], seed: int, demo_folder: Path
) -> tuple[Path, Path]:
    """Render simple cars on a turntable and their exact masks, 16 views of each car."""
    settings = DemoPhotos(**demo_photos)
    photos, masks = demo_folder / "train", demo_folder / "train_masks"
    with atomic_folder(photos) as photo_part, atomic_folder(masks) as mask_part:
        for index in range(settings.cars):
            car = draw_car(seed, index)
            for view in range(1, VIEWS + 1):
                name = f"{car_id(seed, index)}_{view:02d}"
                photo, mask = render_view(car, view, settings.height, settings.width, seed)
                (photo_part / f"{name}.jpg").write_bytes(encode_picture(photo, ".jpg"))
                (mask_part / f"{name}_mask.gif").write_bytes(encode_picture(mask, ".gif"))
    return photos, masks
