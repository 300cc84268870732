"""Nodes of the demo_photos pipeline."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from car_segmentation.data.demo_cars import VIEWS, DemoCar, car_id, draw_car, render_view
from car_segmentation.parameters import DemoPhotos

Pictures = dict[str, Callable[[], np.ndarray]]


def render_demo_photos(demo_photos: dict[str, Any], seed: int) -> tuple[Pictures, Pictures]:
    """Render simple cars on a turntable and their exact masks, 16 views of each car."""
    settings = DemoPhotos(**demo_photos)
    photos: Pictures = {}
    masks: Pictures = {}
    for index in range(settings.cars):
        car = draw_car(seed, index)
        for view in range(1, VIEWS + 1):
            name = f"{car_id(seed, index)}_{view:02d}"
            render = partial(_render, car, view, settings, seed)
            photos[name] = partial(render, part=0)
            masks[f"{name}_mask"] = partial(render, part=1)
    return photos, masks


def _render(car: DemoCar, view: int, settings: DemoPhotos, seed: int, part: int) -> np.ndarray:
    """One view of a car: part 0 is the photo, part 1 the mask."""
    return render_view(car, view, settings.height, settings.width, seed)[part]
