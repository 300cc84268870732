"""The search pipeline."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines.named_node import node
from car_segmentation.pipelines.search import nodes


def create_pipeline() -> Pipeline:
    """Space → trials, each a tracked run of its own → table, plot and the best parameters."""
    return Pipeline(
        [
            node(
                nodes.search_parameters,
                [
                    "photos",
                    "soft_masks",
                    "photo_splits",
                    "params:augmentation",
                    "params:image",
                    "params:network",
                    "params:training",
                    "params:search",
                    "params:seed",
                    "search_folder",
                ],
                "search_records",
            ),
            node(
                nodes.tabulate_trials,
                ["search_records", "params:search", "params:data_folder"],
                "search_trials",
            ),
            node(nodes.plot_trials, ["search_records", "params:search"], "trials_plot"),
            node(
                nodes.write_best_parameters,
                {
                    "search_records": "search_records",
                    "raw_data": "params:raw_data",
                    "data_folder": "params:data_folder",
                    **{
                        name: f"params:{name}"
                        for name in (
                            *("seed", "pairing", "checks", "split", "image", "augmentation"),
                            *("network", "training", "reporting", "registry"),
                        )
                    },
                },
                "best_parameters",
            ),
        ],
        tags="search",
    )
