"""Parameters are checked before anything else looks at them."""

import sys
from collections.abc import Sequence
from itertools import pairwise

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from car_segmentation.core.errors import UserError
from car_segmentation.hooks.session import Session, user_errors_as_click


class ParameterChecks:
    """Fills the session that the other hooks share."""

    def __init__(self, session: Session):
        self._session = session

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check all parameters at once."""
        with user_errors_as_click():
            refuse_comments(sys.argv)
            self._session.begin(context)


def refuse_comments(words: Sequence[str]) -> None:
    """Refuse a value of ``--params`` that YAML takes for a comment, and Kedro so for nothing.

    Raises:
        UserError: If there is one.
    """
    for before, word in pairwise(["", *words]):
        option, _, values = word.partition("=")
        if option != "--params":
            values = word if before == "--params" else ""
        for value in values.split(","):
            name, _, text = value.partition("=")
            if text.lstrip().startswith("#"):
                raise UserError(
                    f"--params={value}: YAML takes what follows # for a comment, so {name} would "
                    f"have no value. Quote it once more, '{name}=\"{text.strip()}\"', or give a "
                    "colour by its name."
                )
