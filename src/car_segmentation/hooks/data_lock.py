"""One run at a time writes the data that later steps read."""

from filelock import FileLock
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from car_segmentation.core.files import lock_folder
from car_segmentation.hooks.session import Session, user_errors_as_click
from car_segmentation.training.devices import process_number

SHARED_BY_RUNS = {"photo_table", "photo_splits", "model", "probabilities"}
"""Data that later steps read: two runs must not write it at the same time."""


class DataLock:
    """Locks the data of the environment while a run writes it."""

    def __init__(self, session: Session):
        self._session = session
        self._lock: FileLock | None = None

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Lock the data, or refuse to run at the same time as another run."""
        # Processes that train together are one run, and only the first writes.
        if process_number() == 0 and SHARED_BY_RUNS & pipeline.all_outputs():
            with user_errors_as_click():
                self._lock = lock_folder(self._session.data_folder)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self) -> None:
        """Release the data."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    on_pipeline_error = after_pipeline_run
