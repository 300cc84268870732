"""Tables as CSV files that read back as they were written, and that spreadsheets open harmlessly.

A table is read with the types that its reader states, never with types guessed from its cells: a
photo may be called ``NA`` or ``007``, and a column of numbers may hold none, or no rows at all.

Names of files are data. A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@`` as
a formula, so text that does is written with an apostrophe before it
(https://owasp.org/www-community/attacks/CSV_Injection); reading takes the apostrophe away.
"""

import csv
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from car_segmentation.core.errors import UserError

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
"""Text that a spreadsheet would run, or that looks as if it had been escaped."""
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n]")

_FLAGS = {"True": True, "False": False}

TEXT_ARGS: dict[str, Any] = {"dtype": str, "keep_default_na": False}
"""Options with which pandas reads every cell as the text that it is."""


def write_table(
    table: pd.DataFrame, path: Path, escape_formulas: bool = True, **options: Any
) -> None:
    """Write a table, without its index.

    Args:
        table: Text, numbers and flags; missing text is empty afterwards.
        path: The file; ``.gz`` is compressed.
        escape_formulas: Whether text that a spreadsheet would run is escaped.
        **options: Of ``DataFrame.to_csv``.
    """
    text = [name for name in table if table[name].dtype.kind in "OTU"]
    if escape_formulas:
        table = table.assign(**{str(name): table[name].map(escape_formula) for name in text})
    # Python's csv puts a carriage return into quotes only from version 3.13 on.
    returns = any("\r" in cell for name in text for cell in table[name] if isinstance(cell, str))
    quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    defaults: dict[str, Any] = {"index": False, "lineterminator": "\n", "quoting": quoting}
    table.to_csv(path, **defaults | options)


def escape_formula(cell: Any) -> Any:
    """A cell as it is written: text that a spreadsheet would run gets an apostrophe before it.

    Example:
        >>> escape_formula("=1+1.jpg"), escape_formula("a.jpg"), escape_formula(-1)
        ("'=1+1.jpg", 'a.jpg', -1)
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unescape_formula(cell: str) -> str:
    """Text as it was before `escape_formula`."""
    return cell[1:] if _ESCAPED.match(cell) else cell


def read_table(
    path: Path,
    text: Collection[str] = (),
    flags: Collection[str] = (),
    others: Literal["numbers", "text"] = "numbers",
    numbers: Collection[str] = (),
    key: str | None = None,
    fractions: Collection[str] = (),
    **options: Any,
) -> pd.DataFrame:
    """Read a table with stated types.

    Args:
        path: The file.
        text: Columns of text; an empty cell is empty text.
        flags: Columns of ``True`` and ``False``.
        others: What the columns are that are not named.
        numbers: Columns of numbers; an empty cell is NaN.
        key: The column that tells rows apart, where there is one.
        fractions: Columns of numbers of 0 to 1, all of which are there.
        **options: Of ``pandas.read_csv``.

    Raises:
        UserError: If the file cannot be read, is cut short, or a cell is not of its column's type.
    """
    try:
        table = pd.read_csv(path, **TEXT_ARGS | options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, EOFError) as error:
        raise _damaged(path, f"is not a table ({str(error).strip()})") from None
    if not options and path.suffix == ".csv" and not _ends_a_line(path):
        raise _damaged(path, "has no end of its last line: it seems to be cut short")
    for row in table.index[table.isna().any(axis=1)]:  # Empty cells are text here.
        raise _damaged(path, f"has too few cells in row {row + 1}: it seems to be cut short")
    if any("\0" in cell for name in table for cell in table[name]):
        raise _damaged(path, "holds zero bytes")
    if missing := [name for name in (key, *fractions) if name and name not in table]:
        raise _damaged(path, f"has no column '{missing[0]}'")
    if key and table[key].duplicated().any():
        raise _damaged(path, f"has several rows of the same '{key}'")
    for name in table:
        if name in flags:
            table[name] = _typed(path, table[name], "True or False", _as_flags)
        elif name in numbers or (others == "numbers" and name not in text):
            table[name] = _typed(path, table[name], "a number", _as_numbers)
        else:
            table[name] = table[name].map(unescape_formula).astype(str)
    for name in fractions:
        if (table[name].lt(0) | table[name].gt(1)).any():
            raise _damaged(path, f"holds a '{name}' that is not of 0 to 1")
    return table


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() in {b"\n", b"\r"}


def _damaged(path: Path, problem: str) -> UserError:
    return UserError(f"{path} {problem}. Run the pipeline that writes it again.")


def _typed(path: Path, cells: pd.Series, expected: str, convert: Any) -> pd.Series:
    try:
        return convert(cells)
    except (ValueError, TypeError, KeyError) as error:
        problem = f"is damaged: column '{cells.name}' holds a cell that is not {expected} ({error})"
        raise _damaged(path, problem) from None


def _as_numbers(cells: pd.Series) -> pd.Series:
    return pd.to_numeric(cells.mask(cells == "").astype(object))


def _as_flags(cells: pd.Series) -> pd.Series:
    return pd.Series([_FLAGS[cell] for cell in cells], cells.index, dtype=bool)
