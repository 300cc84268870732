"""The docs are true to the code: every command is tried, every link leads somewhere.

Commands are the lines of fenced blocks without a language, and whatever else in the text begins
like one. They are tried in a small copy of the project; try_commands.py says how.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from car_segmentation.parameters import ComparisonCandidate, check_parameters
from car_segmentation.parameters.merge import merge_parameters
from tests.support.projects import REPOSITORY, copy_code

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

FENCE = re.compile(r"^ *```(?P<language>[^\n`]*)\n(?P<body>.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = ("", "sh", "bash", "shell", "console")
INLINE = re.compile(r"`([^`]+)`")
LIKE_A_COMMAND = re.compile(r"(kedro|make|python|pytest|pip|mlflow|kaggle|KERAS_BACKEND=\w+) \S")
OPTIONS_OF_A_RUN = re.compile(r"--(params|env|pipelines|from-nodes|to-nodes|nodes|tags)=")

TINY = {
    "image": {"height": 32, "width": 48},
    "network": {
        "architecture": "segnet_unet",
        "filters": [4, 8],
        "centre_filters": 8,
        "batch_norm_momentum": 0.5,
    },
    "demo_photos": {"cars": 5, "height": 64, "width": 96},
}
"""Groups of parameters that the small copy has in place of the project's, in every environment."""
LESS = {
    "training": {
        "epochs": 2,
        "stages": [],
        "batch_size": 16,
        "precision": "float32",
        "loader_workers": 1,
    },
    "reporting": {"worst_photos": 1, "random_photos": 1, "label_errors": 1},
    "registry": {"name": "car_segmentation"},
}
"""The same, of single parameters."""


@dataclass(frozen=True)
class Command:
    """A command, and the page and line that it is on."""

    words: str
    place: str


def commands(page: Path) -> Iterator[Command]:
    """The commands of a page."""
    text = page.read_text(encoding="utf-8")
    for block in FENCE.finditer(text):
        if block["language"].strip() in SHELL:
            for words in lines_of_shell(block["body"]):
                yield Command(words, place(page, text, block.start()))
    prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    for code in INLINE.finditer(prose):
        words = " ".join(code[1].split())
        if OPTIONS_OF_A_RUN.match(words):
            words = f"kedro run {words}"
        if LIKE_A_COMMAND.match(words):
            yield Command(words, place(page, prose, code.start()))


def lines_of_shell(body: str) -> Iterator[str]:
    """Whole commands: lines that are continued, or whose quotes are open, are put together."""
    command = ""
    for line in body.splitlines():
        command += line
        if command.endswith("\\"):
            command = command[:-1]
            continue
        if command.rstrip().endswith("|") or not is_closed(command):
            command += "\n"
            continue
        if shlex.split(command, comments=True):
            yield command.strip()
        command = ""
    assert not command, f"a command has no end: {command}"


def is_closed(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def place(page: Path, text: str, start: int) -> str:
    line = text[:start].count("\n") + 1
    return f"{page.relative_to(REPOSITORY)}:{line}"


COMMANDS = [command for page in PAGES for command in commands(page)]
BROKEN = [
    "kedro run --env=demo --params=training.epoch=3",
    "kedro run --env=demo --params=training.epochs=none",
    "kedro run --env=dmeo",
    "kedro run --pipelines=reportin",
    "kedro run --pipeline-names=reporting",
    "kedro run --from-nodes=choose_treshold",
    "kedro run --params=network.depth=3",
    "kedro viz biuld",
    "make tset",
    "python benchmarks/scorin.py FOLDER",
    "python benchmarks/scoring.py",
    "python -m car_segmentation.servin MODEL",
    "python -m car_segmentation.serving MODEL --prot 5001",
    "pytest tests/netwroks",
    "pip install -e '.[onnxx]'",
    "mlflow models serv --model-uri MODEL",
    "kaggle competitions download -c carvana",
    "for archive in *.zip; unzip",
    "carve run",
]
"""Commands with one mistake each, which has to be found."""


@dataclass
class Workshop:
    """The small copy of the project after all commands were tried."""

    path: Path
    wrong: dict[str, str]
    console: str


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Workshop:
    project = small_project(tmp_path_factory.mktemp("docs") / "project")
    shutil.copy(empty_database, project)
    words = list(dict.fromkeys([command.words for command in COMMANDS] + BROKEN))
    # Trainings come first, for the rest wants their models.
    words.sort(key=lambda it: not it.startswith("kedro run --env=demo") or "--pipelines" in it)
    questions, answers = project / "commands.json", project / "answers.json"
    questions.write_text(json.dumps(words), encoding="utf-8")
    script = REPOSITORY / "tests" / "support" / "try_commands.py"
    console = call(project, str(script), str(REPOSITORY), str(questions), str(answers))
    assert answers.exists(), console
    return Workshop(project, json.loads(answers.read_text(encoding="utf-8")), console)


def small_project(path: Path) -> Path:
    """A copy of the project whose jobs take seconds."""
    copy_code(path)
    for file in path.glob("conf/*/parameters*.yml"):
        groups = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        groups |= {name: TINY[name] for name in groups.keys() & TINY.keys()}
        for name in groups.keys() & LESS.keys():
            groups[name] |= LESS[name]
        file.write_text(yaml.safe_dump(groups), encoding="utf-8")
    return path


def variables(project: Path) -> dict[str, str]:
    """Of processes that work in the small copy, with its code and this interpreter."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    code = str(project / "src")
    return {**os.environ, "PATH": path, "PYTHONPATH": code, "DO_NOT_TRACK": "1", "COLUMNS": "200"}


def call(project: Path, *arguments: str) -> str:
    """Call Python in the small copy; return all that it wrote."""
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=variables(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        check=False,
    )
    return run.stdout


def test_commands_are_found() -> None:
    assert {"make run", "make test", "kedro run --pipelines=inference"} <= {
        command.words.split(" --params")[0] for command in COMMANDS
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", COMMANDS, ids=lambda command: f"{command.place} {command.words}"
)
def test_a_command_works(workshop: Workshop, command: Command) -> None:
    assert workshop.wrong[command.words] == "", workshop.console[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_command_is_found(workshop: Workshop, words: str) -> None:
    assert workshop.wrong[words]


def test_lines_of_shell() -> None:
    body = "# why\nkedro run \\\n  --env=demo\n\necho 'a\nb' |\n  cat  # end\n"
    assert list(lines_of_shell(body)) == ["kedro run   --env=demo", "echo 'a\nb' |\n  cat  # end"]


@pytest.mark.slow
class TestTheService:
    """The server and the request of docs/serving.md, for the model that was promoted above."""

    def test_a_photo_goes_in_and_its_mask_comes_out(self, workshop: Workshop) -> None:
        page = [c.words for c in COMMANDS if c.place.startswith("docs/serving.md")]
        (serve,) = (words for words in page if words.startswith("python -m car_segmentation."))
        asks = [words for words in page if "curl" in words]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        project = workshop.path
        photo = next((project / "data/01_raw/demo/train").iterdir())
        shutil.copy(photo, project / "photo.jpg")
        with (project / "server.log").open("w") as log:
            server = subprocess.Popen(
                [sys.executable, *shlex.split(serve.replace("5001", port))[1:]],
                cwd=project,
                env=variables(project),
                stdout=log,
                stderr=log,
            )
        try:
            wait_for(server, f"http://127.0.0.1:{port}/ping")
            for ask in asks:
                (project / "mask.png").unlink(missing_ok=True)
                subprocess.run(
                    ["bash", "-c", ask.replace("5001", port)],
                    cwd=project,
                    env=variables(project),
                    check=True,
                    timeout=120,
                )
                with Image.open(project / "mask.png") as mask, Image.open(photo) as original:
                    assert mask.size == original.size
                    assert not any(mask.histogram()[1:255])  # 0 or 255 alone.
        finally:
            server.terminate()
            server.wait(30)


def wait_for(server: subprocess.Popen[bytes], address: str) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        assert server.poll() is None
        try:
            urllib.request.urlopen(address, timeout=5)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"{address} does not answer")


# Everything else in the pages that can be wrong ---------------------------------------------------

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
LINKS = [
    (page, target)
    for page in PAGES
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    if not re.match(r"[a-z]+:", target)
]


@pytest.mark.parametrize(
    ("page", "target"), LINKS, ids=[f"{page.name} {target}" for page, target in LINKS]
)
def test_a_link_leads_somewhere(page: Path, target: str) -> None:
    file, _, anchor = target.partition("#")
    path = (page.parent / file) if file else page
    assert path.exists()
    if anchor:
        assert anchor in anchors(path.read_text(encoding="utf-8"))


def anchors(text: str) -> list[str]:
    """What headings are called in links, on GitHub and on the site alike."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return [
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    ]


PATH = re.compile(r"(?:conf|src|tests|benchmarks|docs|notebooks)/[\w./*-]*")
NAMED_PATHS = sorted(
    {
        path
        for page in PAGES
        for code in INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
        for path in PATH.findall(code)
        if code.startswith(path)
    }
)


@pytest.mark.parametrize("path", NAMED_PATHS)
def test_a_file_that_the_text_names_is_there(path: str) -> None:
    made_by_the_reader = ("conf/local", "conf/local/credentials.yml", "conf/shoes")
    assert list(REPOSITORY.glob(path.rstrip("/"))) or path in made_by_the_reader


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and content of every block in a language."""
    return [
        (page.name, block["body"])
        for page in PAGES
        for block in FENCE.finditer(page.read_text(encoding="utf-8"))
        if block["language"].strip() == language
    ]


@pytest.mark.parametrize(("page", "body"), blocks("python"))
def test_code_compiles(page: str, body: str) -> None:
    compile(body, page, "exec")


@pytest.mark.parametrize(("page", "body"), blocks("yaml"))
def test_configuration_is_accepted(page: str, body: str) -> None:
    base: dict[str, Any] = {}
    for file in (REPOSITORY / "conf" / "base").glob("parameters*.yml"):
        base |= yaml.safe_load(file.read_text(encoding="utf-8"))
    base |= dict.fromkeys(("raw_data", "photos", "predictions", "model"), "")
    given = yaml.safe_load(body)
    if "apiVersion" in given:  # Kubernetes'.
        return
    if given.keys() <= base.keys():
        check_parameters(merge_parameters(base, given))
        return
    # Pieces of groups, or of the compared networks.
    globals_file = REPOSITORY / "conf" / "base" / "globals.yml"
    known = names_in(base) | yaml.safe_load(globals_file.read_text(encoding="utf-8")).keys()
    for name in given.keys() - known:
        ComparisonCandidate(**given[name])


def names_in(values: dict[str, Any]) -> set[str]:
    """All names in nested dictionaries."""
    inner = [names_in(value) for value in values.values() if isinstance(value, dict)]
    return set(values).union(*inner)
