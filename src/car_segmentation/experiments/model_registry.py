"""The thin layer between the project and MLflow's registry of models.

Versions of one model carry aliases: `CANDIDATE`, the last that was trained; `CHAMPION`, the one
that others use; and `PREVIOUS_CHAMPION`, the one that they used before.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import is_mlflow_model
from car_segmentation.core.text import first_line
from car_segmentation.evaluation.run_comparison import RunRecord
from car_segmentation.experiments import run_reading, tracking

logger = logging.getLogger(__name__)

CANDIDATE, CHAMPION, PREVIOUS_CHAMPION = "candidate", "champion", "previous_champion"
NETWORK = "artifacts/model"
"""Where MLflow puts the network, without its extension."""


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model, and how it did.

    Attributes:
        name: The model's.
        version: The version's number, as text.
        run: What the run that trained it recorded.
    """

    name: str
    version: str
    run: RunRecord


def resolve_alias(uri: str) -> str:
    """The address of the version that an alias is on at the moment; another address as it is.

    Raises:
        UserError: If there is no such model, or none with the alias.
    """
    name, _, alias = uri.removeprefix("models:/").partition("@")
    if not uri.startswith("models:") or not alias:
        return uri
    with mlflow_errors_as_user_errors(uri):
        version = mlflow.MlflowClient().get_model_version_by_alias(name, alias)
    return f"models:/{name}/{version.version}"


def cars_trained_on(uri: str) -> set[str]:
    """The cars that an MLflow model was trained on, and those of the models that it started from.

    Args:
        uri: Of a run's model, or of a version.

    Returns:
        Empty where MLflow does not know: of a file, or of a training without its table of photos.
    """
    cars: set[str] = set()
    while is_mlflow_model(uri):
        try:
            run = mlflow.get_run(_run_of(uri))
            cars |= run_reading.read_train_cars(run.info.run_id)
        except (MlflowException, OSError) as error:
            logger.debug("%s: %s", uri, error)
            break
        uri = run.data.params.get("training.start_from", "")
    return cars


def splits_of(uri: str) -> pd.DataFrame:
    """The photos of the training of an MLflow model, and the split of each.

    Args:
        uri: Of a run's model, or of a version.

    Raises:
        UserError: If there is no such model, or its run did not record them.
    """
    with mlflow_errors_as_user_errors(uri):
        return run_reading.read_photo_splits(_run_of(uri))


def _run_of(uri: str) -> str:
    """The id of the run that trained a model."""
    name, _, version = uri.partition(":")[2].strip("/").partition("/")
    if uri.startswith("runs:"):
        return name
    return str(mlflow.MlflowClient().get_model_version(name, version).run_id)


@contextmanager
def network_file(uri: str) -> Iterator[Path]:
    """The ``.keras`` file of an MLflow model, there until the block ends.

    Raises:
        UserError: If there is no such model, or it is none of this project's.
    """
    with tempfile.TemporaryDirectory() as folder, mlflow_errors_as_user_errors(uri):
        copy = mlflow.artifacts.download_artifacts(f"{uri}/{NETWORK}.keras", dst_path=folder)
        yield Path(copy)


def threshold(uri: str) -> float:
    """The threshold that is kept with an MLflow model.

    Raises:
        UserError: If there is no such model, or it has none.
    """
    with mlflow_errors_as_user_errors(uri):
        flavours = Model.load(uri).flavors
    try:
        return float(flavours["python_function"]["config"]["threshold"])
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"The model {uri} has no threshold with it: it was not logged by this project's "
            "modelling pipeline, or was logged before thresholds were stored. Train it again, "
            "or choose another: "
            "--params=model=MODEL"
        ) from None


def register(name: str, model_uri: str, run_id: str) -> None:
    """Make a logged model the newest version of a registered one, and its candidate.

    A store that has no registry costs a warning, never the training.
    """
    client = mlflow.MlflowClient()
    try:
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description="Photo bytes in, mask out")
        model_id = model_uri.removeprefix("models:/")
        source = mlflow.get_logged_model(model_id).artifact_location
        version = client.create_model_version(name, source, run_id, model_id=model_id)
        client.set_registered_model_alias(name, CANDIDATE, version.version)
    except MlflowException as error:
        logger.warning(
            "MLflow did not register the model; training continues. (%s)", first_line(error)
        )


def candidate_and_champion(
    name: str, candidate: int | None
) -> tuple[RegisteredVersion, RegisteredVersion | None]:
    """The candidate, and the champion if there is one, with what their runs recorded.

    Args:
        name: Of the registered model.
        candidate: Number of a version; None: the one with the alias `CANDIDATE`.

    Raises:
        UserError: If there is no candidate, or the run of either has no scores.
    """
    client = mlflow.MlflowClient()
    try:
        if candidate is None:
            version = client.get_model_version_by_alias(name, CANDIDATE)
        else:
            version = client.get_model_version(name, str(candidate))
    except MlflowException as error:
        wanted = f"version {candidate}" if candidate is not None else f"@{CANDIDATE}"
        raise UserError(
            f"MLflow ({tracking.uri()}) has no {wanted} of a model called {name!r}. `kedro run` "
            "trains and registers one; registry.candidate names another."
        ) from error
    champion = _version_with(client, name, CHAMPION)
    return (
        _registered_version(client, version),
        _registered_version(client, champion) if champion else None,
    )


def set_champion(name: str, version: str) -> None:
    """Make a version of a model the champion, and remember which was it before."""
    client = mlflow.MlflowClient()
    before = _version_with(client, name, CHAMPION)
    if before is not None and before.version != version:
        client.set_registered_model_alias(name, PREVIOUS_CHAMPION, before.version)
    client.set_registered_model_alias(name, CHAMPION, version)


def roll_back(name: str) -> tuple[str, str]:
    """Make the previous champion the champion again; a second time undoes that.

    Returns:
        The versions that are and were the champion.

    Raises:
        UserError: If there is no previous champion.
    """
    client = mlflow.MlflowClient()
    champion = _version_with(client, name, CHAMPION)
    previous = _version_with(client, name, PREVIOUS_CHAMPION)
    if champion is None or previous is None:
        raise UserError(
            f"MLflow ({tracking.uri()}) has no previous champion of a model called {name!r}. "
            "Promotion remembers it; an alias can also be moved in `make mlflow`."
        )
    set_champion(name, previous.version)
    return str(previous.version), str(champion.version)


def note_verdict(version: RegisteredVersion, verdict: str) -> None:
    """Tag a version with the result of its comparison with the champion."""
    client = mlflow.MlflowClient()
    client.set_model_version_tag(version.name, version.version, "verdict", verdict)


def _version_with(client: mlflow.MlflowClient, name: str, alias: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException:
        return None


def _registered_version(client: mlflow.MlflowClient, version: ModelVersion) -> RegisteredVersion:
    try:
        run = client.get_run(version.run_id)
    except MlflowException as error:
        raise UserError(
            f"The run {version.run_id} that trained version {version.version} of {version.name} "
            "is no longer there, and its scores with it. Move the alias by hand, or register "
            "another model."
        ) from error
    otherwise = "choose another: --params=registry.candidate=VERSION"
    return RegisteredVersion(version.name, version.version, run_reading.read_run(run, otherwise))


@contextmanager
def mlflow_errors_as_user_errors(uri: str) -> Iterator[None]:
    """Say in one message that a model cannot be had."""
    try:
        yield
    except (MlflowException, OSError) as error:
        raise UserError(
            f"MLflow ({tracking.uri()}) has no model {uri} of this project: {first_line(error)} "
            "`make mlflow` shows all models."
        ) from error
