"""Run the project as ``python -m car_segmentation``.

Its own commands are ``cut-out``, ``roll-back`` and ``upload-run``; everything else is for
`kedro run`.
"""

import sys
from pathlib import Path
from typing import Any

COMMANDS = ("cut-out", "roll-back", "upload-run")
"""Those of `serving.commands`."""


def main(*args: Any, **kwargs: Any) -> Any:
    """Run a command of its own, or ``kedro run`` on this package."""
    if not args and not kwargs and sys.argv[1:] and sys.argv[1] in COMMANDS:
        from car_segmentation.serving import commands

        return commands.run(sys.argv[1:])
    from kedro.framework.cli.utils import find_run_command
    from kedro.framework.project import configure_project

    package_name = Path(__file__).parent.name
    configure_project(package_name)
    # From a notebook, return what the run returns; from a shell, exit with its code.
    kwargs["standalone_mode"] = not hasattr(sys, "ps1")
    return find_run_command(package_name)(*args, **kwargs)


if __name__ == "__main__":
    main()
