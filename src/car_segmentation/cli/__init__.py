"""The project's commands: Kedro looks here for them."""

from car_segmentation.cli.run_command import cli

__all__ = ["cli"]
