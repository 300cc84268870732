"""Tries commands of the docs in one process, so that the imports are paid for once.

    python tests/support/try_commands.py REPOSITORY COMMANDS.json ANSWERS.json

is called by tests/docs/test_commands.py in a small copy of the project. `KINDS` says for each kind
of command what trying it means. A command that passes has an empty answer, others the reason.
"""

import argparse
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

REPOSITORY = Path()
PYPROJECT: dict[str, Any] = {}

FOLDERS = {
    "raw_data": "data/01_raw/demo",
    "photos": "data/01_raw/new_photos",
    "predictions": "data/07_model_output/predictions",
}
"""What FOLDER, or the parameter's own name in capitals, stands for after these parameters."""
CHEAP = ("demo_photos", "data_processing", "inference", "run_comparison", "promotion")
"""Pipelines that are really run; of others, all is checked but the work itself."""
TRAINED = "demo"
"""The environment whose default pipeline is really run, too: twice, to have runs to compare."""
TRAININGS = 2
COMPETITION = "carvana-image-masking-challenge"


done: list[list[str]] = []
"""The trainings that were really run."""


class Wrong(Exception):
    """What is wrong with a command."""


class Parsed(BaseException):
    """Raised in place of a program's work, once it has accepted its arguments."""


def try_command(command: str) -> str:
    """Try a command; return what is wrong with it, or nothing."""
    words = [word for word in shlex.split(command, comments=True) if word != "…"]
    while words and re.fullmatch(r"[A-Z0-9_]+=\S*", words[0]):
        words.pop(0)
    words[0] = words[0].removeprefix(".venv/bin/")
    for beginning, kind in KINDS.items():
        parts = beginning.split()
        if words[: len(parts)] == parts:
            try:
                kind(words[len(parts) :], command)
            except (Wrong, click.ClickException) as error:
                return error.message if isinstance(error, click.ClickException) else str(error)
            except Exception as error:
                return f"{type(error).__name__}: {error}"
            return ""
    return f"of no kind in {Path(__file__).name}: say there how it is tried, or call the block text"


# Kedro -------------------------------------------------------------------------------------------


def kedro_run(words: list[str], _: str) -> None:
    """Check everything that a run checks before its work; do the work where it is cheap."""
    from kedro.framework.cli.utils import find_run_command

    from car_segmentation.networks.registry import check_options
    from car_segmentation.parameters import check_parameters

    words = [fill_in(word) for word in words]
    run = find_run_command("car_segmentation")
    options = run.make_context("run", list(words)).params
    environment = options["env"] or "local"
    if not Path("conf", environment).is_dir():
        raise Wrong(f"there is no environment {environment}")
    config = configuration(environment, options["params"])
    parameters = check_parameters(config["parameters"])
    check_options(parameters.network.architecture, parameters.network.options)
    catalog = config["catalog"]
    pipeline = picked(options)
    unknown = [name for name in pipeline.inputs() - catalog.keys() if not is_parameter(name)]
    if unknown:
        raise Wrong(f"the catalog lacks {unknown}")
    names = options["pipelines"]
    if trained := not names and environment == TRAINED and len(done) < TRAININGS:
        done.append(words)
    if trained or (names and set(names) <= set(CHEAP) and can_be_run(parameters, names)):
        if "inference" in names:
            lend_model(parameters.data_folder)
        run.main(words, standalone_mode=False)


def lend_model(data_folder: str) -> None:
    """Give an environment that has no model that of the one that is trained."""
    own, trained = Path(data_folder, "06_models"), Path("data", TRAINED, "06_models")
    if trained.is_dir() and not (own / "model.keras").exists():
        shutil.copytree(trained, own, dirs_exist_ok=True)


def fill_in(word: str) -> str:
    """Put names of folders and versions where the docs have words for them."""
    for parameter, folder in FOLDERS.items():
        for placeholder in ("FOLDER", parameter.upper()):
            word = word.replace(f"{parameter}={placeholder}", f"{parameter}={folder}")
    word = word.replace("NAME-OF-THE-COPY", "products").replace("--env=NAME", "--env=cpu")
    word = word.replace("backend=openvino", "backend=keras")  # An extra, not installed everywhere.
    word = word.replace("=group.name=value", "=training.epochs=3")
    for model in ("model=…", "model=models:/car_segmentation@champion"):
        word = word.replace(model, "model=data/demo/06_models/model.keras")
    return word.replace("registry.candidate=VERSION", "registry.candidate=1")


def configuration(environment: str, changed: dict[str, Any]) -> Any:
    from car_segmentation.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

    return CONFIG_LOADER_CLASS(
        conf_source="conf", env=environment, runtime_params=changed, **CONFIG_LOADER_ARGS
    )


def picked(options: dict[str, Any]) -> Any:
    """The nodes that a run would run."""
    from kedro.framework.project import pipelines

    names = options["pipelines"] or ["__default__"]
    missing = [name for name in names if name not in pipelines]
    if missing:
        raise Wrong(f"there are no pipelines {missing}")
    return sum((pipelines[name] for name in names[1:]), start=pipelines[names[0]]).filter(
        tags=options["tags"] or None,
        from_nodes=options["from_nodes"] or None,
        to_nodes=options["to_nodes"] or None,
        node_names=options["node_names"] or None,
        from_inputs=options["from_inputs"] or None,
        to_outputs=options["to_outputs"] or None,
    )


def is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")


def can_be_run(parameters: Any, pipelines: list[str]) -> bool:
    """Whether what these pipelines need is in the small copy of the project."""
    if parameters.cluster is not None:  # tests/core/test_dask_cluster.py has one.
        return False
    if pipelines == ["demo_photos"]:
        return True
    if pipelines == ["run_comparison"]:
        return parameters.runs.before is None
    return Path(parameters.photos if pipelines == ["inference"] else parameters.raw_data).is_dir()


def kedro_viz(words: list[str], _: str) -> None:
    from kedro_viz.launchers.cli.main import viz_cli

    accept(viz_cli, ["viz", *words])


def accept(command: click.Command, words: list[str]) -> None:
    """Let a command of click's parse its arguments, without doing its work."""
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            raise Wrong(f"{command.name} has no command {words[0]}")
        command, words = found, words[1:]
    command.make_context(command.name or "", words)


# Other programs ----------------------------------------------------------------------------------


def make(words: list[str], _: str) -> None:
    """Have make name the target's commands, and try those."""
    # Called from `make test`, it would take over its flags, and name the folder that it enters.
    variables = {name: it for name, it in os.environ.items() if not name.startswith("MAKE")}
    run = subprocess.run(
        ["make", "--dry-run", "--old-file=.venv/installed", *words],
        cwd=REPOSITORY,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise Wrong(run.stderr)
    for line in run.stdout.replace("\\\n", " ").splitlines():
        wrong = try_command(line)
        if wrong:
            raise Wrong(f"{line}: {wrong}")


def python(words: list[str], _: str) -> None:
    """Let a program parse its arguments; with -c, compile the code."""
    if words[0] == "-c":
        compile(words[1], "<docs>", "exec")
        return
    if words[0] != "-m" and "ArgumentParser" not in (REPOSITORY / words[0]).read_text("utf-8"):
        if words[1:]:
            raise Wrong(f"{words[0]} takes no arguments")
        return
    if words[:2] == ["-m", "pytest"]:
        pytest(words[2:], "")
        return
    before, parse = sys.argv, argparse.ArgumentParser.parse_args
    sys.argv = words if words[0] != "-m" else words[1:]

    def parse_only(self: argparse.ArgumentParser, *arguments: Any) -> None:
        parse(self, *arguments)
        raise Parsed

    argparse.ArgumentParser.parse_args = parse_only  # type: ignore[method-assign, assignment]
    try:
        if words[0] == "-m":
            runpy.run_module(words[1], run_name="__main__")
        else:
            runpy.run_path(str(REPOSITORY / words[0]), run_name="__main__")
    except Parsed:
        return
    except SystemExit as error:
        raise Wrong(f"{words} are no arguments for it") from error
    finally:
        sys.argv, argparse.ArgumentParser.parse_args = before, parse  # type: ignore[method-assign]
    raise Wrong("it has parsed no arguments")


def pytest(words: list[str], _: str) -> None:
    """Check that the files are there, and that -k picks a test by its name."""
    paths = [REPOSITORY / word for word in words if word.startswith("tests")]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise Wrong(f"{missing} are not there")
    if "-k" in words:
        wanted = words[words.index("-k") + 1]
        files = [file for path in paths for file in path.rglob("*.py")]
        if not any(re.search(rf"def test\w*{wanted}", file.read_text("utf-8")) for file in files):
            raise Wrong(f"no test there has {wanted!r} in its name")


def pip_install(words: list[str], _: str) -> None:
    """Check that the extras are ours."""
    for word in words:
        extras = re.fullmatch(r"\.\[([\w,-]+)\]", word)
        for extra in extras[1].split(",") if extras else []:
            if extra not in PYPROJECT["project"]["optional-dependencies"]:
                raise Wrong(f"there is no extra {extra}")


def mlflow(words: list[str], _: str) -> None:
    from mlflow.cli import cli

    accept(cli, words)


def kaggle(words: list[str], _: str) -> None:
    """The client is not here, and nor is an account: look at what can be read."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("group", choices=["competitions"])
    parser.add_argument("job", choices=["download", "submit", "submissions"])
    parser.add_argument("-c", choices=[COMPETITION], required=True)
    for option in ("-f", "-p", "-m"):
        parser.add_argument(option)
    try:
        parser.parse_args(words)
    except argparse.ArgumentError as error:
        raise Wrong(str(error)) from error


def copy(words: list[str], _: str) -> None:
    """Do it: what follows may need the copy."""
    run = subprocess.run(["cp", *words], capture_output=True, text=True, check=False)
    if run.returncode:
        raise Wrong(run.stderr)


def shell(_: list[str], command: str) -> None:
    """Have the shell read a command without doing what it says."""
    run = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
    if run.returncode:
        raise Wrong(run.stderr)


KINDS: dict[str, Callable[[list[str], str], None]] = {
    "kedro run": kedro_run,
    "kedro viz": kedro_viz,
    "kedro airflow": shell,  # A plugin of Kedro's, which is not among the dependencies.
    "make": make,
    "python3 -m venv": shell,
    "python -m pip install": pip_install,
    "python": python,
    "pytest": pytest,
    "pip install": pip_install,
    "mlflow": mlflow,  # A server: test_commands.py asks the other one, which is built from it.
    "kaggle": kaggle,
    # Tried elsewhere: the site by test_site.py, the rest by CI.
    **dict.fromkeys(("mkdocs", "ruff", "mypy", "lint-imports", ".ci/pythons"), shell),
    "cp": copy,
    # Read by the shell and no more: what they do concerns the user's machine.
    **dict.fromkeys(
        ("source", "export", "cd", "for", "echo", "curl", "rm", "find", "mv", "{"), shell
    ),
    **dict.fromkeys(
        ("git", "pre-commit", "jupyter", "dask", "ssh", "helm", "kubectl", "docker"), shell
    ),
}
"""How a command is tried, by what it begins with."""


def make_photos() -> None:
    """Render the demo's photos, and have some stand for Carvana's and for new ones."""
    wrong = try_command("kedro run --env=demo --pipelines=demo_photos")
    if wrong:
        sys.exit(wrong)
    demo, carvana = Path("data/01_raw/demo"), Path("data/01_raw/carvana")
    shutil.copytree(demo, carvana)
    photos = sorted((demo / "train").iterdir())[:3]
    for folder in (carvana / "test", Path("data/01_raw/new_photos")):
        folder.mkdir()
        for photo in photos:
            shutil.copy(photo, folder)
    rows = [f"{photo.name},1 1" for photo in photos]
    (carvana / "sample_submission.csv").write_text("\n".join(["img,rle_mask", *rows]) + "\n")


def main() -> None:
    """Answer the commands in a file."""
    global REPOSITORY, PYPROJECT  # noqa: PLW0603  Set once, before anything is tried.
    REPOSITORY = Path(sys.argv[1])
    questions, answers = Path(sys.argv[2]), Path(sys.argv[3])
    sys.path[0] = str(REPOSITORY / "benchmarks")  # Not this folder, whose names are common ones.

    import tomllib

    from kedro.framework.startup import bootstrap_project

    PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    bootstrap_project(Path.cwd())
    make_photos()
    found = {}
    for command in json.loads(questions.read_text("utf-8")):
        print(f"\n$ {command}", flush=True)  # noqa: T201
        found[command] = try_command(command)
        print(found[command], flush=True)  # noqa: T201
    answers.write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
