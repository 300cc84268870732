import numpy as np
import pytest

from car_segmentation.report.text_drawing import (
    INK,
    caption_strip,
    colour_key,
    text_width,
    wrapped,
    write,
)

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


def test_a_long_text_is_broken_between_words_and_none_is_lost() -> None:
    text = "a photo with a very long name, and " + "x" * 60
    lines = wrapped(text, 100)
    assert all(text_width(line) <= 100 for line in lines) and len(lines) > 3
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrapped(text, text_width(text)) == [text]
    assert wrapped("", 100) == [""]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "\x00", "\u202egpj", "\u2028", "", "\udce9"])
def test_any_name_can_be_drawn(name: str) -> None:
    picture = np.full((40, 200, 3), WHITE, np.uint8)
    write(picture, name, (20, 5))
    assert text_width(name) >= 0
    assert caption_strip(name, 100).shape[1] == 100


def test_a_key_takes_as_many_lines_as_it_needs() -> None:
    entries = [((255, 0, 0), "red"), ((0, 0, 255), "blue")]
    wide, narrow = colour_key(entries, 400), colour_key(entries, 70)
    assert len(narrow) == 2 * len(wide)
    for colour, _ in entries:
        assert (wide == colour).all(axis=2).any() and (narrow == colour).all(axis=2).any()
