"""What a training starts from is settled before anything records it."""

import logging

from click import ClickException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from car_segmentation.core.places import is_store, local_path
from car_segmentation.experiments.model_registry import is_mlflow_model, resolve_alias
from car_segmentation.hooks.session import Session, user_errors_as_click
from car_segmentation.parameters.merge import merge_parameters

logger = logging.getLogger(__name__)

START_MODEL = "start_model"
"""The entry of the catalog."""


class StartModel:
    """Settles `training.start_from`."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Replace an alias by the version that it is on, as if that had been given for this run.

        Records stay true when the alias moves. It comes after kedro-mlflow, which says where the
        registry is.
        """
        start = self._session.parameters.training.start_from
        if start is None:
            return
        with user_errors_as_click():
            version = resolve_alias(start)
            if version == start:
                return
            loader = context.config_loader
            settled = {"training": {"start_from": version}}
            loader.runtime_params = merge_parameters(loader.runtime_params or {}, settled, ())
            self._session.begin(context)
        logger.info("training.start_from: %s is %s.", start, version)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Refuse to start from the file that the run replaces: it could not be resumed."""
        session, start = self._session, self._session.parameters.training.start_from
        if START_MODEL not in pipeline.inputs() or start is None:
            return
        if is_mlflow_model(start) or is_store(start):
            return
        own = session.data_folder / "06_models" / "model.keras"
        if (session.project_path / local_path(start)).resolve() == own.resolve():
            raise ClickException(
                f"training.start_from = {start}: this run saves its own model there. Name a copy "
                "of the file, or what MLflow has of its training: runs:/RUN/model"
            )
