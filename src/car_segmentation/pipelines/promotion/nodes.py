"""Nodes of the promotion pipeline."""

import logging
from typing import Any

from car_segmentation.experiments import model_registry as models
from car_segmentation.experiments.model_registry import RegisteredVersion
from car_segmentation.experiments.promotion import Decision, decide
from car_segmentation.parameters import Registry, Subject

logger = logging.getLogger(__name__)

Versions = tuple[RegisteredVersion, RegisteredVersion | None]
"""The candidate, and the champion if there is one."""


def fetch_versions(registry: dict[str, Any]) -> Versions:
    """Fetch the candidate and the champion, with the scores of their test photos."""
    settings = Registry(**registry)
    return models.candidate_and_champion(settings.name, settings.candidate)


def compare_with_champion(versions: Versions, seed: int, subject: dict[str, str]) -> Decision:
    """Say whether the candidate is significantly better, on the test photos that both scored."""
    candidate, champion = versions
    rival = None if champion is None else champion.run
    return decide(candidate.run, rival, seed, Subject(**subject))


def update_champion(versions: Versions, promotion_decision: Decision) -> str:
    """Move the alias if the candidate is better, tag it, and say what was done and why."""
    candidate, champion = versions
    rival = "" if champion is None else f" in place of version {champion.version}"
    if promotion_decision.promoted:
        verdict = f"Version {candidate.version} is the champion now{rival}: "
        models.set_champion(candidate.name, candidate.version)
    elif champion is not None and champion.version == candidate.version:
        verdict = f"Version {candidate.version} stays the champion: "
    else:
        verdict = f"Version {candidate.version} does not become champion{rival}: "
    verdict += promotion_decision.why
    models.note_verdict(candidate, verdict)
    logger.info("%s", verdict)
    return verdict
