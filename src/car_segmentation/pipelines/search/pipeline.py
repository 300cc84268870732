"""The search pipeline."""

from kedro.pipeline import Node, Pipeline

from car_segmentation.pipelines.search.nodes import (
    plot_trials,
    search_parameters,
    tabulate_trials,
    write_best_parameters,
)


def create_pipeline() -> Pipeline:
    """Space → trials, each a tracked run of its own → table, plot and the best parameters."""
    return Pipeline(
        [
            Node(
                func=search_parameters,
                inputs=[
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
                outputs="search_records",
                name="search_parameters",
            ),
            Node(
                func=tabulate_trials,
                inputs=["search_records", "params:search", "params:data_folder"],
                outputs="search_trials",
                name="tabulate_trials",
            ),
            Node(
                func=plot_trials,
                inputs=["search_records", "params:search"],
                outputs="trials_plot",
                name="plot_trials",
            ),
            Node(
                func=write_best_parameters,
                inputs={
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
                outputs="best_parameters",
                name="write_best_parameters",
            ),
        ],
        tags="search",
    )
