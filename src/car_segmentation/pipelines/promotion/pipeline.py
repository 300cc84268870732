"""The promotion pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.named_node import node
from car_segmentation.pipelines.promotion import nodes


def create_pipeline() -> Pipeline:
    """Candidate and champion of the registry → which of them others use."""
    return Pipeline(
        [
            node(nodes.fetch_versions, "params:registry", "versions"),
            node(
                nodes.compare_with_champion,
                ["versions", "params:seed", "params:subject"],
                "promotion_decision",
            ),
            node(nodes.update_champion, ["versions", "promotion_decision"], "promotion_verdict"),
        ],
        tags="promotion",
    )
