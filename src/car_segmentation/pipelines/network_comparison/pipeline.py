"""The network comparison pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.named_node import node
from car_segmentation.pipelines.network_comparison import nodes


def create_pipeline() -> Pipeline:
    """Candidates → a result of each, in a tracked run of its own → table and plot."""
    return Pipeline(
        [
            node(
                nodes.list_candidates,
                ["params:network_comparison", "params:training"],
                "candidates",
            ),
            node(
                nodes.compare_networks,
                [
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
                "compared_networks",
            ),
            node(nodes.tabulate_networks, ["candidates", "compared_networks"], "network_table"),
            node(nodes.plot_dice_against_cost, "network_table", "dice_against_cost"),
        ],
        tags="network_comparison",
    )
