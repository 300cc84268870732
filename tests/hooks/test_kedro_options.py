"""Options of `kedro run` that cannot be followed end in a sentence; a packed conf/ works."""

import json
import shutil

import pytest

from tests.support.projects import Project


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--runner=ParallelRunner", "ParallelRunner cannot pass this project's datasets"),
        ("--tags=nosuch", "Pipeline contains no nodes after applying all provided filters"),
        ("--pipelines=nosuch", "Failed to find the pipeline named 'nosuch'"),
        ("--nodes=nosuch", "Pipeline does not contain nodes named ['nosuch']"),
        ("--from-inputs=nosuch", "Pipeline does not contain datasets named ['nosuch']"),
        ("--namespaces=nosuch", "Pipeline does not contain nodes with the following namespaces"),
        ("--env=tini", "--env=tini: "),
        ("--conf-source=pyproject.toml", "{path}/pyproject.toml is no configuration"),
        ("--runner=nosuch.Runner", "--runner=nosuch.Runner cannot be used (No module named"),
        ("--runner=NoSuchRunner", "--runner=NoSuchRunner cannot be used (module 'kedro.runner'"),
        ("--runner=pathlib.Path", "--runner=pathlib.Path cannot be used (it is no runner)"),
        ("--runner-params=nosuch=3", "--runner-params=nosuch=3 cannot be used (Sequential"),
        ("--runner-params=a={b}_c", "--runner-params=a={b}_c cannot be used (expected"),
        ("--params=a=1,b.c={d}_e*", "--params=b.c={d}_e* cannot be used (expected"),
        ("--params=a=${nosuch}", "conf/ or --params: a cannot be filled in (Interpolation"),
        ("--load-versions=model", "--load-versions=model cannot be used (Expected the form"),
        ("--pipelines=modelling --pipeline=reporting", "Options '--pipeline' and '--pipelines'"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(empty_project: Project, option: str, says: str) -> None:
    written = empty_project.fail(*option.split())
    assert f"Error: {says.replace('{path}', str(empty_project.path))}" in written
    assert written.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("run: {env: tiny", "expected ',' or '}'"),
        ("env: tiny", "it is of another kind"),
        ("", "it is of another kind"),
        ("run: 5", "it is of another kind"),
        ("run: {nosuch: 1}", "Key `nosuch` in provided configuration is not valid)"),
        ("run: {params: 5}", "it is of another kind"),
        ("run: {runner: NoSuchRunner}", "module 'kedro.runner' has no attribute 'NoSuchRunner'"),
    ],
)
def test_options_in_a_file_are_explained_as_well(
    content: str, reason: str, empty_project: Project
) -> None:
    file = empty_project.path / "run.yml"
    file.write_text(content)
    written = empty_project.fail(f"--config={file}")
    assert f"cannot be used ({reason}" in written and written.count("\n") == 1


def test_a_text_with_signs_of_yaml_is_quoted_as_the_message_says(empty_project: Project) -> None:
    given = "--params=pairing.mask_pattern={photo}_seg*"
    assert "'--params=NAME=\"TEXT\"'" in empty_project.fail(given)
    quoted = given.replace("{photo}_seg*", '"{photo}_seg*"')
    assert "There are no photos in" in empty_project.fail(quoted)


@pytest.mark.parametrize("form", ["gztar", "zip"])
def test_a_packed_configuration_is_read(empty_project: Project, form: str) -> None:
    conf = empty_project.path / "conf"
    archive = shutil.make_archive(str(conf), form, empty_project.path, "conf")
    shutil.rmtree(conf / "tiny")  # That it is not read beside the archive.
    parameters = "--params=demo_photos.cars=1,demo_photos.height=64,demo_photos.width=96"
    empty_project.succeed(f"--conf-source={archive}", "--pipelines=demo_photos", parameters)
    assert list(empty_project.path.glob("data/01_raw/demo/train/*.jpg"))


@pytest.mark.slow
def test_only_what_is_missing_and_slices(project: Project) -> None:
    slices = project.results / "08_reporting/slices.csv"
    before = slices.read_bytes()
    slices.unlink()
    says = project.succeed("--only-missing-outputs")
    assert slices.read_bytes() == before
    assert "Running slice_scores" in says and "Running train_network" not in says
    assert "not implemented" not in says and "not compared" not in says
    slices.unlink()
    part = ("--pipelines=reporting", "--from-inputs=photo_scores", "--to-outputs=slices")
    assert project.succeed(*part).count("Running ") == 1
    assert slices.read_bytes() == before
    # A later run is compared with the one that has photos, and not with that of what was missing.
    assert "not compared" not in project.succeed("--pipelines=reporting")


@pytest.mark.slow
def test_the_parts_one_after_another(project: Project) -> None:
    """As a scheduler runs them: Airflow's DAG has a task for each."""
    before = project.dice()
    for folder in ("05_model_input", "06_models", "08_reporting"):
        shutil.rmtree(project.results / folder)
    for part in ("data_processing", "modelling", "reporting"):
        project.succeed(f"--namespaces={part}")
    assert project.dice() == before


@pytest.mark.slow
def test_loading_and_saving_in_threads(project: Project) -> None:
    table = project.results / "02_intermediate/photo_table.csv"
    before = table.read_bytes()
    project.succeed("--pipelines=data_processing", "--async")
    assert table.read_bytes() == before


@pytest.mark.slow
def test_other_commands_of_kedro(empty_project: Project) -> None:
    registered = empty_project.call_kedro("registry", "list")
    assert "- __default__\n" in registered and "- inference\n" in registered
    nodes = empty_project.call_kedro("registry", "describe", "modelling")
    assert "- train_network (train_network)" in nodes
    words = ("--env=tiny", "--pipeline=data_processing")
    datasets = empty_project.call_kedro("catalog", "describe-datasets", *words)
    assert "car_segmentation.datasets.image_stack.ImageStackDataset:" in datasets
    assert empty_project.call_kedro("catalog", "list-patterns") == "- '{default}'\n\n"
    model = empty_project.path / "data/tiny/06_models/model.keras"
    entries = empty_project.call_kedro("catalog", "resolve-patterns", "--env=tiny")
    assert f"filepath: {model}\n" in entries


@pytest.mark.slow
def test_the_graph_is_built(empty_project: Project) -> None:
    empty_project.call_kedro("viz", "build")
    graph = json.loads((empty_project.path / "build/api/main").read_text())
    assert {node["name"] for node in graph["nodes"]} >= {"train_network", "photo_splits"}
