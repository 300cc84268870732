"""What a training starts from is settled before anything records it."""

import logging
from typing import Any

import pandas as pd
from click import ClickException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from car_segmentation.core.places import is_mlflow_model, is_store, local_path
from car_segmentation.experiments.model_registry import cars_trained_on, resolve_alias
from car_segmentation.hooks.session import Session, user_errors_as_click
from car_segmentation.parameters import Subject
from car_segmentation.parameters.merge import merge_parameters

logger = logging.getLogger(__name__)

START_MODEL = "start_model"
"""The entry of the catalog."""


class StartModel:
    """Settles `training.start_from`, and `split.keep`, which may be an MLflow model, too."""

    def __init__(self, session: Session):
        self._session = session
        self._starts_from: str | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Replace aliases by the versions that they are on, as if those had been given.

        Records stay true when an alias moves. It comes after kedro-mlflow, which says where the
        registry is.
        """
        parameters = self._session.parameters
        self._settle(context, "training", "start_from", parameters.training.start_from)
        self._settle(context, "split", "keep", parameters.split.keep)

    def _settle(self, context: KedroContext, group: str, name: str, given: str | None) -> None:
        if given is None:
            return
        with user_errors_as_click():
            version = resolve_alias(given)
            if version == given:
                return
            loader = context.config_loader
            settled = {group: {name: version}}
            loader.runtime_params = merge_parameters(loader.runtime_params or {}, settled, ())
            self._session.begin(context)
        logger.info("%s.%s: %s is %s.", group, name, given, version)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Refuse to start from the file that the run replaces: it could not be resumed."""
        session, start = self._session, self._session.parameters.training.start_from
        self._starts_from = start if START_MODEL in pipeline.inputs() else None
        if self._starts_from is None or start is None:
            return
        if is_mlflow_model(start) or is_store(start):
            return
        own = session.data_folder / "06_models" / "model.keras"
        if (session.project_path / local_path(start)).resolve() == own.resolve():
            raise ClickException(
                f"training.start_from = {start}: this run saves its own model there. Name a copy "
                "of the file, or what MLflow has of its training: runs:/RUN/model"
            )

    @hook_impl
    def after_dataset_loaded(self, dataset_name: str, data: Any) -> None:
        """Warn, once, of cars that the model has seen already and that are to score it now."""
        if dataset_name != "photo_splits" or self._starts_from is None:
            return
        start, self._starts_from = self._starts_from, None
        seen = data[data["car"].isin(cars_trained_on(start)) & (data["split"] != "train")]
        if len(seen):
            logger.warning("%s", _seen_before(start, seen, self._session.parameters.subject))


def _seen_before(start: str, seen: pd.DataFrame, subject: Subject) -> str:
    cars = seen.groupby("split")["car"].nunique()
    counts = " and ".join(f"{subject.count(number)} of {split}" for split, number in cars.items())
    return (
        f"{start} was trained on {counts}, such as {seen['car'].iloc[0]}: their scores will be too "
        "good. Compare models on photos that are new to both."
    )
