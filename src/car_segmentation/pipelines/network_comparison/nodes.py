"""Nodes of the network comparison pipeline."""

import logging
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.core.parallel import in_fresh_process
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.experiments import tracking
from car_segmentation.experiments.comparison_table import comparison_table, verdict
from car_segmentation.experiments.network_comparison import (
    Candidate,
    CandidateResult,
    ComparisonSetup,
    augmentation_of,
    digest,
    train_and_score,
)
from car_segmentation.networks.keras_start import start_keras
from car_segmentation.parameters import Checks, ImageSize, Network, NetworkComparison, Training
from car_segmentation.pipelines.slow_types import Figure

logger = logging.getLogger(__name__)

Records = dict[str, dict[str, Any]]


def list_candidates(
    network_comparison: dict[str, Any], training: dict[str, Any]
) -> dict[str, Candidate]:
    """List each network to compare with its training, and check the options of all."""
    with suppress_native_stderr():
        from car_segmentation.networks.registry import check_options

    candidates = {}
    for name, settings in NetworkComparison(**network_comparison).candidates.items():
        network, full_width = settings.network, None
        if settings.full_width:
            full_width = Network(**network.model_dump() | settings.full_width)
        for variant in filter(None, (network, full_width)):
            check_options(variant.architecture, variant.options)
        candidates[name] = Candidate(
            name, network, Training(**training | settings.training), full_width
        )
    return candidates


def compare_networks(
    candidates: dict[str, Candidate],
    photos: ImageStack,
    soft_masks: ImageStack,
    photo_splits: pd.DataFrame,
    augmentation: dict[str, Any],
    image: dict[str, Any],
    network_comparison: dict[str, Any],
    checks: dict[str, Any],
    seed: int,
    finished_networks: Records,
) -> Iterator[Records]:
    """Train and score each network in a process and a run of its own, but for finished ones."""
    settings = NetworkComparison(**network_comparison)
    max_megapixels = Checks(**checks).max_megapixels
    setup = ComparisonSetup(
        photos=photos,
        soft_masks=soft_masks,
        photo_splits=photo_splits,
        image=ImageSize(**image),
        augmentation=augmentation_of(augmentation),
        minutes=settings.minutes,
        timed_steps=settings.timed_steps,
        seed=seed,
    )
    for number, (name, candidate) in enumerate(candidates.items(), start=1):
        fingerprint, finished = digest(candidate, setup), finished_networks.get(name, {})
        if finished.get("digest") == fingerprint:
            logger.info("%s (%d of %d) is finished already.", name, number, len(candidates))
            tracking.reparent_run(finished["run_id"])
            yield {name: finished}
            continue
        logger.info("Training %s (%d of %d) …", name, number, len(candidates))
        with tracking.child_run(name, candidate.network.architecture) as run_id:
            train = partial(
                _train_in_own_process, candidate, setup, max_megapixels, tracking.uri(), run_id
            )
            result = in_fresh_process(train, f"The network {name}")
        logger.info("%s: Dice %.4f", name, result.dice_mean)
        yield {name: asdict(result) | {"digest": fingerprint, "run_id": run_id}}


def tabulate_networks(candidates: dict[str, Candidate], compared_networks: Records) -> pd.DataFrame:
    """Put the results of all candidates into a table, the best first, and say who won."""
    table = comparison_table([compared_networks[name] for name in candidates])
    tracking.annotate_comparison(verdict(table), table)
    logger.info("%s\n%s", verdict(table), table.iloc[:, :9].to_string(index=False))
    return table


def plot_dice_against_cost(network_table: pd.DataFrame) -> Figure:
    """Show the Dice of each network against what training and predicting a photo costs."""
    from car_segmentation.report.plots.experiments import dice_against_cost

    return dice_against_cost(network_table)


def _train_in_own_process(
    candidate: Candidate,
    setup: ComparisonSetup,
    max_megapixels: float,
    tracking_uri: str,
    run_id: str | None,
) -> CandidateResult:
    """Train and score a candidate, and log to its run."""
    start_keras()
    from car_segmentation.datasets.models import TrackedModelDataset
    from car_segmentation.serving import ServedModel

    tracking.resume_run(tracking_uri, run_id)
    model, result, scores = train_and_score(candidate, setup, tracking.log_epoch)
    tracking.log_result(
        {
            "test.dice_mean": result.dice_mean,
            "test.dice_median": result.dice_median,
            "test.dice_worst": result.dice_worst,
            "test.edge_error_px": result.edge_error_px,
            "validation.dice_mean": result.validation_dice,
            "threshold": result.threshold,
            "cost.training_seconds_per_photo": result.training_seconds_per_photo,
            "cost.prediction_ms_per_photo": result.prediction_ms_per_photo,
            "cost.peak_memory_gb": result.peak_memory_gb,
            "cost.training_minutes": result.training_minutes,
            "parameters": result.parameters,
        },
        {"network": candidate.network.model_dump(), "training": candidate.training.model_dump()},
        scores,
    )
    example = np.asarray(setup.photos.pixels[0])
    served = ServedModel(model, result.threshold, max_megapixels, example)
    TrackedModelDataset("model").save(served)
    return result
