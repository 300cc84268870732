"""Tables in CSV files that MLflow shows and compares as tables, too."""

from pathlib import PurePosixPath

import mlflow
import pandas as pd
from kedro_datasets.pandas import CSVDataset

from car_segmentation.experiments.tracking import is_tracking


class TrackedTableDataset(CSVDataset):
    """A CSV file, as ``pandas.CSVDataset``; saving it also logs the table to the active run."""

    def save(self, data: pd.DataFrame) -> None:
        """Write the file, and log the table where a run is tracked."""
        super().save(data)
        if is_tracking():
            name = PurePosixPath(self._filepath).stem
            mlflow.log_table(data, f"{name}.json")
