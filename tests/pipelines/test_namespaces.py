import pytest
from kedro.pipeline import Node, Pipeline

from car_segmentation.pipeline_registry import register_pipelines
from car_segmentation.pipelines.namespaces import in_namespace
from car_segmentation.training.stop_reasons import AFTER_TRAINING

BOXES = ("data_processing", "modelling", "reporting")


def test_the_whole_run_is_three_boxes_one_after_another() -> None:
    whole = register_pipelines()["__default__"]
    assert {node.namespace for node in whole.nodes} == set(BOXES)
    boxes = {name: whole.only_nodes_with_namespaces([name]) for name in BOXES}
    for place, name in enumerate(BOXES):
        for later in BOXES[place + 1 :]:
            assert not boxes[name].inputs() & boxes[later].all_outputs()


def test_a_node_has_one_name_in_the_whole_run_and_in_its_part() -> None:
    pipelines = register_pipelines()
    names = {node.name for name in BOXES for node in pipelines[name].nodes}
    assert names == {node.name for node in pipelines["__default__"].nodes}
    assert not any("." in name for name in names)
    after = pipelines["__default__"].from_nodes("choose_threshold")
    assert {"choose_threshold", "track_model", "write_report"} <= {n.name for n in after.nodes}
    assert "train_network" not in {n.name for n in after.nodes}


def test_the_command_after_a_stopped_training_runs_all_that_follows_it() -> None:
    pipelines, nodes = register_pipelines(), AFTER_TRAINING.partition("--from-nodes=")[2]
    whole = pipelines["modelling"] + pipelines["reporting"]
    following = {node.name for node in whole.from_nodes("train_network").nodes}
    run = whole.from_nodes(*nodes.split(","))
    assert {node.name for node in run.nodes} == following - {"train_network"}


@pytest.mark.parametrize(("outputs", "made"), [("one", {"one": 3}), (["a", "b"], {"a": 3, "b": 1})])
def test_a_node_in_a_box_does_what_it_did(outputs: str | list[str], made: dict[str, int]) -> None:
    def count(*given: int) -> int | tuple[int, int]:
        return sum(given) if outputs == "one" else (sum(given), given[0])

    flat = Pipeline([Node(count, ["x", "params:y"], outputs, name="count", tags="t")])
    (node,) = in_namespace("box", flat).nodes
    assert node.run({"x": 1, "params:y": 2}) == made
    assert (node.name, node.namespace, node.tags) == ("count", "box", {"t"})
