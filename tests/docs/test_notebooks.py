"""The notebooks run on the demo, and are committed without what they show."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.projects import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))

SHOWN = {
    "explore_photos": ["mean_share_of_car", "image/png", "reason"],
    "read_experiment": ["learning_rate=0.02", "dice", "hausdorff95_px", "image/png"],
    "compare_runs": ["learning_rate=0.02", "baseline", "training.learning_rate", "image/png"],
}
"""Some of what stands in the outputs of each."""


def test_all_are_tested() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SHOWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_without_outputs(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert cells
    for cell in cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert not cell.metadata


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_on_the_demo(path: Path, demo_project: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(demo_project / "notebooks")}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=folder).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    for text in SHOWN[path.stem]:
        assert text in str(outputs)
    assert not [output for output in outputs if output.get("name") == "stderr"]
