"""Pipelines as boxes that Kedro-Viz opens and closes."""

from kedro.pipeline import Node, Pipeline


class NamespacedNode(Node):
    """A node in a namespace that keeps its name.

    Kedro puts the namespace before the name; ``kedro run --from-nodes=choose_threshold`` would then
    need another name for the whole run than for its part.
    """

    @property
    def name(self) -> str:
        """The name alone."""
        return self.short_name


def in_namespace(namespace: str, pipeline: Pipeline) -> Pipeline:
    """Group the nodes of a pipeline, under their own names and with the same data sets."""
    return Pipeline(
        [
            NamespacedNode(
                func=node.func,
                inputs=node.inputs,
                outputs=node.outputs if len(node.outputs) > 1 else node.outputs[0],
                name=node.short_name,
                tags=node.tags,
                namespace=namespace,
            )
            for node in pipeline.nodes
        ]
    )
