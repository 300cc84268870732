"""The network comparison pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.network_comparison.nodes import (
    compare_networks,
    list_candidates,
    plot_dice_against_cost,
    tabulate_networks,
)


def create_pipeline() -> Pipeline:
    """Candidates → a result of each, in a tracked run of its own → table and plot."""
    return Pipeline(
        [
            Node(
                func=list_candidates,
                inputs=["params:network_comparison", "params:training"],
                outputs="candidates",
                name="list_candidates",
            ),
            Node(
                func=compare_networks,
                inputs=[
                    "candidates",
                    "photos",
                    "soft_masks",
                    "photo_splits",
                    "params:augmentation",
                    "params:image",
                    "params:network_comparison",
                    "params:checks",
                    "params:seed",
                    "finished_networks",
                ],
                outputs="compared_networks",
                name="compare_networks",
            ),
            Node(
                func=tabulate_networks,
                inputs=["candidates", "compared_networks"],
                outputs="network_table",
                name="tabulate_networks",
            ),
            Node(
                func=plot_dice_against_cost,
                inputs="network_table",
                outputs="dice_against_cost",
                name="plot_dice_against_cost",
            ),
        ],
        tags="network_comparison",
    )
