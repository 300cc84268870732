"""Run the project as ``python -m car_segmentation``."""

import sys
from pathlib import Path
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:
    """Run ``kedro run`` on this package."""
    package_name = Path(__file__).parent.name
    configure_project(package_name)
    # From a notebook, return what the run returns; from a shell, exit with its code.
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    return find_run_command(package_name)(*args, **kwargs)


if __name__ == "__main__":
    main()
