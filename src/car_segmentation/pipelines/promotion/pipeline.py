"""The promotion pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.promotion.nodes import (
    crown_candidate,
    fetch_contenders,
    judge_candidate,
)


def create_pipeline() -> Pipeline:
    """Candidate and champion of the registry → which of them others use."""
    return Pipeline(
        [
            Node(
                func=fetch_contenders,
                inputs="params:registry",
                outputs="contenders",
                name="fetch_contenders",
            ),
            Node(
                func=judge_candidate,
                inputs=["contenders", "params:seed", "params:subject"],
                outputs="promotion_decision",
                name="judge_candidate",
            ),
            Node(
                func=crown_candidate,
                inputs=["contenders", "promotion_decision"],
                outputs="promotion_verdict",
                name="crown_candidate",
            ),
        ],
        tags="promotion",
    )
