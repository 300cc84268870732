import numpy as np
import pandas as pd

from car_segmentation.report.contact_sheets import contact_sheet, drawn_at_random, photo_sheet


def test_a_contact_sheet_shows_every_picture() -> None:
    red, blue = (np.full((20, 30, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([[red, blue], [blue]], ["one", "two"], cell_width=60)
    assert (sheet == (255, 0, 0)).all(axis=2).sum() == 60 * 40
    assert (sheet == (0, 0, 255)).all(axis=2).sum() == 2 * 60 * 40


def test_a_sheet_of_photos_has_a_cell_for_each_whatever_its_shape() -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    pictures = [np.full((20, 40, 3), red, np.uint8), np.full((80, 40, 3), blue, np.uint8)] * 2
    sheet = photo_sheet(iter(pictures[:3]), ["one", "two", "three"], columns=2, cell_width=80)
    assert (sheet == red).all(axis=2).sum() == 2 * 80 * 40
    assert (sheet == blue).all(axis=2).sum() == 80 * 160
    assert (sheet[-45:, 90:] == 255).all()  # Where the fourth would be.


def test_long_captions_are_whole_and_pictures_stay_level() -> None:
    red = np.full((20, 40, 3), (255, 0, 0), np.uint8)
    long = "a reason in so many words that one line under a picture cannot hold them " * 3
    short, tall = (
        photo_sheet([red, red], ["one", caption], columns=2, cell_width=80)
        for caption in ("two", long)
    )
    assert tall.shape[0] > short.shape[0] + 100 and tall.shape[1] == short.shape[1]
    rows = np.flatnonzero((tall == (255, 0, 0)).all(axis=2).any(axis=1))
    assert len(rows) == 40  # Both pictures are in the same rows.


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
