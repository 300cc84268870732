import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from car_segmentation.data.boxes import Box
from car_segmentation.report.colours import FALSE_NEGATIVE, FALSE_POSITIVE, Colour
from car_segmentation.report.enlarged_places import PLACE, place_size, worst_places
from car_segmentation.report.error_panels import PANEL_WIDTH, change_panel, error_panel
from car_segmentation.report.label_error_pictures import MODEL, doubted_place
from tests.support.photos import disc_mask, photo_of

FRAME = (96, 128)
ZOOM = 16
"""How far places of photos of this size are enlarged."""


def blank() -> np.ndarray:
    return np.zeros(FRAME, bool)


def with_block(mask: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    mask = mask.copy()
    mask[top : top + side, left : left + side] = True
    return mask


def count(picture: np.ndarray, colour: Colour) -> int:
    return int((picture == colour).all(axis=2).sum())


class TestWorstPlaces:
    def test_the_error_is_in_the_middle_of_its_box(self) -> None:
        (box,) = worst_places(with_block(blank(), 40, 60, 4), blank(), 3, (12, 16))
        assert (box.height, box.width) == (12, 16)
        assert abs(box.top + 6 - 42) <= 1
        assert abs(box.left + 8 - 62) <= 1

    def test_more_wrong_pixels_come_first_missed_or_invented(self) -> None:
        predicted = with_block(blank(), 10, 10, 3)
        truth = with_block(blank(), 70, 100, 6)
        first, second = worst_places(predicted, truth, 2, (12, 16))
        assert np.count_nonzero(first.of(truth)) == 36
        assert np.count_nonzero(second.of(predicted)) == 9
        assert worst_places(predicted, truth, 1, (12, 16)) == [first]

    def test_at_the_frame_the_box_stays_inside(self) -> None:
        predicted = with_block(with_block(blank(), 0, 0, 2), 94, 126, 2)
        boxes = worst_places(predicted, blank(), 5, (12, 16))
        assert {(box.top, box.left) for box in boxes} == {(0, 0), (84, 112)}

    def test_nothing_wrong_no_place(self) -> None:
        assert worst_places(disc_mask(), disc_mask(), 3, (12, 16)) == []

    def test_a_photo_smaller_than_a_place_is_one(self) -> None:
        truth = np.eye(5, 7, dtype=bool)
        assert worst_places(np.zeros_like(truth), truth, 3, (12, 16)) == [Box(0, 0, 5, 7)]

    @settings(max_examples=50, deadline=None)
    @given(
        wrong=arrays(bool, (24, 31)),
        size=st.tuples(st.integers(1, 30), st.integers(1, 40)),
    )
    def test_boxes_lie_apart_in_the_frame_and_hold_errors(self, wrong, size) -> None:
        boxes = worst_places(wrong, np.zeros_like(wrong), 4, size)
        covered = np.zeros(wrong.shape, int)
        for box in boxes:
            assert box.of(wrong).shape == (min(size[0], 24), min(size[1], 31))
            assert box.of(wrong).any()
            box.of(covered)[:] += 1
        assert covered.max() <= 1


def test_places_grow_with_the_photo_and_fill_their_cell() -> None:
    assert place_size(1918) == (180, 240)  # Enlarged twice.
    assert place_size(480) == (45, 60)  # Eight times.
    assert place_size(10) == (22, 30)  # Sixteen times, and no more.
    assert place_size(8000) == (360, 480)  # Not enlarged.


def test_the_worst_place_is_enlarged_pixel_by_pixel() -> None:
    truth = with_block(blank(), 20, 30, 50)
    predicted = with_block(truth, 10, 100, 4)
    photo = np.full((*FRAME, 3), 200, np.uint8)
    without = error_panel(photo, truth, predicted, "caption", places=0)
    one = error_panel(photo, truth, predicted, "caption", places=1)
    assert count(one, FALSE_POSITIVE) - count(without, FALSE_POSITIVE) == 4 * 4 * ZOOM**2
    assert count(one, FALSE_NEGATIVE) == count(without, FALSE_NEGATIVE)  # The key's square alone.


def test_a_dark_place_is_shown_brighter_and_a_light_one_is_not() -> None:
    predicted = with_block(blank(), 40, 60, 4)
    for level, shown in ((20, 6 * 20), (90, 2 * 90), (150, 150)):
        photo = np.full((*FRAME, 3), level, np.uint8)
        with_place = error_panel(photo, blank(), predicted, "caption", places=1)
        without = error_panel(photo, blank(), predicted, "caption", places=0)
        added = count(with_place, (shown,) * 3) - count(without, (shown,) * 3)
        assert added > 0.8 * 22 * 30 * ZOOM**2


@pytest.mark.parametrize("shape", [FRAME, (128, 96), (8, 300), (300, 8), (3, 4)])
@pytest.mark.parametrize("empty", [True, False])
def test_panels_of_every_shape(shape: tuple[int, int], empty: bool) -> None:
    truth = disc_mask(*shape, radius=30)
    predicted = np.zeros_like(truth) if empty else truth
    photo = photo_of(truth)
    for picture in (
        error_panel(photo, truth, predicted, "a caption " * 50),
        change_panel(photo, truth, predicted, truth, "caption"),
    ):
        assert picture.dtype == np.uint8
        assert picture.shape[1:] == (PANEL_WIDTH, 3)


def test_a_change_shows_both_errors_where_they_differ_most() -> None:
    truth = with_block(blank(), 20, 30, 50)
    before = with_block(truth, 10, 100, 4)
    after = truth.copy()
    after[60:63, 40:43] = False
    photo = np.full((*FRAME, 3), 200, np.uint8)
    shown = [change_panel(photo, truth, before, after, "caption", places=n) for n in range(3)]
    red, blue = (
        [count(picture, colour) for picture in shown] for colour in (FALSE_POSITIVE, FALSE_NEGATIVE)
    )
    assert np.diff(red).tolist() == [4 * 4 * ZOOM**2, 0]
    assert np.diff(blue).tolist() == [0, 3 * 3 * ZOOM**2]


def test_the_photo_itself_is_left_alone() -> None:
    photo = photo_of(disc_mask())
    before = photo.copy()
    error_panel(photo, disc_mask(), disc_mask(radius=10), "caption")
    change_panel(photo, disc_mask(), disc_mask(radius=10), disc_mask(radius=20), "caption")
    assert np.array_equal(photo, before)


def test_a_doubted_place_shows_both_outlines() -> None:
    truth, predicted = disc_mask(240, 320, 60), disc_mask(240, 320, 40)
    photo = np.full((240, 320, 3), 90, np.uint8)
    picture = doubted_place(photo, truth, predicted, Box(60, 100, 180, 220), width=320)
    assert picture.shape == (240, 320, 3)
    for colour in (PLACE, MODEL):
        assert (picture == colour).all(axis=2).any()


@pytest.mark.parametrize("box", [Box(0, 0, 4, 4), Box(230, 310, 240, 320), Box(0, 0, 240, 320)])
def test_a_doubted_place_at_the_frame_stays_in_the_photo(box: Box) -> None:
    predicted = np.zeros((240, 320), bool)
    predicted[box.top : box.bottom, box.left : box.right] = True
    photo = np.full((240, 320, 3), 90, np.uint8)
    picture = doubted_place(photo, ~predicted, predicted, box, width=320)
    assert picture.shape == (240, 320, 3)
    assert (picture == MODEL).all(axis=2).any()
