import numpy as np

from car_segmentation.report.colours import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from car_segmentation.report.error_maps import (
    DIMMED,
    TINT,
    error_map,
    error_thumbnail,
    legend,
    outlined,
)
from tests.support.photos import disc_mask, photo_of


def test_the_posts_colours() -> None:
    photo = np.full((1, 4, 3), 100, np.uint8)
    predicted = np.array([[True, True, False, False]])
    truth = np.array([[True, False, True, False]])
    picture = error_map(photo, predicted, truth)[0]
    tinted = (1 - TINT) * 100 * DIMMED + TINT * np.array(TRUE_POSITIVE)
    assert np.abs(picture[0] - tinted).max() <= 1
    assert tuple(picture[1]) == FALSE_POSITIVE
    assert tuple(picture[2]) == FALSE_NEGATIVE
    assert (picture[3] == int(100 * DIMMED)).all()
    red, green, blue = range(3)
    assert np.argmax(FALSE_POSITIVE) == red
    assert np.argmax(TRUE_POSITIVE) == green
    assert np.argmax(FALSE_NEGATIVE) == blue


def test_the_photo_itself_is_left_alone() -> None:
    photo = photo_of(disc_mask())
    before = photo.copy()
    outlined(photo, disc_mask(), (255, 0, 0))
    error_map(photo, disc_mask(), disc_mask())
    assert np.array_equal(photo, before)


def test_the_legend_shows_every_colour() -> None:
    strip = legend(600)
    for colour in (FALSE_POSITIVE, TRUE_POSITIVE, FALSE_NEGATIVE):
        assert (strip == colour).all(axis=2).sum() > 100


def test_a_narrow_error_can_be_seen_on_a_thumbnail_where_shrinking_fades_it() -> None:
    photo = np.full((40, 60, 3), 100, np.uint8)
    truth = np.zeros((40, 60), bool)
    predicted = truth.copy()
    predicted[:, 4] = True  # Half of every pixel of column 2 of the thumbnail.
    thumbnail = error_thumbnail(photo, predicted, truth, width=30)
    assert thumbnail.shape == (20, 30, 3)
    assert (thumbnail[:, 2] == FALSE_POSITIVE).all()
    assert (np.delete(thumbnail, 2, axis=1) == int(100 * DIMMED)).all()
    missed = error_thumbnail(photo, truth, predicted, width=10)  # 1/6, three times as strong.
    half = 100 * DIMMED + (np.array(FALSE_NEGATIVE) - 100 * DIMMED) / 2
    assert np.abs(missed[:, 0] - half).max() <= 1
