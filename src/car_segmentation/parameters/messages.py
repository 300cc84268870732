"""Messages about wrong parameters; former names of parameters."""

from collections.abc import Mapping
from typing import Any

RENAMED: dict[str, str] = {
    **{
        f"{group}.{name}": f"prediction.{name}"
        for group in ("reporting", "inference")
        for name in ("flip", "scales", "ensemble")
    },
    "inference.batch_size": "prediction.batch_size",
    "inference.tiles": "prediction.tiles",
    "reporting.prediction_batch_size": "prediction.batch_size",
    "network.fold": "network.space_to_depth",
    "reporting.suspect_masks": "reporting.label_errors",
    "training.accumulate_batches": "training.gradient_accumulation_steps",
    "training.adam_rate": "training.adamw_lr_multiplier",
    "training.average_momentum": "training.ema_momentum",
    "training.clip_norm": "training.global_clipnorm",
    "training.encoder_rate": "training.encoder_lr_multiplier",
    "training.stages.edge_share": "training.stages.edge_crop_probability",
    "training.stages.show": "training.stages.mode",
    "training.stages.until": "training.stages.end_fraction",
    "training.warmup_share": "training.warmup_fraction",
}
"""Old names of parameters, dotted and without positions in lists, and their current names."""

RENAMED_IN_STAGES = {
    "'edge_share'": "'edge_crop_probability'",
    "'resized'": "'resize'",
    "'show'": "'mode'",
    "'until'": "'end_fraction'",
    "'window'": "'crop'",
}
"""The same for ``training.stages``, which MLflow has as one text."""


def current_name(name: str) -> str | None:
    """The current name of a parameter that was renamed; None for any other name.

    Example:
        >>> current_name("training.stages.0.until")
        'training.stages.end_fraction'
    """
    return RENAMED.get(".".join(part for part in name.split(".") if not part.isdigit()))


def in_current_names(logged: Mapping[str, str]) -> dict[str, str]:
    """The parameters of an MLflow run, perhaps of an earlier version, by their current names."""
    current = {RENAMED.get(name, name): value for name, value in logged.items()}
    if "training.stages" in current:
        for old, new in RENAMED_IN_STAGES.items():
            current["training.stages"] = current["training.stages"].replace(old, new)
    return current


def problem_text(details: Any, group: str = "") -> str:
    """One error of pydantic's as a sentence, with the parameter's name and value.

    Args:
        details: As in ``ValidationError.errors()``.
        group: The group that was validated, where it was not all parameters together.
    """
    name = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        new_name = current_name(f"{group}.{name}" if group else name)
        return f"{name}: is called {new_name} now" if new_name else f"{name}: unknown parameter"
    if details["type"] == "missing":
        return f"{name}: missing"
    message = details["msg"].removeprefix("Value error, ")
    if not name:  # Said of all parameters together, by one of the checks above.
        return message
    if details["type"] == "value_error" and isinstance(details["input"], Mapping):
        return f"{name}.{message}"  # Said of a whole group.
    return f"{name} = {details['input']!r}: {message[0].lower()}{message[1:]}"
