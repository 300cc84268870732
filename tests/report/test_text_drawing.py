import numpy as np
import pytest

from car_segmentation.report.text_drawing import INK, shortened, text_width, write

WHITE = 255


def ink_of(picture: np.ndarray) -> np.ndarray:
    """Rows and columns of everything that is not white."""
    return np.argwhere((picture != WHITE).any(axis=2))


@pytest.mark.parametrize(("anchor", "left"), [("lm", 100), ("mm", 50), ("rm", 0)])
def test_text_is_where_it_is_wanted(anchor, left: int) -> None:
    picture = np.full((60, 220, 3), WHITE, np.uint8)
    write(picture, "HHHHHHHH", (30, 100), colour=INK, anchor=anchor)
    width = text_width("HHHHHHHH")
    (top, start), (bottom, end) = ink_of(picture).min(axis=0), ink_of(picture).max(axis=0)
    assert abs((top + bottom) / 2 - 30) <= 2
    offset = {"lm": 0, "mm": width / 2, "rm": width}[anchor]
    assert abs(start - (100 - offset)) <= 2
    assert abs(end - (100 - offset + width)) <= 3


def test_letters_beyond_ascii_are_drawn_and_not_replaced() -> None:
    pictures = []
    for text in ("×", "→", "é", "?"):
        picture = np.full((30, 30, 3), WHITE, np.uint8)
        write(picture, text, (15, 5))
        pictures.append(picture.tobytes())
    assert len(set(pictures)) == 4


def test_text_at_the_frame_is_cut_off() -> None:
    picture = np.full((10, 20, 3), WHITE, np.uint8)
    write(picture, "a long line of text", (2, -5), size=20)
    assert len(ink_of(picture)) > 0


def test_too_long_a_text_ends_with_an_ellipsis_and_fits() -> None:
    text = "a photo with a very long name"
    assert shortened(text, text_width(text)) == text
    short = shortened(text, 100)
    assert text_width(short) <= 100
    assert short.endswith("…") and text.startswith(short[:-1])
