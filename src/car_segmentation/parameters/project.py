"""All parameters of the project, checked at once."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import NonNegativeInt, ValidationError, model_validator

from car_segmentation.core.errors import UserError
from car_segmentation.core.places import is_store, unusable_address
from car_segmentation.parameters.data import (
    CARS,
    AnnotationFormat,
    AugmentationRanges,
    Checks,
    DemoPhotos,
    ImageSize,
    Masks,
    Pairing,
    Split,
    Subject,
)
from car_segmentation.parameters.experiments import (
    ComparedRuns,
    Export,
    NetworkComparison,
    Registry,
    RunComparison,
)
from car_segmentation.parameters.group import Parameters, Text, flatten
from car_segmentation.parameters.labelling import Labelling
from car_segmentation.parameters.messages import problem_text
from car_segmentation.parameters.prediction import (
    Inference,
    PredictionOptions,
    Reporting,
    Review,
)
from car_segmentation.parameters.search_space import SEARCHED_GROUPS, Search, space_problems
from car_segmentation.parameters.training import Network, Training


class ProjectParameters(Parameters):
    """All parameters of the project."""

    raw_data: str
    data_folder: Text = "data"
    photo_folder: str = "train"
    mask_folder: str = "train_masks"
    subject: Subject = CARS
    photos: str
    predictions: str
    model: str
    tasks: str = "data/07_model_output/tasks"
    cluster: Text | None = None
    seed: NonNegativeInt
    demo_photos: DemoPhotos
    pairing: Pairing
    annotations: Text | tuple[str, ...] | None = None
    annotation_format: AnnotationFormat = "auto"
    corrections: Text = "corrections"
    masks: Masks = Masks()
    checks: Checks
    split: Split
    image: ImageSize
    augmentation: AugmentationRanges
    network: Network
    training: Training
    prediction: PredictionOptions
    reporting: Reporting
    inference: Inference
    labelling: Labelling = Labelling()
    review: Review = Review()
    registry: Registry
    export: Export
    network_comparison: NetworkComparison
    runs: ComparedRuns
    run_comparison: RunComparison
    search: Search

    @model_validator(mode="after")
    def _candidates_can_be_trained(self) -> Self:
        for name, candidate in self.network_comparison.candidates.items():
            try:
                Training(**self.training.model_dump() | candidate.training)
            except ValidationError as error:
                problems = "; ".join(
                    problem_text(details, "training") for details in error.errors()
                )
                raise ValueError(
                    f"the training of network_comparison.candidates.{name}: {problems}"
                ) from None
        return self

    @model_validator(mode="after")
    def _mirrored_photos_say_something(self) -> Self:
        if self.review.mirrored and self.prediction.flip:
            raise ValueError(
                "review.mirrored: with prediction.flip a mirrored photo gets the same mask. Set "
                "one of the two to false"
            )
        return self

    @model_validator(mode="after")
    def _stages_fit_into_photos(self) -> Self:
        for stage in self.training.stages:
            if stage.height > self.image.height or stage.width > self.image.width:
                raise ValueError(
                    f"training.stages: {stage.width}×{stage.height} is larger than the photos, "
                    f"{self.image.width}×{self.image.height} (image.width, image.height)"
                )
        return self

    @model_validator(mode="after")
    def _pictures_of_all_photos_are_local(self) -> Self:
        of_all = self.inference.submission or self.inference.canvas is not None
        if of_all and is_store(self.predictions):
            raise ValueError(
                f"predictions = {self.predictions!r}: a submission and canvases are made of files "
                "in a folder of this machine. Leave out inference.submission and "
                "inference.canvas, or give such a folder"
            )
        return self

    @model_validator(mode="after")
    def _space_can_be_searched(self) -> Self:
        groups = {name: getattr(self, name).model_dump() for name in SEARCHED_GROUPS}
        problems = space_problems(self.search.space, groups)
        if problems:
            raise ValueError("\n  ".join(problems))
        return self


NOT_LOCAL = (
    *("cluster", "model", "training.start_from", "labelling.photo_url"),
    *("raw_data", "photos", "predictions"),
)
"""Parameters that may be addresses; all others that are places are folders and files."""


def check_parameters(parameters: Mapping[str, Any]) -> ProjectParameters:
    """Check all parameters at once.

    Raises:
        UserError: One message that lists every parameter that is unknown, missing, of the wrong
            type or out of range, with its value.
    """
    problems = [
        f"{name} = {value!r}: {problem}"
        for name, value in flatten(dict(parameters)).items()
        if name not in NOT_LOCAL and (problem := unusable_address(value))
    ]
    try:
        checked = ProjectParameters.model_validate(dict(parameters))
    except ValidationError as error:
        problems += [problem_text(details) for details in error.errors()]
    if problems:
        raise UserError(
            "These parameters (conf/ or --params) cannot be used:\n  " + "\n  ".join(problems)
        )
    return checked
