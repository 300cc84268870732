"""The promotion pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.promotion.nodes import (
    compare_with_champion,
    fetch_versions,
    update_champion,
)


def create_pipeline() -> Pipeline:
    """Candidate and champion of the registry → which of them others use."""
    return Pipeline(
        [
            Node(
                func=fetch_versions,
                inputs="params:registry",
                outputs="versions",
                name="fetch_versions",
            ),
            Node(
                func=compare_with_champion,
                inputs=["versions", "params:seed", "params:subject"],
                outputs="promotion_decision",
                name="compare_with_champion",
            ),
            Node(
                func=update_champion,
                inputs=["versions", "promotion_decision"],
                outputs="promotion_verdict",
                name="update_champion",
            ),
        ],
        tags="promotion",
    )
