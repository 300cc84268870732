"""Versions of datasets: what cannot be versioned, or loaded in a version, is refused at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import is_store, local_path
from car_segmentation.hooks.session import user_errors_as_click

OWN = "car_segmentation.datasets."
FILES = (
    *("JSONFileDataset", "KerasModelDataset", "OptionalCSVDataset"),
    *("PictureDataset", "PlotDataset", "TableDataset"),
)
"""The project's types that are one file: those that Kedro can keep versions of."""
LOGGED = "MlflowArtifactDataset"
LISTED = 3
"""Versions that a message names."""


class DatasetVersions:
    """Checks ``versioned: true`` and ``--load-versions`` before anything runs."""

    @hook_impl(tryfirst=True)
    def after_catalog_created(
        self, conf_catalog: dict[str, Any], load_versions: dict[str, str] | None
    ) -> None:
        """Check all entries."""
        with user_errors_as_click():
            check_versions(conf_catalog, load_versions or {})


def check_versions(catalog: Mapping[str, Any], load_versions: Mapping[str, str]) -> None:
    """Refuse what Kedro would ignore, or fail with later.

    Args:
        catalog: Entries as they are written, with whole paths.
        load_versions: What ``--load-versions`` gives, by name.

    Raises:
        UserError: If an entry cannot have versions, or not the one that is to be loaded, or if
            something else is where its versions are kept.
    """
    for name, entry in catalog.items():
        if isinstance(entry, Mapping) and "type" in entry:
            _check_entry(name, entry, load_versions.get(name))


def _check_entry(name: str, entry: Mapping[str, Any], wanted: str | None) -> None:
    is_logged = str(entry["type"]).endswith(LOGGED)
    inner = entry["dataset"] if is_logged else entry
    kind, is_versioned = str(inner["type"]), bool(inner.get("versioned"))
    if is_logged and (is_versioned or entry.get("versioned")):
        raise UserError(
            f"catalog: {name} cannot be versioned inside {LOGGED}: MLflow keeps that of each run. "
            "Leave `versioned` away, or write the entry without it."
        )
    if is_versioned and kind.startswith(OWN) and not kind.endswith(FILES):
        raise UserError(
            f"catalog: {name} cannot be versioned: {kind} is no file that Kedro writes. Name "
            "another folder instead (--params=data_folder=FOLDER keeps all results of a run apart)."
        )
    if wanted and not is_versioned:
        raise UserError(
            f"--load-versions={name}:{wanted}: the catalog keeps no versions of {name}. Write "
            "`versioned: true` into its entry, and make one; or leave the option out."
        )
    if kind.startswith(OWN) and kind.endswith(FILES) and not is_store(inner["filepath"]):
        _check_files(name, local_path(inner["filepath"]), is_versioned, wanted)


def _check_files(name: str, path: Path, is_versioned: bool, wanted: str | None) -> None:
    """Check what is on disk."""
    versions = sorted(file.parent.name for file in path.glob(f"*/{path.name}"))
    if is_versioned and path.is_file():
        raise UserError(
            f"catalog: {name} is versioned, and {path} is from before it was: move it to "
            f"{path}/VERSION/{path.name} (VERSION such as 2026-01-31T12.00.00.000Z), or delete it."
        )
    if not is_versioned and versions:
        raise UserError(
            f"catalog: {name} is not versioned, and {path} has versions of it: write "
            "`versioned: true` into its entry, or move them away."
        )
    if wanted and wanted not in versions:
        found = f"There are: {', '.join(versions[-LISTED:])}." if versions else "There are none."
        raise UserError(f"--load-versions={name}:{wanted}: {path} has no such version. {found}")
