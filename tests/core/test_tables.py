import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_segmentation.core.errors import UserError
from car_segmentation.core.tables import read_table, write_table

ODD_NAMES = [
    *("NA", "nan", "None", "null", "007", "1e5", "True", ""),
    *("=1+1.jpg", "+1", "-1", "@sum", "'=1", "''-x", "'a", "\t=1"),
    *("two\nlines", "two\r\nlines", "\rx", "a,b", 'a"b', "\x1b[31mred", "\x7f", "naïve 车"),
]
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def written(table: pd.DataFrame, folder: Path) -> Path:
    write_table(table, folder / "table.csv")
    return folder / "table.csv"


def test_odd_names_are_read_as_they_were_written(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ODD_NAMES, "number": range(len(ODD_NAMES))})
    back = read_table(written(table, tmp_path), text=["name"])
    assert back["name"].tolist() == ODD_NAMES
    assert back["number"].tolist() == list(range(len(ODD_NAMES)))


@given(st.lists(ANY_TEXT, min_size=1))
def test_any_text_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    table = pd.DataFrame({"name": names, "number": 1.5})
    back = read_table(written(table, tmp_path_factory.mktemp("text")), text=["name"])
    assert back["name"].tolist() == names


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    path = written(pd.DataFrame({"name": ODD_NAMES, "number": -1.5}), tmp_path)
    with path.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert len(rows) == len(ODD_NAMES)
    assert not any(name.startswith(("=", "+", "-", "@", "\t", "\r")) for name, _ in rows)
    assert {number for _, number in rows} == {"-1.5"}  # A number below zero is no formula.


def test_a_column_of_missing_numbers_is_a_column_of_numbers(tmp_path: Path) -> None:
    """Read as text, it has no median."""
    table = pd.DataFrame({"car": ["a", "b"], "colour": [None, None], "share": [np.nan, 0.5]})
    back = read_table(written(table, tmp_path), text=["car"])
    assert back["colour"].dtype == float and back["colour"].isna().all()
    assert back["share"].tolist()[1] == 0.5
    assert np.isnan(back.groupby("car")["colour"].median()).all()


def test_a_table_without_rows_keeps_its_types(tmp_path: Path) -> None:
    table = pd.DataFrame({"car": [], "share": [], "enough": []})
    back = read_table(written(table, tmp_path), text=["car"], flags=["enough"])
    assert len(back) == 0 and back["enough"].dtype == bool
    assert back["share"].sum() == 0 and np.isnan(back["share"].median())


def test_numbers_stay_what_they_are_to_the_last_digit(tmp_path: Path) -> None:
    values = [0.1, 1 / 3, 1e-300, np.inf, -np.inf, 123456789.123456789]
    back = read_table(written(pd.DataFrame({"x": values, "n": range(6)}), tmp_path))
    assert back["x"].tolist() == values and back["n"].dtype == np.int64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("car,dice\na,0.5\nb,many\n", "column 'dice' holds a cell that is not a number"),
        ("car,enough\na,True\nb,perhaps\n", "column 'enough' .* not True or False"),
        ("", "is not a table"),
        ("car,dice\na,1\nb,1,2,3\n", "is not a table"),
    ],
)
def test_a_broken_table_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=f"table.csv.*{message}"):
        read_table(path, text=["car"], flags=["enough"])
