"""Merge an environment's parameters into those of ``conf/base``, and ``--params`` into both."""

from collections.abc import Mapping
from typing import Any

ENTIRE = ("network_comparison.candidates", "search.space")
"""Groups that an environment names in full: entries of base's would be unwanted guests."""
NETWORK, ARCHITECTURE = "network", "architecture"


def merge_parameters(
    base: Mapping[str, Any], changes: Mapping[str, Any], entire: tuple[str, ...] = ENTIRE
) -> dict[str, Any]:
    """Change single parameters of a group, however deep, and keep its others.

    Lists are replaced. Another architecture begins without the options of the one before, which it
    may not have.

    Args:
        base: Groups of parameters.
        changes: Likewise; what they do not name stays.
        entire: Groups, by dotted name, that are replaced in full.

    Example:
        >>> merge_parameters({"image": {"height": 64, "width": 96}}, {"image": {"height": 32}})
        {'image': {'height': 32, 'width': 96}}
    """
    return _merged(base, changes, entire, "")


def _merged(
    base: Mapping[str, Any], changes: Mapping[str, Any], entire: tuple[str, ...], prefix: str
) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        old, dotted = base.get(name), f"{prefix}{name}"
        merged[name] = value
        if dotted in entire or not isinstance(value, Mapping) or not isinstance(old, Mapping):
            continue
        if dotted != NETWORK or not _is_another(old, value):
            merged[name] = _merged(old, value, entire, f"{dotted}.")
    return merged


def _is_another(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """True if a group of parameters names another network than the one before."""
    return ARCHITECTURE in new and new[ARCHITECTURE] != old.get(ARCHITECTURE)
