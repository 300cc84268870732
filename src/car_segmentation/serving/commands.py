"""Commands for a single thing, without a project: ``python -m car_segmentation COMMAND``.

Each imports what it needs when it runs: they start in the time that their work takes.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from car_segmentation.core.errors import UserError

if TYPE_CHECKING:
    from car_segmentation.serving.photo_model import PhotoModel

MODEL_VARIABLE = "CAR_SEGMENTATION_MODEL"
DEFAULT_MODEL = "data/06_models/model.keras"


def run(words: Sequence[str]) -> None:
    """Run a command; a mistake of the user's ends it with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m car_segmentation")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_cut_out(commands)
    _add_roll_back(commands)
    _add_upload_run(commands)
    arguments = parser.parse_args(words)
    try:
        arguments.run(arguments)
    except UserError as error:
        sys.exit(str(error))


def _add_cut_out(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from car_segmentation.serving.picture_options import RequestOptions

    parser = commands.add_parser("cut-out", help="cut what a model finds out of photos")
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument(
        "--model",
        default=os.environ.get(MODEL_VARIABLE, DEFAULT_MODEL),
        help="FILE.keras or FILE.onnx with threshold.json beside it, models:/NAME@ALIAS or "
        f"runs:/RUN/model; ${MODEL_VARIABLE}, or {DEFAULT_MODEL}",
    )
    parser.add_argument("--to", type=Path, default=Path(), help="the folder of the results")
    for name, field in RequestOptions.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        help_ = (field.description or "").replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(option, action="store_const", const="true", help=help_)
        else:
            parser.add_argument(option, help=help_)
    parser.set_defaults(run=_cut_out)


def _cut_out(arguments: argparse.Namespace) -> None:
    """Write mask and cut-out of each photo, and print JSON; status 1 if one cannot be used."""
    import threading

    from car_segmentation.core.files import atomic_file
    from car_segmentation.data.image_files import Limits
    from car_segmentation.serving.answers import Asked
    from car_segmentation.serving.picture_options import RequestOptions
    from car_segmentation.serving.problems import Problem

    given = {
        name: value
        for name in RequestOptions.model_fields
        if (value := getattr(arguments, name)) is not None
    }
    background = Path(given.get("background", ""))
    if background.is_file():
        given["background"] = background.read_bytes()
    try:
        options = RequestOptions.of(given, "cut_out")
    except Problem as problem:
        raise UserError(problem.detail) from None
    model = _load(arguments.model)
    asked = Asked("cut_out", model, Limits(), options)
    described, failed = [], False
    for path in arguments.photos:
        try:
            found = asked.find(_read(path), threading.Event())
            answer = asked.picture(found)
            if asked.has_canvas:
                answer = asked.lay_out(answer, [answer.box], threading.Event())
        except Problem as problem:
            failed = True
            described.append({"photo": str(path), "problem": problem.detail})
            continue
        files = {
            "mask": (arguments.to / f"{path.stem}_mask.png", found.mask_png()),
            "cut_out": (arguments.to / f"{path.stem}_cut_out.png", answer.png),
        }
        for file, content in files.values():
            with atomic_file(file) as part:
                part.write_bytes(content)
        names = {kind: str(file) for kind, (file, _) in files.items()}
        described.append({"photo": str(path), **names, **answer.as_dict()})
    text = json.dumps({"model": asdict(model.identity), "photos": described}, ensure_ascii=False)
    print(text)  # noqa: T201
    if failed:
        sys.exit(1)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def _load(model: str) -> "PhotoModel":
    """A model by its address in the project's database of MLflow, or from a file."""
    from car_segmentation.core.optional_imports import KERAS_EXTRAS, left_out
    from car_segmentation.core.places import is_mlflow_model
    from car_segmentation.serving.photo_model import current_version, load_model

    if is_mlflow_model(model):
        _track()
        return load_model(model, current_version(model))
    version = current_version(model)
    with left_out(*KERAS_EXTRAS):
        return load_model(model, version)


def _track() -> None:
    import mlflow

    from car_segmentation.experiments.tracking_server import tracking_uri

    mlflow.set_tracking_uri(tracking_uri(Path.cwd()))


def _add_roll_back(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "roll-back", help="make the previous champion of a registered model the champion again"
    )
    parser.add_argument("name", help="of the registered model, such as car_segmentation")
    parser.set_defaults(run=_roll_back)


def _roll_back(arguments: argparse.Namespace) -> None:
    from car_segmentation.experiments import model_registry

    _track()
    now, before = model_registry.roll_back(arguments.name)
    print(f"Version {now} of {arguments.name} is the champion, in place of {before}.")  # noqa: T201


def _add_upload_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "upload-run", help="copy a run of this project's own MLflow database to a server"
    )
    parser.add_argument("run_id", metavar="RUN", help="its id, or the beginning of it")
    parser.add_argument("--to", required=True, metavar="ADDRESS", help="of the MLflow server")
    parser.set_defaults(run=_upload_run)


def _upload_run(arguments: argparse.Namespace) -> None:
    from car_segmentation.experiments.artifact_paths import relocate
    from car_segmentation.experiments.run_upload import upload_run
    from car_segmentation.experiments.tracking_server import (
        DATABASE,
        fail_fast,
        own_database,
        without_password,
    )

    if not Path(DATABASE).is_file():
        raise UserError(f"There is no {DATABASE} here: call this in the project's folder.")
    fail_fast()
    relocate(Path.cwd())
    copy = upload_run(arguments.run_id, own_database(Path.cwd()), arguments.to)
    done = "was there before" if copy.was_there else "is there now"
    under = f" with {copy.children} under it" if copy.children else ""
    print(  # noqa: T201
        f"The run {done}{under}, as {copy.run_id} on {without_password(arguments.to)}."
    )
