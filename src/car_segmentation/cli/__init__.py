"""The project's commands: Kedro looks here for them, and for ``run``."""

from car_segmentation.cli.run_command import cli, run

__all__ = ["cli", "run"]
