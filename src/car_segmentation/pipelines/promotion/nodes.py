"""Nodes of the promotion pipeline."""

import logging
from typing import Any

from car_segmentation.experiments import model_registry as models
from car_segmentation.experiments.model_registry import Contender
from car_segmentation.experiments.promotion import Decision, decide
from car_segmentation.parameters import Registry, Subject

logger = logging.getLogger(__name__)

Contenders = tuple[Contender, Contender | None]
"""The candidate, and the champion if there is one."""


def fetch_contenders(registry: dict[str, Any]) -> Contenders:
    """Fetch the candidate and the champion, with the scores of their test photos."""
    settings = Registry(**registry)
    return models.contenders(settings.name, settings.candidate)


def judge_candidate(contenders: Contenders, seed: int, subject: dict[str, str]) -> Decision:
    """Say whether the candidate is better beyond noise, on the test photos that both scored."""
    candidate, champion = contenders
    rival = None if champion is None else champion.run
    return decide(candidate.run, rival, seed, Subject(**subject))


def crown_candidate(contenders: Contenders, promotion_decision: Decision) -> str:
    """Move the alias if the candidate is better, tag it, and say what was done and why."""
    candidate, champion = contenders
    rival = "" if champion is None else f" in place of version {champion.version}"
    if promotion_decision.promoted:
        verdict = f"Version {candidate.version} is the champion now{rival}: "
        models.crown(candidate)
    elif champion is not None and champion.version == candidate.version:
        verdict = f"Version {candidate.version} stays the champion: "
    else:
        verdict = f"Version {candidate.version} does not become champion{rival}: "
    verdict += promotion_decision.why
    models.note_verdict(candidate, verdict)
    logger.info("%s", verdict)
    return verdict
