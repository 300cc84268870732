"""Tables in CSV files, read back with stated types, and shown in Kedro-Viz and MLflow."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import mlflow
import pandas as pd
from kedro.io.core import Version, get_filepath_str
from kedro_datasets.pandas import CSVDataset

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import read_text_file
from car_segmentation.core.tables import read_table, write_table
from car_segmentation.data.splits import check_splits
from car_segmentation.datasets.files import FileDataset
from car_segmentation.datasets.previews import TablePreview
from car_segmentation.experiments.tracking import is_tracking


class TableDataset(FileDataset[pd.DataFrame, pd.DataFrame]):
    """A CSV file whose columns are read as what they are: see `core.tables`.

    Args:
        filepath: Where it is.
        text: Columns of text.
        flags: Columns of ``True`` and ``False``.
        others: What the columns are that are not named: ``numbers`` or ``text``.
        numbers: Columns of numbers, where the others are text.
        key: The column that tells rows apart.
        fractions: Columns of numbers of 0 to 1.
        splits: Whether it assigns photos to splits: see `data.splits.check_splits`.
        escape_formulas: Whether text that a spreadsheet would run as a formula is escaped.
        track: Whether saving also logs the table to the active MLflow run, which shows and
            compares it as a table.
        paths: Columns of paths. Those inside the project are kept relative to it, so that the table
            is right in a copy of the project.
        project: The project's folder.
        save_args: Options of ``DataFrame.to_csv``.
        version: See `FileDataset`.
        metadata: For plugins such as Kedro-Viz.
        credentials: Options of the store's fsspec file system.
    """

    def __init__(
        self,
        filepath: str,
        text: Sequence[str] | None = None,
        flags: Sequence[str] | None = None,
        others: Literal["numbers", "text"] = "numbers",
        numbers: Sequence[str] | None = None,
        key: str | None = None,
        fractions: Sequence[str] | None = None,
        splits: bool = False,
        escape_formulas: bool = True,
        track: bool = False,
        paths: Sequence[str] | None = None,
        project: str = "",
        save_args: dict[str, Any] | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
    ):
        super().__init__(filepath, version, metadata, credentials)
        self._types: dict[str, Any] = {
            "text": text or (),
            "flags": flags or (),
            "others": others,
            "numbers": numbers or (),
            "key": key,
            "fractions": fractions or (),
        }
        self._splits = splits
        self._escape_formulas = escape_formulas
        self._track = track
        self._paths, self._project = paths or (), project
        self._save_args = save_args or {}

    def load(self) -> pd.DataFrame:
        """Read the table."""
        place = self.load_place()
        try:
            with place.reading() as path:
                table = read_table(path, **self._types)
        except OSError as error:
            raise UserError(
                f"{place} cannot be read ({error.strerror or error}). Run the pipeline "
                "that writes it."
            ) from None
        if self._splits:
            check_splits(table, str(place))
        for column in self._paths:
            table[column] = [_absolute(path, self._project) for path in table[column]]
        return table

    def save(self, data: pd.DataFrame) -> None:
        """Write the table in one step, and log it where that is wanted and a run is tracked."""
        with self.writing(durable=True) as part:
            relative = {
                column: [_relative(path, self._project) for path in data[column]]
                for column in self._paths
            }
            write_table(data.assign(**relative), part, self._escape_formulas, **self._save_args)
        if self._track and is_tracking():
            mlflow.log_table(data, f"{self._filepath.stem}.json")

    def _describe(self) -> dict[str, Any]:
        return super()._describe() | self._types

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows."""
        with self.reading() as path:
            rows = read_table(path, **self._types, nrows=nrows)
        return TablePreview(rows.to_dict(orient="split"))


class OptionalCSVDataset(CSVDataset):
    """A CSV file of text that need not exist, nor have more than the first of its columns.

    Args:
        columns: Columns that are read; others are skipped. Those that the file lacks are empty,
            and without the file there are no rows.
        **options: As for ``pandas.CSVDataset``.
    """

    def __init__(self, *, columns: list[str], **options: Any):
        super().__init__(**options)
        self._columns = columns
        self._options = options.get("load_args") or {}

    def load(self) -> pd.DataFrame:
        """Read the table, or make an empty one."""
        if not self.exists():
            return pd.DataFrame(columns=self._columns, dtype=str)
        path = self._get_load_path()
        text = (
            read_text_file(Path(path))
            if self._protocol == "file"
            else self._fs.cat_file(get_filepath_str(path, self._protocol)).decode("utf-8-sig")
        )
        try:
            table = pd.read_csv(io.StringIO(text), **self._options)
        except ValueError as error:  # ParserError and EmptyDataError are such.
            raise UserError(f"{path} is not a table ({error}).") from None
        if self._columns[0] not in table:
            raise UserError(
                f"{path} has no column '{self._columns[0]}', only: "
                f"{', '.join(map(str, table.columns))}. Name it so, or move the file away."
            )
        return table.reindex(columns=self._columns, fill_value="")


def _relative(path: str, project: str) -> str:
    """A path in the project without the project; of several, a list in JSON, each of them."""
    return path.removeprefix(f"{project}/").replace(f'"{project}/', '"')


def _absolute(path: str, project: str) -> str:
    """A path as `_relative` was given it; one that is absolute, or of a store, is left alone."""
    if path.startswith("["):
        return json.dumps([_absolute(each, project) for each in json.loads(path)])
    if not path or "://" in path or Path(path).is_absolute():
        return path
    return f"{project}/{path}"
