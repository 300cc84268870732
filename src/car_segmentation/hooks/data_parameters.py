"""Results record the parameters that made them; a run with different ones is refused."""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from click import ClickException
from filelock import FileLock
from kedro.framework.hooks import hook_impl
from kedro.io import AbstractVersionedDataset, CatalogProtocol, DataCatalog, MemoryDataset
from kedro.io.core import VersionNotFoundError
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from car_segmentation.core.files import atomic_file
from car_segmentation.core.json_files import read_json
from car_segmentation.hooks.session import Session, user_errors_as_click
from car_segmentation.parameters import flatten
from car_segmentation.parameters.lineage import (
    Difference,
    Record,
    differences,
    effective,
    join,
    of_groups,
    used,
)

FILE = "parameters.json"
"""In the data folder: the record of each result, by its name in the catalog."""
PARAMETERS = "params:"
PIPELINES = ("data_processing", "modelling", "reporting", "network_comparison", "search", "export")
"""Those whose results other pipelines, or slices of the same, find; in the order of the data."""
TAKE_A_MODEL = {"inference", "export", "review", "corrections_export"}
"""Pipelines that use a finished model as it is, however it was trained."""
LISTED = 3
"""Parameters that a message names."""
Records = dict[str, dict[str, dict[str, Any]] | None]
"""Content of `FILE`."""


class DataParameters:
    """Keeps a record of what made each result, beside the results."""

    def __init__(self, session: Session):
        self._session = session
        self._records: dict[str, Record | None] = {}
        self._kept: set[str] = set()
        self._catalog: CatalogProtocol = DataCatalog()

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Refuse a run whose data or model was made with other parameters than it has."""
        session, self._catalog = self._session, catalog
        session.effective_parameters = effective(session.written_parameters) | {
            "raw_data": _place(session.parameters.raw_data, session.project_path)
        }
        self._records = read_records(session.data_folder)
        self._kept = {name for name in pipeline.all_outputs() if _is_kept(name, catalog)}
        session.used_parameters = self._used_by(pipeline)
        model_only = {tag for node in pipeline.nodes for tag in node.tags} <= TAKE_A_MODEL
        found = {
            name: differences(record, session.effective_parameters)
            for name, record in self._found(pipeline.inputs()).items()
        }
        if model_only:
            given = flatten(session.given_parameters)
            found = {
                name: [difference for difference in of_it if difference.name in given]
                for name, of_it in found.items()
            }
        if any(found.values()):
            raise ClickException(_refusal(found, session.parameters.data_folder))

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Take the record away where the node fills the folder of its result while it runs."""
        for name in node.outputs:
            if f"{name}_folder" in node.inputs:
                self._keep(name, None)

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Take the record away while a result is replaced: a kill may leave either."""
        self._keep(dataset_name, None)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Record what the result was made with."""
        own = used(_parameters_of([node]), self._session.effective_parameters)
        made_from = (self._records.get(self._loaded(name)) or {} for name in node.inputs)
        self._keep(dataset_name, join([*made_from, {_pipeline_of(node): own}]))

    def _keep(self, name: str, record: Record | None) -> None:
        key = _key(name, self._catalog, "resolve_save_version")
        self._records[key] = record
        if name in self._kept:
            write_record(self._session.data_folder, key, record)

    def _loaded(self, name: str) -> str:
        """The name of a record, which is that of a dataset, with its version where it has them."""
        return _key(name, self._catalog, "resolve_load_version")

    def _found(self, inputs: Iterable[str]) -> dict[str, Record]:
        """The records of what a run finds; nothing is known of what was made before there were any.

        Raises:
            ClickException: If the run that made one was killed while it replaced it.
        """
        found = {}
        for name in sorted(inputs):
            origin = "model" if name == "chosen_model" and self._is_own_model() else name
            key = self._loaded(origin)
            if key not in self._records or not self._catalog.exists(name):
                continue
            record = self._records[key]
            if record is None:
                raise ClickException(
                    f"A run was killed while it replaced `{name}` in "
                    f"{self._session.parameters.data_folder}: run it again."
                )
            found[origin] = record
        return found

    def _is_own_model(self) -> bool:
        """True if the parameter `model` names the model of this environment."""
        session = self._session
        chosen = session.project_path / session.parameters.model
        return chosen == session.data_folder / "06_models" / "model.keras"

    def _used_by(self, pipeline: Pipeline) -> set[str]:
        """Dotted names of all parameters that this run's results depend on."""
        groups = _parameters_of(pipeline.nodes)
        names = set(of_groups(groups, self._session.effective_parameters))
        for name in pipeline.inputs():
            for values in (self._records.get(self._loaded(name)) or {}).values():
                names |= set(values)
        return names


def read_records(data_folder: Path) -> dict[str, Record | None]:
    """The records of all results in a folder; None for one that was being replaced."""
    mend = (
        "It says which parameters made the results beside it: delete it, and run data_processing "
        "and modelling again."
    )
    try:
        with user_errors_as_click():
            records: dict[str, Record | None] = read_json(data_folder / FILE, Records, mend)
    except FileNotFoundError:
        return {}
    return records


def write_record(data_folder: Path, name: str, record: Record | None) -> None:
    """Add a record to those in a folder, where another run may add its own."""
    data_folder.mkdir(parents=True, exist_ok=True)
    with FileLock(data_folder / f".{FILE}.lock"):
        records = read_records(data_folder) | {name: record}
        with atomic_file(data_folder / FILE, durable=True) as part:
            part.write_text(json.dumps(records, indent=1, sort_keys=True))


def _key(name: str, catalog: CatalogProtocol, resolve: str) -> str:
    dataset = catalog.get(name)
    with suppress(VersionNotFoundError):
        if isinstance(dataset, AbstractVersionedDataset):
            version = getattr(dataset, resolve)()
            return f"{name}@{version}" if version else name
    return name


def _is_kept(name: str, catalog: CatalogProtocol) -> bool:
    dataset = catalog.get(name)
    return dataset is not None and not isinstance(dataset, MemoryDataset)


def _place(folder: str, project_path: Path) -> str:
    """A folder in a form that is the same however it was given, and in a copy of the project."""
    if "://" in folder:
        return folder
    path, root = (project_path / folder).resolve(), project_path.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _parameters_of(nodes: Iterable[Node]) -> list[str]:
    inputs = {name for node in nodes for name in node.inputs}
    return sorted(name.removeprefix(PARAMETERS) for name in inputs if name.startswith(PARAMETERS))


def _pipeline_of(node: Node) -> str:
    """The pipeline of a node, of several the last: what runs again with it alone is enough."""
    return max(node.tags & set(PIPELINES), key=PIPELINES.index, default="")


def _refusal(found: dict[str, list[Difference]], data_folder: str) -> str:
    """One sentence with the parameters, both values of each, and what to run again."""
    changed = {difference.name: difference for of_it in found.values() for difference in of_it}
    names = [name for name, of_it in found.items() if of_it]
    pipelines = {name for difference in changed.values() for name in difference.pipelines}
    again = ", ".join(name for name in PIPELINES if name in pipelines)
    listed = ", ".join(map(str, list(changed.values())[:LISTED]))
    more = f" and {len(changed) - LISTED} more" if len(changed) > LISTED else ""
    return (
        f"{', '.join(f'`{name}`' for name in names)} in {data_folder} {_were(names)} made with "
        f"{listed}{more}: run {again} again with this run's parameters, or give this run those "
        "(--params)."
    )


def _were(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"
