"""Provenance of the report: date, environment, data set, MLflow run, commit, command."""

import shlex
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from car_segmentation.experiments import tracking
from car_segmentation.hooks.session import Session
from car_segmentation.parameters import flatten

PROVENANCE = "provenance"
"""The entry of the catalog."""
OPTIONS = {
    "pipeline_names": "pipelines",
    "tags": "tags",
    "node_names": "nodes",
    "from_nodes": "from-nodes",
    "to_nodes": "to-nodes",
    "from_inputs": "from-inputs",
    "to_outputs": "to-outputs",
}
"""Options of ``kedro run`` that choose nodes, by their names in a run, and on its command line."""
GIT_SECONDS = 10


class ReportProvenance:
    """Puts the provenance into the catalog, where the report's node finds it."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol
    ) -> None:
        """Take note of the run, which kedro-mlflow has started."""
        if PROVENANCE not in pipeline.inputs():
            return
        session = self._session
        provenance = {
            "date": f"{datetime.now(UTC).astimezone():%Y-%m-%d %H:%M}",
            "environment": session.environment,
            "data_set": session.parameters.raw_data,
            "run": tracking.run_label(),
            "commit": git_commit(session.project_path),
            "command": command(run_params, session.environment, session.given_parameters),
        }
        catalog[PROVENANCE].save(provenance)


def command(run_params: Mapping[str, Any], environment: str, given: Mapping[str, Any]) -> str:
    """The ``kedro run`` that does the same.

    Example:
        >>> command({"tags": ["pictures"]}, "demo", {"network": {"filters": [4, 8]}, "seed": 1})
        "kedro run --env=demo --tags=pictures '--params=network.filters=[4, 8],seed=1'"
    """
    words = ["kedro", "run"]
    if environment != "base":
        words.append(f"--env={environment}")
    for name, option in OPTIONS.items():
        if chosen := run_params.get(name):
            words.append(f"--{option}={','.join(chosen)}")
    if changed := flatten(given):
        words.append(f"--params={','.join(f'{name}={value}' for name, value in changed.items())}")
    return shlex.join(words)


def git_commit(project: Path) -> str:
    """The commit that a project is at, if it is a repository; empty otherwise."""
    if not (project / ".git").exists():
        return ""
    head, changes = (_git(project, *words) for words in (["rev-parse", "HEAD"], ["status", "-s"]))
    return f"{head[:12]}{', with changes since' if changes else ''}" if head else ""


def _git(project: Path, *words: str) -> str:
    try:
        called = subprocess.run(
            ["git", "-C", str(project), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return called.stdout.strip()
