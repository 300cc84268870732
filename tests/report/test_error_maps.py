import numpy as np
import pandas as pd

from car_segmentation.report.error_maps import (
    DIMMED,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TINT,
    TRUE_POSITIVE,
    contact_sheet,
    drawn_at_random,
    error_map,
    error_thumbnail,
    legend,
    outlined,
    photo_sheet,
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


def test_a_contact_sheet_shows_every_picture() -> None:
    red, blue = (np.full((20, 30, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([[red, blue], [blue]], ["one", "two"], cell_width=60)
    assert (sheet == (255, 0, 0)).all(axis=2).sum() == 60 * 40
    assert (sheet == (0, 0, 255)).all(axis=2).sum() == 2 * 60 * 40


def test_the_legend_shows_every_colour() -> None:
    strip = legend(600)
    for colour in (FALSE_POSITIVE, TRUE_POSITIVE, FALSE_NEGATIVE):
        assert (strip == colour).all(axis=2).sum() > 100


def test_a_sheet_of_photos_has_a_cell_for_each_whatever_its_shape() -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    pictures = [np.full((20, 40, 3), red, np.uint8), np.full((80, 40, 3), blue, np.uint8)] * 2
    sheet = photo_sheet(iter(pictures[:3]), ["one", "two", "three"], columns=2, cell_width=80)
    assert (sheet == red).all(axis=2).sum() == 2 * 80 * 40
    assert (sheet == blue).all(axis=2).sum() == 80 * 160
    assert (sheet[-45:, 90:] == 255).all()  # Where the fourth would be.


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


def test_a_random_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    scores = pd.DataFrame(
        {"photo_id": [f"{number:02d}" for number in range(50)], "dice": np.linspace(1, 0.9, 50)}
    )
    drawn = drawn_at_random(scores, 10, seed=1)
    assert drawn["photo_id"].nunique() == 10
    assert drawn["dice"].is_monotonic_increasing
    assert drawn.equals(drawn_at_random(scores[::-1], 10, seed=1))
    assert not drawn.equals(drawn_at_random(scores, 10, seed=2))
    assert len(drawn_at_random(scores, 100, seed=1)) == 50


def test_every_photo_is_as_likely_to_be_drawn() -> None:
    scores = pd.DataFrame({"photo_id": list("abcde"), "dice": [0.1, 0.2, 0.3, 0.4, 0.5]})
    draws = pd.concat([drawn_at_random(scores, 2, seed) for seed in range(200)])
    # Each photo is in 2 of 5 draws: 80, with a standard deviation of 7.
    assert draws["photo_id"].value_counts().between(80 - 28, 80 + 28).all()
