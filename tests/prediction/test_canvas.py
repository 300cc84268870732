"""Places of objects on their canvases, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import CanvasOptions
from car_segmentation.prediction.canvas import Box, box_of, lay_on_canvas, plan_canvas

RED = (200, 30, 10, 255)


def cut_out_of(box: Box, height: int, width: int) -> np.ndarray:
    picture = np.zeros((height, width, 4), np.uint8)
    picture[box.top : box.top + box.height, box.left : box.left + box.width] = RED
    return picture


def seen(picture: np.ndarray) -> Box:
    return box_of(picture[..., 3] > 127)


def test_a_fixed_size_is_filled_up_to_its_margins() -> None:
    box = Box(10, 5, 40, 20)
    options = CanvasOptions(width=100, height=100, margin=0.1)
    canvas = plan_canvas([box], options)
    # 80 pixels are free across, 80 down: the width decides, 40 becomes 80.
    assert (canvas.width, canvas.height, canvas.scale) == (100, 100, 2.0)
    laid = lay_on_canvas(cut_out_of(box, 60, 70), box, canvas)
    assert laid.shape == (100, 100, 4)
    assert seen(laid) == (10, 30, 80, 40)
    on_floor = plan_canvas([box], CanvasOptions(width=100, height=100, margin=0.1, align="floor"))
    assert seen(lay_on_canvas(cut_out_of(box, 60, 70), box, on_floor)) == (10, 50, 80, 40)


def test_a_large_thing_is_made_smaller() -> None:
    box = Box(0, 100, 400, 200)
    canvas = plan_canvas([box], CanvasOptions(width=50, height=40, margin=0.125))
    assert canvas.scale == pytest.approx(0.1)  # 40 pixels are free across.
    laid = lay_on_canvas(cut_out_of(box, 400, 400), box, canvas)
    assert seen(laid) == (5, 10, 40, 20)
    assert laid[20, 25].tolist() == list(RED)


def test_views_of_a_car_have_one_scale_and_one_floor() -> None:
    views = [Box(10, 40, 95, 30), Box(40, 30, 30, 40)]
    options = CanvasOptions(width=200, height=100, margin=0.05, align="floor")
    canvas = plan_canvas(views, options)
    # 190 across for 95 pixels, 90 down for 40: the width decides.
    assert canvas.scale == 2.0
    laid = [seen(lay_on_canvas(cut_out_of(view, 100, 110), view, canvas)) for view in views]
    assert [(box.width, box.height) for box in laid] == [(190, 60), (60, 80)]
    assert [box.top + box.height for box in laid] == [95, 95]


def test_without_a_size_pixels_stay_as_they_are() -> None:
    box = Box(3, 7, 60, 30)
    picture = cut_out_of(box, 50, 80)
    picture[7:37, 3:63, :3] = np.random.default_rng(0).integers(0, 256, (30, 60, 3))
    square = plan_canvas([box], CanvasOptions(proportion=1, margin=0.1))
    # 60 pixels are eight tenths of 75.
    assert (square.width, square.height, square.scale) == (75, 75, 1.0)
    laid = lay_on_canvas(picture, box, square)
    left, top, width, height = seen(laid)
    assert (width, height) == (60, 30)
    assert np.array_equal(laid[top : top + 30, left : left + 60], picture[7:37, 3:63])
    cropped = plan_canvas([box], CanvasOptions(margin=0))
    assert (cropped.width, cropped.height) == (60, 30)
    assert np.array_equal(lay_on_canvas(picture, box, cropped), picture[7:37, 3:63])


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    proportion=st.floats(0.1, 10),
    margin=st.floats(0, 0.4),
)
def test_a_canvas_of_a_proportion_has_it_and_room(
    width: int, height: int, proportion: float, margin: float
) -> None:
    canvas = plan_canvas(
        [Box(0, 0, width, height)], CanvasOptions(proportion=proportion, margin=margin)
    )
    assert canvas.width >= width and canvas.height >= height
    # Each side is rounded up by less than a pixel, and down by at most a tenth.
    assert canvas.width / proportion < canvas.height + 1 + 1.2 / proportion
    assert canvas.height * proportion < canvas.width + 1 + 1.2 * proportion


def test_a_shadow_comes_along_and_fades_before_the_border() -> None:
    box = Box(20, 20, 20, 10)
    picture = cut_out_of(box, 60, 60)
    picture[30:40, 10:50] = (0, 0, 0, 128)
    canvas = plan_canvas([box], CanvasOptions(width=36, height=26, margin=4 / 13))
    assert canvas.scale == 1.0
    laid = lay_on_canvas(picture, box, canvas)
    # The box stands on row 18; the shadow fades over the eight rows below it.
    expected = [128 * t * t * (3 - 2 * t) for t in (np.arange(8)[::-1] + 0.5) / 8]
    assert np.abs(laid[18:, 18, 3] - expected).max() <= 0.5
    assert laid[20, :, 3].tolist() == laid[20, ::-1, 3].tolist()
    assert laid[8:18, 8:28].tolist() == [[list(RED)] * 20] * 10
    assert not laid[laid[..., 3] == 0].any()


@pytest.mark.parametrize("scale", [0.37, 2.6])
def test_colours_of_clear_pixels_do_not_shine_through(scale: float) -> None:
    picture = cut_out_of(Box(10, 10, 30, 30), 50, 50)
    picture[picture[..., 3] == 0, :3] = 255  # As nothing writes, but others may.
    box = Box(10, 10, 30, 30)
    size = round(50 * scale)
    canvas = plan_canvas([box], CanvasOptions(width=size, height=size, margin=0.2))
    laid = lay_on_canvas(picture, box, canvas).astype(int)
    edge = (laid[..., 3] > 20) & (laid[..., 3] < 250)
    assert np.abs(laid[laid[..., 3] > 20][:, :3] - RED[:3]).max() <= 2
    assert edge.any() or scale > 1


def test_nothing_found_is_an_empty_canvas() -> None:
    nothing = box_of(np.zeros((20, 30), bool))
    assert nothing == (0, 0, 0, 0)
    canvas = plan_canvas([nothing], CanvasOptions(width=40, height=30))
    assert not lay_on_canvas(np.zeros((20, 30, 4), np.uint8), nothing, canvas).any()


def test_a_canvas_that_would_be_huge_is_refused() -> None:
    with pytest.raises(UserError, match="A canvas of 100000×10000 pixels is too large"):
        plan_canvas([Box(0, 0, 100, 10_000)], CanvasOptions(proportion=10, margin=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 100}, "both width and height, or neither"),
        ({"width": 100, "height": 50, "proportion": 2}, "or a proportion, not both"),
        ({"margin": 0.5}, "less than or equal to 0.4"),
        ({"align": "top"}, "'centre' or 'floor'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CanvasOptions(**options)
