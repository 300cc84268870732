"""Parameters are checked before anything else looks at them."""

import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from omegaconf.errors import InterpolationKeyError

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import MEND, is_store
from car_segmentation.hooks.dataset_versions import FILES, OWN
from car_segmentation.hooks.session import Session, user_errors_as_click


class ParameterChecks:
    """Fills the session that the other hooks share."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check all parameters at once."""
        conf = context.config_loader.conf_source
        with user_errors_as_click():
            refuse_comments(sys.argv)
            refuse_unknown_environment(context.env, Path(conf))
            try:
                self._session.begin(context)
                refuse_stores(context.config_loader["catalog"])
            except MissingConfigException:
                raise UserError(
                    f"{conf} is no configuration of this project: its folder base, with parameters "
                    "and catalog, is missing. --conf-source takes a folder such as conf/, or it "
                    "packed as .zip or .tar.gz."
                ) from None
            except InterpolationKeyError as error:
                raise UserError(
                    f"conf/ or --params: {error.full_key} cannot be filled in "
                    f"({str(error).splitlines()[0]}). Write its value instead."
                ) from None


def refuse_comments(words: Sequence[str]) -> None:
    """Refuse a value of ``--params`` that YAML takes for a comment, and Kedro so for nothing.

    Raises:
        UserError: If there is one.
    """
    for before, word in pairwise(["", *words]):
        option, _, values = word.partition("=")
        if option != "--params":
            values = word if before == "--params" else ""
        for value in values.split(","):
            name, _, text = value.partition("=")
            if text.lstrip().startswith("#"):
                raise UserError(
                    f"--params={value}: YAML takes what follows # for a comment, so {name} would "
                    f"have no value. Quote it once more, '{name}=\"{text.strip()}\"', or give a "
                    "colour by its name."
                )


def refuse_unknown_environment(environment: str | None, conf: Path) -> None:
    """Refuse an environment that ``conf/`` has no folder for, and Kedro takes for an empty one.

    Args:
        environment: Its name; None: none was named.
        conf: The folder; a packed one is not looked at.

    Raises:
        UserError: If there is no such folder.
    """
    if environment is None or not conf.is_dir() or (conf / environment).is_dir():
        return
    there = sorted(path.name for path in conf.iterdir() if path.is_dir())
    meant = get_close_matches(environment, there, n=1)
    hint = f"Did you mean {meant[0]}?" if meant else f"There are: {', '.join(there)}."
    raise UserError(f"--env={environment}: {conf} has no environment of that name. {hint}")


IN_STORES = (
    *(*FILES, "ChosenModelDataset", "ChosenThresholdDataset"),
    *("PhotoFolderDataset", "PredictionPlaceDataset", "PredictionFolderDataset"),
)
"""The project's types of datasets that may be in an object store."""


def refuse_stores(catalog: Mapping[str, Any]) -> None:
    """Refuse a catalog that has one of the project's own datasets in an object store.

    Raises:
        UserError: If it has.
    """
    for name, entry in catalog.items():
        logged = False  # By kedro-mlflow, which takes files of this machine.
        while isinstance(entry, Mapping) and isinstance(entry.get("dataset"), Mapping):
            entry, logged = entry["dataset"], True  # noqa: PLW2901
        kind = str(entry.get("type")) if isinstance(entry, Mapping) else ""
        if not kind.startswith(OWN) or (kind.endswith(IN_STORES) and not logged):
            continue
        for key in ("path", "filepath"):
            place = str(entry.get(key, ""))
            if is_store(place):
                raise UserError(f"catalog: {name}.{key} = {place!r}: {MEND}.")
