"""The graph that Kedro-Viz shows reads from one layer to the next."""

from pathlib import Path

import pytest
import yaml
from kedro.pipeline.node import Node

from car_segmentation.pipeline_registry import register_pipelines

CATALOG = yaml.safe_load((Path(__file__).parents[2] / "conf/base/catalog.yml").read_text())
LAYERS = {
    name: entry["metadata"]["kedro-viz"]["layer"]
    for name, entry in CATALOG.items()
    if not name.startswith("_")
}
NODES = {node.name: node for pipeline in register_pipelines().values() for node in pipeline.nodes}


@pytest.mark.parametrize("node", NODES.values(), ids=NODES)
def test_layers_follow_each_other(node: Node) -> None:
    before = [LAYERS[name] for name in node.inputs if name in LAYERS]
    after = [LAYERS[name] for name in node.outputs if name in LAYERS]
    assert max(before, default="") <= min(after, default="99")


def test_the_default_is_the_three_pipelines_in_their_order() -> None:
    pipelines = register_pipelines()
    names = [node.name for node in pipelines["__default__"].nodes]
    parts = ("data_processing", "modelling", "reporting")
    assert set(names) == {node.name for part in parts for node in pipelines[part].nodes}
    assert names.index("augment") < names.index("train_network") < names.index("predict_photos")
