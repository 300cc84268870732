"""A run is refused where what it finds was made with other parameters."""

import json
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from click import ClickException
from kedro.io import MemoryDataset

from car_segmentation.hooks.data_parameters import FILE, DataParameters
from car_segmentation.hooks.session import Session
from car_segmentation.parameters import check_parameters
from car_segmentation.parameters.merge import merge_parameters
from car_segmentation.pipeline_registry import register_pipelines
from tests.support.parameters import parameters

PIPELINES = register_pipelines()
BASE = parameters()


def begun(folder: Path, pipeline: str, **given: Any) -> tuple[DataParameters, Session]:
    """The hook after the beginning of a run."""
    written = merge_parameters(BASE, given, entire=())
    session = Session(
        environment="tiny",
        project_path=folder,
        data_folder=folder / "data",
        written_parameters=written,
        given_parameters=given,
    )
    session.parameters = check_parameters(written)
    hook = DataParameters(session)
    catalog = Mock(**{"exists.return_value": True, "get.return_value": "a file"})
    hook.before_pipeline_run(PIPELINES[pipeline], catalog)
    return hook, session


def run(folder: Path, pipeline: str, stop_at: str | None = None, **given: Any) -> Session:
    """What the hook sees of a run, which a kill may stop as it saves a result."""
    hook, session = begun(folder, pipeline, **given)
    for node in PIPELINES[pipeline].nodes:
        for output in node.outputs:
            hook.before_dataset_saved(output)
            if output == stop_at:
                return session
            hook.after_dataset_saved(output, node)
    return session


@pytest.fixture(scope="module")
def once_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    run(folder, "data_processing")
    run(folder, "modelling")
    return folder


@pytest.fixture
def made(once_made: Path, tmp_path: Path) -> Path:
    """A project with data and a model."""
    shutil.copytree(once_made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_runs_with_the_same_parameters_find_what_others_made(made: Path) -> None:
    for pipeline in ("modelling", "reporting", "export", "inference", "search"):
        begun(made, pipeline)


@pytest.mark.parametrize(
    ("given", "named", "pipelines"),
    [
        ({"split": {"fold": 1, "folds": 5}}, "split.fold = 0 (now 1)", "data_processing"),
        ({"split": {"seed": 7}}, "split.seed = 42 (now 7)", "data_processing"),
        ({"seed": 7}, "split.seed = 42 (now 7)", "data_processing"),
        ({"pairing": {"max_cars": 3}}, "pairing.max_cars = null (now 3)", "data_processing"),
        ({"checks": {"max_megapixels": 5.0}}, "checks.max_megapixels = ", "data_processing"),
        ({"image": {"height": 96}}, "image.height = ", "data_processing"),
        ({"raw_data": "elsewhere"}, "(now elsewhere)", "data_processing"),
        ({"mask_folder": "labels"}, "mask_folder = train_masks (now labels)", "data_processing"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_training_on_other_data_is_refused(made: Path, given, named: str, pipelines: str) -> None:
    with pytest.raises(ClickException) as refusal:
        begun(made, "modelling", **given)
    assert named in refusal.value.message
    assert f"run {pipelines} again" in refusal.value.message
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"network": {"space_to_depth": 2}}, "network.space_to_depth = 1 (now 2)"),
        ({"network": {"architecture": "unet"}}, "network.architecture = segnet_unet (now unet)"),
        ({"training": {"learning_rate": 0.5}}, "training.learning_rate = "),
        ({"training": {"start_from": "m.keras"}}, "training.start_from = null (now m.keras)"),
        ({"augmentation": {"rotate": 20}}, "augmentation.rotate = 0 (now 20)"),
        ({"seed": 7, "split": {"seed": 42}}, "seed = 42 (now 7)"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_report_on_another_model_is_refused(made: Path, given, named: str) -> None:
    with pytest.raises(ClickException) as refusal:
        begun(made, "reporting", **given)
    assert "`model`" in refusal.value.message
    assert named in refusal.value.message
    assert "run modelling again" in refusal.value.message


def test_after_what_is_asked_for_the_report_is_made(made: Path) -> None:
    changed = {"augmentation": {"rotate": 20}}
    run(made, "modelling", **changed)
    begun(made, "reporting", **changed)
    with pytest.raises(ClickException, match=r"augmentation.rotate = 20 \(now 0\)"):
        begun(made, "reporting")


def test_what_changes_no_result_may_change(made: Path) -> None:
    begun(made, "modelling", training={"loader_workers": 1, "resume": False})
    begun(made, "reporting", reporting={"worst_photos": 1}, subject={"one": "shoe"})


def test_a_finished_model_predicts_without_the_parameters_of_its_training(tmp_path: Path) -> None:
    run(tmp_path, "data_processing")
    run(tmp_path, "modelling", training={"epochs": 3})
    begun(tmp_path, "inference")
    begun(tmp_path, "inference", training={"epochs": 3})
    with pytest.raises(ClickException, match=r"`model` in data was made with image.height = "):
        begun(tmp_path, "inference", image={"height": 96})
    begun(tmp_path, "inference", image={"height": 96}, model="another.keras")


def test_a_result_that_was_being_replaced_is_not_believed(made: Path) -> None:
    run(made, "data_processing", stop_at="photos")
    with pytest.raises(ClickException, match="killed while it replaced `photos`"):
        begun(made, "modelling")
    run(made, "data_processing")
    begun(made, "modelling")


def test_a_folder_that_a_node_was_filling_is_not_believed(made: Path) -> None:
    hook, _ = begun(made, "data_processing")
    (node,) = (node for node in PIPELINES["data_processing"].nodes if "photos" in node.outputs)
    hook.before_node_run(node)  # And no more.
    with pytest.raises(ClickException, match="killed while it replaced `photos`"):
        begun(made, "modelling")


def test_data_from_before_there_were_records_is_taken_as_it_is(tmp_path: Path) -> None:
    begun(tmp_path, "modelling", image={"height": 96})


def test_a_damaged_file_is_named(made: Path) -> None:
    (made / "data" / FILE).write_text('{"photos": ')
    with pytest.raises(ClickException, match=r"parameters\.json is damaged"):
        begun(made, "modelling")


def test_mlflow_is_told_of_what_a_run_and_its_data_used(made: Path) -> None:
    _, session = begun(made, "modelling")
    assert {"pairing.mask_suffix", "split.fold", "training.epochs"} <= session.used_parameters
    groups = {name.partition(".")[0] for name in session.used_parameters}
    assert not {"inference", "search", "demo_photos", "network_comparison", "runs"} & groups
    nothing_made = begun(made / "empty", "modelling")[1].used_parameters
    assert not any(name.startswith("pairing.") for name in nothing_made)


def test_results_in_memory_leave_no_record(tmp_path: Path) -> None:
    hook, session = begun(tmp_path, "modelling")
    catalog = Mock(**{"exists.return_value": False, "get.return_value": MemoryDataset()})
    hook.before_pipeline_run(PIPELINES["modelling"], catalog)
    hook.before_dataset_saved("model")
    assert not (session.data_folder / FILE).exists()


def test_raw_photos_are_the_same_by_any_path(made: Path) -> None:
    records = json.loads((made / "data" / FILE).read_text())
    raw_data = records["photo_pairs"]["data_processing"]["raw_data"]
    begun(made, "modelling", raw_data=str(made / raw_data))
