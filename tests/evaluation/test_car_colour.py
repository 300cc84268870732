import itertools

import numpy as np
import pandas as pd
import pytest
import skimage.color

from car_segmentation.evaluation.car_colour import CarColour, colour_of_cars, measure_colour
from tests.support.photos import disc_mask

DISC = disc_mask(96, 128, 40)


def disc_of(colour: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """A photo of a disc of one paint, with noise and dark windows and wheels; uint8 RGB."""
    photo = np.full((*DISC.shape, 3), 225)
    photo[DISC] = colour
    rows = np.arange(len(DISC))
    glass_and_tyres = DISC & ((rows < 28) | (rows > 70))[:, np.newaxis]  # The disc: 8 to 88.
    photo[glass_and_tyres] = 20
    noise = np.random.default_rng(seed).normal(0, 4, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((235, 235, 232), "white"),
        ((190, 192, 195), "silver"),
        ((110, 112, 115), "grey"),
        ((25, 25, 28), "black"),
        ((150, 25, 35), "red"),
        ((60, 10, 20), "red"),
        ((30, 60, 160), "blue"),
        ((20, 25, 70), "blue"),
        ((40, 80, 40), "green"),
        ((235, 200, 30), "yellow"),
        ((230, 110, 20), "orange"),
        ((215, 200, 165), "beige"),
        ((95, 75, 50), "brown"),
        ((90, 40, 120), "purple"),
    ],
)
def test_rendered_discs(colour: tuple[int, int, int], name: str) -> None:
    paint = measure_colour(disc_of(colour), DISC)
    assert paint is not None and paint.name == name


def test_numbers_agree_with_scikit_image() -> None:
    colour = (150, 25, 35)
    photo = np.full((*DISC.shape, 3), colour, np.uint8)
    paint = measure_colour(photo, DISC)
    lab = skimage.color.rgb2lab(np.array([[colour]], np.uint8))[0, 0]
    assert paint is not None
    assert (paint.lightness, paint.red, paint.yellow) == pytest.approx(lab, abs=0.5)
    assert paint.coloured_fraction == 1


def test_the_size_of_the_photo_does_not_matter() -> None:
    photo = disc_of((30, 60, 160))
    large, large_mask = (
        np.kron(array, block)
        for array, block in (
            (photo, np.ones((15, 15, 1), np.uint8)),
            (DISC, np.ones((15, 15), bool)),
        )
    )
    small, same = measure_colour(photo, DISC), measure_colour(large, large_mask)
    assert small is not None and same is not None
    assert same.lightness == pytest.approx(small.lightness, abs=2)
    assert same.name == "blue"


def test_no_car_has_no_colour() -> None:
    photo = disc_of((30, 60, 160))
    thin = np.zeros_like(DISC)
    thin[50] = True
    assert measure_colour(photo, np.zeros_like(DISC)) is None
    assert measure_colour(photo, thin) is None


def test_a_car_is_named_by_the_medians_of_its_views() -> None:
    nan = float("nan")
    colours = pd.DataFrame(
        [
            ("a", 80.0, 0.0, 0.0, 0.0),  # Silver,
            ("a", 82.0, 0.0, 0.0, 0.0),
            ("a", 99.0, 0.0, 0.0, 0.0),  # though white in one view.
            ("b", 30.0, 0.6, 2.0, -15.0),
            ("b", nan, nan, nan, nan),
            ("c", nan, nan, nan, nan),
        ],
        columns=["car", *CarColour.__dataclass_fields__],
    )
    assert colour_of_cars(colours).to_dict() == {"a": "silver", "b": "blue", "c": "unknown"}


def test_hues_meet_without_a_gap() -> None:
    angles = np.radians(np.arange(-180, 181))
    names = [CarColour(50, 1, 60 * np.cos(a), 60 * np.sin(a)).name for a in angles]
    assert set(names) == {"red", "orange", "yellow", "green", "blue", "purple"}
    changes = sum(first != second for first, second in itertools.pairwise(names))
    assert changes == 6
