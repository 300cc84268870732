"""Commands for a single thing, without a project: ``python -m car_segmentation COMMAND``.

Each imports what it needs when it runs: they start in the time that their work takes.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from car_segmentation.core.errors import UserError


def run(words: Sequence[str]) -> None:
    """Run a command; a mistake of the user's ends it with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m car_segmentation")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_roll_back(commands)
    arguments = parser.parse_args(words)
    try:
        arguments.run(arguments)
    except UserError as error:
        sys.exit(str(error))


def _add_roll_back(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "roll-back", help="make the previous champion of a registered model the champion again"
    )
    parser.add_argument("name", help="of the registered model, such as car_segmentation")
    parser.set_defaults(run=_roll_back)


def _roll_back(arguments: argparse.Namespace) -> None:
    import mlflow

    from car_segmentation.experiments import model_registry
    from car_segmentation.experiments.tracking_server import tracking_uri

    mlflow.set_tracking_uri(tracking_uri(Path.cwd()))
    now, before = model_registry.roll_back(arguments.name)
    print(f"Version {now} of {arguments.name} is the champion, in place of {before}.")  # noqa: T201
