"""Keras is imported without its chatter where a run needs it, and network options are checked."""

import logging

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.hooks.session import Session, user_errors_as_click
from car_segmentation.training.devices import join_processes, process_count, process_number

logger = logging.getLogger(__name__)

NEEDS_KERAS = {"network", "model", "chosen_model"}
"""Entries of the catalog that are Keras models."""


class KerasStart:
    """Starts Keras before the first node of a run that needs it."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Import Keras, and check the network's options before any work."""
        if not NEEDS_KERAS & pipeline.datasets():
            return
        if process_count() > 1:
            logger.info("Process %d of %d waits for the others", process_number(), process_count())
        with suppress_native_stderr():
            import keras

            from car_segmentation.networks.registry import check_options

            with user_errors_as_click():
                join_processes()
            keras.ops.zeros(())  # The first operation looks for GPUs.
        if "params:network" in pipeline.inputs():
            network = self._session.parameters.network
            with user_errors_as_click():
                check_options(network.architecture, network.options)
