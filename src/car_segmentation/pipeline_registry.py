"""The project's pipelines."""

from kedro.pipeline import Pipeline

from car_segmentation.pipelines import (
    corrections_export,
    corrections_import,
    data_processing,
    demo_photos,
    export,
    inference,
    modelling,
    network_comparison,
    promotion,
    reporting,
    review,
    run_comparison,
    search,
)
from car_segmentation.pipelines.namespaces import in_namespace


def register_pipelines() -> dict[str, Pipeline]:
    """Map names, as given to ``kedro run --pipelines``, to pipelines."""
    # As boxes: the 30 nodes of the whole run, side by side, cannot be read. One node is in two
    # pipelines, but can only be in one box.
    data = in_namespace("data_processing", data_processing.create_pipeline())
    network = modelling.create_pipeline()
    pipelines = {
        "demo_photos": demo_photos.create_pipeline(),
        "data_processing": data,
        "modelling": data.only_nodes_with_tags("modelling")
        + in_namespace("modelling", network - data),
        "reporting": in_namespace("reporting", reporting.create_pipeline()),
        "inference": inference.create_pipeline(),
        "corrections_export": corrections_export.create_pipeline(),
        "corrections_import": corrections_import.create_pipeline(),
        "export": export.create_pipeline(),
        "network_comparison": network_comparison.create_pipeline(),
        "promotion": promotion.create_pipeline(),
        "review": review.create_pipeline(),
        "run_comparison": run_comparison.create_pipeline(),
        "search": search.create_pipeline(),
    }
    pipelines["__default__"] = (
        pipelines["data_processing"] + pipelines["modelling"] + pipelines["reporting"]
    )
    return pipelines
