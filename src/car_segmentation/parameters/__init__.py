"""Schema of ``conf/**/parameters*.yml``: names, types, ranges.

Units and sources of the values are in the comments of ``conf/base``.
"""

from car_segmentation.parameters.data import (
    CARS,
    AnnotationFormat,
    AugmentationRanges,
    Checks,
    DemoPhotos,
    Fractions,
    ImageSize,
    Masks,
    Pairing,
    Split,
    Subject,
)
from car_segmentation.parameters.experiments import (
    ComparedRuns,
    ComparisonCandidate,
    Export,
    NetworkComparison,
    Registry,
    RunComparison,
)
from car_segmentation.parameters.group import Parameters, flatten
from car_segmentation.parameters.labelling import Labelling
from car_segmentation.parameters.prediction import (
    CanvasOptions,
    Inference,
    PredictionOptions,
    Reporting,
    Review,
    TileOptions,
)
from car_segmentation.parameters.project import ProjectParameters, check_parameters
from car_segmentation.parameters.search_space import (
    Search,
    SearchRange,
    with_values,
)
from car_segmentation.parameters.training import Network, Stage, Training

__all__ = [
    "CARS",
    "AnnotationFormat",
    "AugmentationRanges",
    "CanvasOptions",
    "Checks",
    "ComparedRuns",
    "ComparisonCandidate",
    "DemoPhotos",
    "Export",
    "Fractions",
    "ImageSize",
    "Inference",
    "Labelling",
    "Masks",
    "Network",
    "NetworkComparison",
    "Pairing",
    "Parameters",
    "PredictionOptions",
    "ProjectParameters",
    "Registry",
    "Reporting",
    "Review",
    "RunComparison",
    "Search",
    "SearchRange",
    "Split",
    "Stage",
    "Subject",
    "TileOptions",
    "Training",
    "check_parameters",
    "flatten",
    "with_values",
]
