import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.core.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("photo_01.jpg", "photo_01.jpg"),
        ("naïve 车 😀 ａ", "naïve 车 😀 ａ"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x00\x1b[31m\x7f\x85", r"\x00\x1b[31m\x7f\x85"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u2028\udce9", r"\u2028\udce9"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_any_text_becomes_one_line_that_can_be_written(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    shown.encode()
    assert printable(shown) == shown
