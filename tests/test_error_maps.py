import numpy as np

from car_segmentation.error_maps import (
    DIMMED,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TINT,
    TRUE_POSITIVE,
    contact_sheet,
    error_map,
    legend,
    outlined,
)
from tests.conftest import disc_mask, photo_of


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


def test_a_contact_sheet_shows_every_picture() -> None:
    red, blue = (np.full((20, 30, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([[red, blue], [blue]], ["one", "two"], cell_width=60)
    assert (sheet == (255, 0, 0)).all(axis=2).sum() == 60 * 40
    assert (sheet == (0, 0, 255)).all(axis=2).sum() == 2 * 60 * 40


def test_the_legend_shows_every_colour() -> None:
    strip = legend(600)
    for colour in (FALSE_POSITIVE, TRUE_POSITIVE, FALSE_NEGATIVE):
        assert (strip == colour).all(axis=2).sum() > 100
