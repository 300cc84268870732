"""A table that may be missing, and whose columns may be."""

from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset

from car_segmentation.core.errors import UserError


class OptionalCSVDataset(CSVDataset):
    """A CSV file of text that need not exist, nor have more than the first of its columns.

    Args:
        columns: Columns that are read; others are left aside. Those that the file lacks are empty,
            and without the file there are no rows.
        **options: As for ``pandas.CSVDataset``.
    """

    def __init__(self, *, columns: list[str], **options: Any):
        super().__init__(**options)
        self._columns = columns

    def load(self) -> pd.DataFrame:
        """Read the table, or make an empty one."""
        if not self.exists():
            return pd.DataFrame(columns=self._columns, dtype=str)
        table = super().load()
        if self._columns[0] not in table:
            raise UserError(
                f"{self._filepath} has no column '{self._columns[0]}', only: "
                f"{', '.join(map(str, table.columns))}. Name it so, or move the file away."
            )
        return table.reindex(columns=self._columns, fill_value="")
