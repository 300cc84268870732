"""Several processes that train one network together."""

from pathlib import Path
from tempfile import TemporaryDirectory

from click import ClickException
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol, MemoryDataset
from kedro.pipeline import Pipeline

from car_segmentation.hooks.mlflow_run import CHECKPOINTS
from car_segmentation.training.devices import process_count, process_number


class JointTraining:
    """Lets only the first process write results."""

    _scratch: TemporaryDirectory[str]

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Refuse anything but training, and keep the results of other processes in memory."""
        if process_count() == 1:
            return
        others = [node.short_name for node in pipeline.nodes if "modelling" not in node.tags]
        if others:
            raise ClickException(
                f"Several processes train together, and do nothing else ({', '.join(others)}). Run "
                "data_processing before, --pipelines=modelling in each of them, and reporting "
                "after, in one process each."
            )
        if process_number() > 0:
            for name in pipeline.all_outputs():
                catalog[name] = MemoryDataset(copy_mode="assign")
            self._scratch = TemporaryDirectory()
            catalog[CHECKPOINTS] = MemoryDataset(Path(self._scratch.name), copy_mode="assign")
