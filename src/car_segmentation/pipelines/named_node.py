"""Nodes that are called like their functions."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node

Names = str | list[str] | dict[str, str] | None
"""Of data sets and of parameters."""


def node(
    function: Callable[..., Any],
    inputs: Names,
    outputs: Names,
    name: str | None = None,
    tags: str | list[str] | None = None,
) -> Node:
    """A node with the name of its function, where it has none of its own.

    Kedro would add a digest of its inputs and outputs to that, for ``--from-nodes`` to repeat.
    """
    return Node(function, inputs, outputs, name=name or function.__name__, tags=tags)
