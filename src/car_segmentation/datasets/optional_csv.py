"""A table that may be missing."""

from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset


class OptionalCSVDataset(CSVDataset):
    """A CSV file that need not exist: without it, an empty table with the given columns.

    Args:
        columns: Columns of the empty table.
        **options: As for ``pandas.CSVDataset``.
    """

    def __init__(self, *, columns: list[str], **options: Any):
        super().__init__(**options)
        self._columns = columns

    def load(self) -> pd.DataFrame:
        """Read the table, or make an empty one."""
        return super().load() if self.exists() else pd.DataFrame(columns=self._columns, dtype=str)
