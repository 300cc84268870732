"""Runs Kedro in processes of their own that need not import its libraries again.

Importing Kedro, MLflow and TensorFlow takes several times as long as a run on a few small photos.
This server imports them once, reads requests from its standard input, one JSON object a line, and
forks for each: the child is a fresh process but for these imports, and imports the project's own
code from where it is sent. The answers are its process id and, when it has ended, its exit code.
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PRELOADED = (
    *("tensorflow", "keras", "mlflow", "mlflow.keras", "kedro_mlflow.framework.hooks"),
    *("kedro.framework.cli.cli", "kedro.framework.session", "kedro.runner"),
    *("cv2", "pandas", "plotly.graph_objects", "pydantic", "skimage.measure", "scipy.ndimage"),
)
"""Slow to import, without threads of their own as long as they are not used."""


class KedroServer:
    """The server, as its client sees it."""

    def __init__(self) -> None:
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        variables["COLUMNS"] = "1000"  # Kedro's handler of logs takes its width as it is imported.
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", __name__],
            cwd=Path(__file__).parents[2],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *request: Any, **options: Any) -> int:
        """Do what ``python -m kedro`` does in a folder; return its exit code: see `start`."""
        self.start(*request, **options)
        return self.answer()

    def start(
        self,
        arguments: list[str],
        folder: Path,
        variables: dict[str, str],
        console: Path,
        seconds: int = 0,
    ) -> int:
        """Begin to do what ``python -m kedro`` does in a folder; return the process' id.

        Args:
            arguments: Those of the command.
            folder: Where it is called.
            variables: Its environment.
            console: The file for what it writes.
            seconds: After so many, SIGALRM ends it, and all processes that it began; 0: never.
        """
        request = {
            "arguments": arguments,
            "folder": str(folder),
            "variables": variables,
            "console": str(console),
            "seconds": seconds,
        }
        assert self._process.stdin
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self.answer()

    def answer(self) -> int:
        """Read the next answer; after `start` it is the exit code, and must be read."""
        assert self._process.stdout
        return int(self._process.stdout.readline())


@functools.cache
def kedro_server() -> KedroServer:
    """The one of this process, started when it is first asked for; it ends with this process."""
    return KedroServer()


def serve() -> None:
    """Answer requests until there are no more; in a child, become what was asked for."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What libraries print is no answer.
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()  # Else every child looks through all of it for garbage.
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            answers.close()
            become(**request)
            return
        print(child, file=answers, flush=True)
        _, status = os.waitpid(child, 0)
        if request["seconds"]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def become(
    arguments: list[str], folder: str, variables: dict[str, str], console: str, seconds: int
) -> None:
    """Do what ``python -m kedro`` does in a folder, its output going to a file."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Jobs in the background ignore it.
    if seconds:
        os.setsid()
        signal.alarm(seconds)
    sys.stdin = open(os.devnull)  # noqa: SIM115  As long as the process.
    output = os.open(console, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv[1:] = arguments
    runpy.run_module("kedro", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve()
