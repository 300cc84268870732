"""The cases of `fault_table.py`: what is damaged, and the command that meets it."""

import fcntl
import io
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.bad_photos import write_bad_photos
from tests.support.photos import write_discs
from tests.support.small_disks import remount, small_disk

PREDICT = "--pipelines=inference", "--params=photos=data/01_raw/discs/train,predictions=predictions"
REPORT = ("--pipelines=reporting",)
TRAIN = ("--pipelines=modelling",)
PROCESS = ("--pipelines=data_processing",)
RESUMED = (*TRAIN, "--params=training.epochs=8,training.patience=8")
"""A training that the template has begun, and not finished."""


@dataclass(frozen=True)
class Case:
    """A fault, and the command that meets it.

    Attributes:
        kind: Heading in the table.
        name: What is wrong.
        command: Arguments of ``kedro run``.
        prepare: Does it to a project; what it enters on the stack ends after the run.
        variables: Of the environment.
        shown: What a run that went on shows of it, from the project; None: its last warning.
    """

    kind: str
    name: str
    command: tuple[str, ...]
    prepare: Callable[[Path, ExitStack], object] = lambda project, stack: None
    variables: dict[str, str] = field(default_factory=dict)
    shown: Callable[[Path], str] | None = None


# State files --------------------------------------------------------------------------------------
STATE: dict[str, tuple[str, ...]] = {
    "06_models/threshold.json": REPORT,
    "06_models/history.json": (*REPORT, "--nodes=plot_learning_curves"),
    "06_models/model.keras": REPORT,
    "05_model_input/photo_splits.csv": REPORT,
    # The rest of the pipeline makes it again.
    "05_model_input/augmentation.json": (*RESUMED, "--nodes=train_network"),
    "05_model_input/photos/index.json": TRAIN,
    "05_model_input/photos/pixels.npy": TRAIN,
    "08_reporting/photo_scores.csv": (*REPORT, "--nodes=draw_error_maps"),
    "06_models/checkpoints/*/last.npz": RESUMED,
    "mlflow.db": (*REPORT, "--nodes=plot_learning_curves"),
    ".finished.jsonl": PREDICT,
}
"""Files that a run leaves for a later one, and what reads them."""


def _state_file(project: Path, pattern: str) -> Path:
    """The newest file of a name; LookupError if this version writes none."""
    found = [path for path in project.rglob(pattern) if "mlruns" not in path.parts]
    return sorted(found, key=lambda path: path.stat().st_mtime)[-1]


Edit = Callable[[bytes], bytes]


def _cut(content: bytes) -> bytes:
    return content[: np.random.default_rng(17).integers(1, len(content) - 1)]


DAMAGES: dict[str, Edit] = {
    "cut short": _cut,
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "binary": lambda content: np.random.default_rng(17).bytes(len(content)),
    "a page of HTML": lambda content: b"<html>404 Not Found</html>\n",
}


def _json_edit(change: Callable[[dict[str, Any]], object]) -> Edit:
    def edit(content: bytes) -> bytes:
        values = json.loads(content)
        change(values)
        return json.dumps(values).encode()

    return edit


def _ids(values: dict[str, Any]) -> list[str]:
    return values["ids"]


def _car_in_two_splits(content: bytes) -> bytes:
    table = pd.read_csv(io.BytesIO(content), dtype=str)
    table.loc[table.index[table["split"] == "train"][0], "split"] = "test"
    return table.to_csv(index=False).encode()


EDITS: dict[str, dict[str, Edit]] = {
    "06_models/threshold.json": {
        f"a threshold of {value}": _json_edit(lambda v, value=value: v.update(threshold=value))
        for value in (float("nan"), 7, -0.1, "high")
    },
    "05_model_input/photo_splits.csv": {
        "a car in two splits": _car_in_two_splits,
        "a split called dev": lambda content: content.replace(b"validation", b"dev"),
        "semicolons": lambda content: content.replace(b",", b";"),
    },
    "05_model_input/photos/index.json": {
        "longer than the pixels": _json_edit(lambda v: _ids(v).append("another")),
        "in another order": _json_edit(lambda v: _ids(v).reverse()),
    },
    "05_model_input/photos/pixels.npy": {
        "photos in another order": lambda content: content[:128] + content[128:][::-1],
    },
    "08_reporting/photo_scores.csv": {
        "a column less": lambda content: content.replace(b"dice", b"iou", 1),
    },
    ".finished.jsonl": {
        "of another version": lambda content: content.replace(b'"height"', b'"rows"'),
    },
}


def _damage(pattern: str, edit: Edit, project: Path, stack: ExitStack) -> None:
    path = _state_file(project, pattern)
    whole = path.read_bytes()
    path.write_bytes(edit(whole))
    assert path.read_bytes() != whole, pattern


def _other_mlflow(project: Path, stack: ExitStack) -> None:
    with closing(sqlite3.connect(project / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0'")


def _state_cases() -> Iterator[Case]:
    for pattern, command in STATE.items():
        for how, edit in (DAMAGES | EDITS.get(pattern, {})).items():
            yield Case("state", f"{pattern}: {how}", command, partial(_damage, pattern, edit))
    yield Case("state", "mlflow.db: of another MLflow", STATE["mlflow.db"], _other_mlflow)


# Photos that hang ---------------------------------------------------------------------------------
NEW = "--pipelines=inference", "--params=photos=new,predictions=out"


def _among_good(name: str, project: Path, stack: ExitStack) -> None:
    (project / "new").mkdir()
    for other in write_bad_photos(project / "new"):
        if other != name:
            (project / "new" / other).unlink()
    write_discs(project / "new", 2)


def _row_of(part: str, project: Path) -> str:
    """What the table of predictions says of a photo, as it stands there."""
    lines = (project / "out/predictions.csv").read_text(errors="replace").split("\n")
    return next((line for line in lines if part in line), "(not in predictions.csv)")


def _pipe(name: str, project: Path, stack: ExitStack) -> None:
    path = project / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _photo_cases() -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as folder:
        names = write_bad_photos(Path(folder))
    for name in names:
        shown = partial(_row_of, name)
        yield Case("hangs", f"inference: {name}", NEW, partial(_among_good, name), shown=shown)
    raw = "data/01_raw/discs"
    for name in ("train/000000000001_01.jpg", "train_masks/000000000001_01_mask.gif"):
        yield Case("hangs", f"{name} is a pipe", PROCESS, partial(_pipe, f"{raw}/{name}"))
    yield Case("hangs", "metadata.csv is a pipe", PROCESS, partial(_pipe, f"{raw}/metadata.csv"))
    for option in ("submission=true,inference.sample_submission", "composites"):
        command = (PREDICT[0], f"{PREDICT[1]}2,inference.{option}=pipe.png")
        name = option.split(".")[-1]
        yield Case("hangs", f"{name} is a pipe", command, partial(_pipe, "pipe.png"))


# Models and names ---------------------------------------------------------------------------------
def _model_cases(folder: Path) -> Iterator[Case]:
    from tests.support.unfit_models import unfit_files

    (folder / "threshold.json").write_text('{"threshold": 0.5}')
    for number, (problem, content) in enumerate(unfit_files(folder / "model.keras").items()):
        path = folder / f"{number}.keras"
        path.write_bytes(content)
        command = PREDICT[0], f"{PREDICT[1]}2,model={path}"
        yield Case("model", problem, command)


NAMES = {
    "a line break": "a\nb",
    "an escape sequence": "\x1b[31mred",
    "HTML": "<img src=x onerror=alert(1)>",
    "a formula": "=1+1",
    "text from right to left": "\u202egpj.exe",
    "bytes that are not UTF-8": os.fsdecode(b"\xff\xfe"),
    "250 bytes": 240 * "n",
}


def _named(name: str, project: Path, stack: ExitStack) -> None:
    write_discs(project / "new", 2)
    (project / "new/000.png").rename(project / "new" / f"{name} x.png")


def _all_named(name: str, project: Path, stack: ExitStack) -> None:
    raw = project / "data/01_raw/discs"
    for path in [*(raw / "train").iterdir(), *(raw / "train_masks").iterdir()]:
        path.rename(path.with_name(f"{name} {path.name}"))


def _name_cases() -> Iterator[Case]:
    for what, name in NAMES.items():
        prepare = partial(_named, name)
        yield Case("name", f"inference: {what}", NEW, prepare, shown=partial(_row_of, " x.png"))
    for what in ("a line break", "an escape sequence", "HTML", "a formula"):
        yield Case("name", f"training: {what}", (), partial(_all_named, NAMES[what]))


# The machine --------------------------------------------------------------------------------------
NODES = {
    "resize_photos": PROCESS,
    "train_network": TRAIN,
    "predict_photos": REPORT,
    "predict_new_photos": (PREDICT[0], PREDICT[1] + "2"),
}
FAULTS = {
    **{"disk": ("full disk", 1000), "inodes": ("no inodes", 0), "size": ("ulimit -f", 1000)},
    **{"memory": ("no memory", 20), "rename": ("full disk as files are renamed", 0)},
    **{"shm": ("no /dev/shm", 0), "database": ("locked database", 0)},
    **{"clock": ("clock set back", 100), "kill": ("SIGKILL", 0.2)},
    **{"terminate": ("SIGTERM", 0.2), "interrupt": ("Ctrl-C", 0.2)},
}


def _read_only(project: Path, stack: ExitStack) -> None:
    remount(project, "ro")


def _little_room(project: Path, stack: ExitStack) -> None:
    temporary = stack.enter_context(small_disk(project / "temporary", megabytes=1))
    (temporary / "full").write_bytes(bytes(1 << 20))


def _future(project: Path, stack: ExitStack) -> None:
    for path in (project / "data").rglob("*"):
        os.utime(path, (4e9, 4e9))


def _in_use(project: Path, stack: ExitStack) -> None:
    for path in list(project.rglob(".in_use*")):
        file = stack.enter_context(path.open("w"))
        fcntl.flock(file, fcntl.LOCK_EX)


def _changed(
    column: str, change: Callable[[Path], object], project: Path, stack: ExitStack
) -> None:
    table = pd.read_csv(_state_file(project, "05_model_input/photo_splits.csv"))
    change(project / table.loc[table["split"] == "test", column].iloc[0])


def _enlarge(path: Path) -> None:
    with Image.open(path) as image:
        larger = image.resize((100, 80))
    larger.save(path)


def _machine_cases() -> Iterator[Case]:
    for kind, (name, number) in FAULTS.items():
        for node, command in NODES.items():
            # There is none from the beginning.
            first = kind == "shm" and command == PROCESS
            fault = {"FAULT": f"{kind} {'pair_photos_with_masks' if first else node} {number}"}
            yield Case("machine", f"{node}: {name}", command, variables=fault)
    nowhere, full = {"HOME": "/proc/nowhere"}, {"TMPDIR": "temporary"}
    for node, command in NODES.items():
        yield Case("machine", f"{node}: read-only disk", command, _read_only)
        yield Case("machine", f"{node}: full TMPDIR", command, _little_room, full)
        yield Case("machine", f"{node}: no HOME", command, variables=nowhere)
        yield Case("machine", f"{node}: two runs at once", command, _in_use)
    yield Case("machine", "results from the future", REPORT, _future)
    changes: dict[str, Callable[[Path], object]] = {
        "gone": Path.unlink,
        "cut": lambda path: path.write_bytes(path.read_bytes()[:200]),
        "enlarged": _enlarge,
    }
    for column in ("photo_path", "mask_path"):
        for how, change in changes.items():
            name = f"{column.split('_')[0]} {how} after data_processing"
            yield Case("machine", name, REPORT, partial(_changed, column, change))


def all_cases(folder: Path) -> list[Case]:
    """All of them; a folder takes the models that some need."""
    machine = _machine_cases()
    return [*_state_cases(), *_photo_cases(), *_name_cases(), *_model_cases(folder), *machine]
