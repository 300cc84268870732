"""Every file that a run leaves for a later one, damaged in every way: named, and never believed.

Each case damages one file and reads it as the later run does. It must end in a `UserError` that
names the file and says what to do, or give what was there before.
"""

import json
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from click import ClickException
from kedro.io import AbstractDataset, DatasetError

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_stack import new_stack, read_stack
from car_segmentation.experiments import search_study
from car_segmentation.experiments.artifact_paths import relocate
from car_segmentation.experiments.tracking_server import check_own_database
from car_segmentation.hooks.data_parameters import read_records
from car_segmentation.parameters import Search, SearchRange
from car_segmentation.prediction.photo_record import PhotoRecord
from car_segmentation.prediction.resume_journal import Journal
from car_segmentation.prediction.threshold_file import threshold_beside
from car_segmentation.training.checkpoints import Checkpoint
from car_segmentation.training.early_stopping import Progress

REPOSITORY = Path(__file__).parents[2]
MENDS = ("again", "Delete", "Restart", "move the file away", "delete this one", "Train a model")


def catalog_entry(name: str, file: Path) -> AbstractDataset:
    """An entry of the project's catalog that reads another file."""
    entry = yaml.safe_load((REPOSITORY / "conf/base/catalog.yml").read_text())[name]
    entry = entry.get("dataset", entry)
    entry |= {"filepath": str(file)} | ({"project": ""} if "project" in entry else {})
    return AbstractDataset.from_config(name, entry)


# What a run leaves, each written by the project's own code ---------------------------------------
SPLITS = pd.DataFrame(
    {
        "photo_id": [f"{car}_{view}" for car in "abcd" for view in (1, 2)],
        "car": [car for car in "abcd" for _ in (1, 2)],
        "foreground_share": np.linspace(0.1, 0.8, 8),
        "photo_path": "/p.jpg",
        "mask_path": "/m.png",
        "split": ["train"] * 4 + ["validation"] * 2 + ["test"] * 2,
    }
)
SCORES = SPLITS[["photo_id", "car"]].assign(dice=np.linspace(0.2, 0.9, 8), edge_error_px=1.5)
SAVED: dict[str, tuple[str, Any]] = {
    "threshold": ("threshold.json", {"threshold": 0.4, "validation_dice": 0.9}),
    "history": ("history.json", {"loss": [0.5, 0.25], "val_loss": [0.5, 0.375]}),
    "augmentation": (
        "augmentation.json",
        {
            **{"shift": 0.1, "scale": 0.1, "rotate": 2.0, "probability": 0.5},
            **{"flip_probability": 0.5, "border": "reflect"},
        },
    ),
    "upper_bound": ("upper_bound.json", {"photos": 4, "dice_mean": 0.98, "edge_error_px": 0.5}),
    "photo_splits": ("photo_splits.csv", SPLITS),
    "photo_scores": ("photo_scores.csv", SCORES),
}


def entry_kind(name: str) -> "Kind":
    file, data = SAVED[name]

    def write(folder: Path) -> Path:
        catalog_entry(name, folder / file).save(data)
        return folder / file

    return Kind(write, lambda path: catalog_entry(name, path).load())


def write_model_threshold(folder: Path) -> Path:
    path = folder / "threshold.json"
    path.write_text(json.dumps({"threshold": 0.4}))
    return path


def write_photos(folder: Path) -> Path:
    """A stack; `read_stack` is asked for its folder."""
    rng = np.random.default_rng(1)
    with new_stack(folder / "photos", ["a", "b", "c"], (8, 6, 3), "uint8") as writer:
        for row in range(3):
            writer.write(row, rng.integers(0, 256, (8, 6, 3), np.uint8))
    return folder / "photos"


def read_photos(path: Path) -> list[Any]:
    stack = read_stack(path.parent)
    return [stack.ids, np.asarray(stack.pixels).tolist()]


ORIGIN = {"model": "0" * 40, "threshold": 0.4}


def write_journal(folder: Path) -> Path:
    journal = Journal(folder / ".finished.jsonl", ORIGIN)
    for name in ("a", "b"):
        photo = folder / f"{name}.jpg"
        photo.write_bytes(b"photo")
        journal.append(photo, PhotoRecord(photo.name, 48, 64, 0.25, 0.1, 0.9))
    return folder / ".finished.jsonl"


def read_journal(path: Path) -> list[PhotoRecord | None]:
    """A photo whose record is lost is predicted again, which loses nothing."""
    journal = Journal(path, ORIGIN)
    return [journal.finished(path.with_name(name), name) for name in ("a.jpg", "b.jpg")]


def write_parameters(folder: Path) -> Path:
    records = {"photos": {"data_processing": {"image.height": 32}}, "model": None}
    (folder / "parameters.json").write_text(json.dumps(records))
    return folder / "parameters.json"


def write_state(folder: Path) -> Path:
    checkpoint = Checkpoint(folder / "0123")
    state = {"network": [np.arange(60, dtype=np.float32)], "optimizer": [np.int64(3)]}
    checkpoint.write_last(Progress(epoch=2, best_epoch=1), state)
    checkpoint.write_best(1, [np.arange(60, dtype=np.float32)])
    checkpoint.write_note({"run_id": "abc", "precision": "float32", "budget": [3, 40]})
    return checkpoint.folder


def read_state(path: Path) -> tuple[Progress, list[Any]]:
    progress, state = Checkpoint(path.parent).read_last()
    return progress, [values.tolist() for owner in state.values() for values in owner]


def read_best(path: Path) -> list[Any]:
    return [weights.tolist() for weights in Checkpoint(path.parent).read_best(1)]


def read_note(path: Path) -> dict[str, Any]:
    return Checkpoint(path.parent).read_note()


def write_runs(folder: Path, empty_database: Path) -> Path:
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder / "mlflow.db"


def read_runs(path: Path) -> int:
    """As each run begins."""
    relocate(path.parent)
    check_own_database(f"sqlite:///{path}")
    return 0


SEARCH = Search(
    trials=2,
    minutes=None,
    pruner="median",
    startup_trials=1,
    warmup_epochs=1,
    space={"training.learning_rate": SearchRange(low=1e-4, high=1e-1, log=True)},
)


def write_study(folder: Path) -> Path:
    search_study.open_study(folder / "studies.db", "a", SEARCH, epochs=2)
    return folder / "studies.db"


def read_study(path: Path) -> int:
    return len(search_study.open_study(path, "a", SEARCH, epochs=2).trials)


# Damages -----------------------------------------------------------------------------------------
def set_key(*keys: str, to: Any) -> Callable[[bytes], bytes]:
    """Edits one value of a JSON file."""

    def edit(content: bytes) -> bytes:
        whole = inner = json.loads(content)
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to
        return json.dumps(whole).encode()

    return edit


def without_key(key: str) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        whole = json.loads(content)
        del whole[key]
        return json.dumps(whole).encode()

    return edit


def replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def edit(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode())

    return edit


def cut(seed: int) -> Callable[[bytes], bytes]:
    """At a byte that is not the end of a line, for a shorter table is a table."""

    def damage(content: bytes) -> bytes:
        places = [byte for byte in range(1, len(content) - 1) if content[byte - 1 : byte] != b"\n"]
        return content[: np.random.default_rng(seed).choice(places)]

    return damage


BYTES: dict[str, Callable[[bytes], bytes]] = {
    **{f"cut short at byte {seed}": cut(seed) for seed in range(6)},
    "empty": lambda content: b"",
    "zeros": lambda content: bytes(len(content)),
    "zeros from the middle": lambda content: (
        content[: len(content) // 2] + bytes((len(content) + 1) // 2)
    ),
    "binary": lambda content: np.random.default_rng(1).bytes(len(content)),
    "text": lambda content: b"<html>404 Not Found</html>\n",
    "a pickle": lambda content: pickle.dumps({"threshold": 0.5}),
}
JSON: dict[str, Callable[[bytes], bytes]] = {
    "a list": lambda content: b"[]",
    "a number": lambda content: b"7",
    "null": lambda content: b"null",
    "nested 100,000 times": lambda content: b"[" * 100_000,
}


@dataclass(frozen=True)
class Kind:
    """A file, how it is written and read, and which edits of it there are."""

    write: Callable[[Path], Path]
    read: Callable[[Path], Any]
    file: str | None = None
    edits: dict[str, Callable[[bytes], bytes]] | None = None


def with_edits(kind: Kind, edits: dict[str, Callable[[bytes], bytes]]) -> Kind:
    return Kind(kind.write, kind.read, kind.file, edits)


THRESHOLDS = JSON | {
    f"a threshold of {value}": set_key("threshold", to=value)
    for value in (float("nan"), 7, -0.1, float("inf"), "0.5", True, None, [0.5])
}
KINDS: dict[str, Kind] = {
    "threshold.json": with_edits(
        entry_kind("threshold"),
        THRESHOLDS
        | {
            "no threshold": without_key("threshold"),
            "a Dice of 2": set_key("validation_dice", to=2),
        },
    ),
    "threshold.json of a model": Kind(
        write_model_threshold,
        lambda path: threshold_beside(path.with_name("model.keras")),
        edits=THRESHOLDS | {"no threshold": without_key("threshold")},
    ),
    "history.json": with_edits(
        entry_kind("history"),
        JSON
        | {
            "text for a loss": set_key("loss", to=["a", "b"]),
            "an epoch less": set_key("loss", to=[0.5]),
            "no epochs": lambda content: b'{"loss": []}',
        },
    ),
    "augmentation.json": with_edits(
        entry_kind("augmentation"),
        JSON
        | {
            "a shift of NaN": set_key("shift", to=float("nan")),
            "a scale of 7": set_key("scale", to=7),
            "another border": set_key("border", to="wrap"),
            "of another version": set_key("zoom", to=1),
            "no border": without_key("border"),
        },
    ),
    "upper_bound.json": with_edits(
        entry_kind("upper_bound"),
        JSON
        | {
            "a Dice of NaN": set_key("dice_mean", to=float("nan")),
            "a Dice of 7": set_key("dice_mean", to=7),
            "no photos": without_key("photos"),
        },
    ),
    "photo_splits.csv": with_edits(
        entry_kind("photo_splits"),
        {
            "a car in all three parts": replaced("a_2,a", "a_2,c"),
            "another split": replaced("validation", "dev"),
            "a photo twice": replaced("a_2", "a_1"),
            "a share of 7": replaced("0.1", "7.1"),
            "text for a share": replaced("0.1", "many"),
            "no column of splits": replaced("split", "part"),
            "semicolons": replaced(",", ";"),
        },
    ),
    "photo_scores.csv": with_edits(
        entry_kind("photo_scores"),
        {
            "a Dice of 7": replaced("0.2", "7.2"),
            "text for a Dice": replaced("0.2", "good"),
            "a photo twice": replaced("a_2", "a_1"),
            "no Dice": replaced("dice", "iou"),
        },
    ),
    "index.json": Kind(
        write_photos,
        read_photos,
        "index.json",
        JSON
        | {
            "longer than the pixels": lambda content: set_key("ids", to=list("abcd"))(
                set_key("crc32", to=[1, 2, 3, 4])(content)
            ),
            "longer, and without checksums": lambda content: set_key("ids", to=list("abcd"))(
                without_key("crc32")(content)
            ),
            "another order": set_key("ids", to=["b", "a", "c"]),
            "a photo twice": set_key("ids", to=["a", "a", "c"]),
            "numbers for ids": set_key("ids", to=[1, 2, 3]),
            "no ids": without_key("ids"),
            "notes that are none": set_key("notes", to={"a": 7}),
        },
    ),
    "pixels.npy": Kind(
        write_photos,
        read_photos,
        "pixels.npy",
        {
            "another order": lambda content: (
                content[:-432] + content[-288:-144] + content[-432:-288] + content[-144:]
            ),
            "one pixel changed": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
            "of other photos": lambda content: content[:-432] + bytes(432),
            "another shape": replaced("(3, 8, 6, 3)", "(2, 8, 6, 3)"),
        },
    ),
    ".finished.jsonl": Kind(
        write_journal,
        read_journal,
        edits={
            "a share of 7": replaced("0.25", "7.25"),
            "a share of NaN": replaced("0.25", "NaN"),
            "text for a height": replaced("48", '"tall"'),
            "of another version": replaced('"height"', '"rows"'),
            "of another model": replaced("0" * 40, "1" * 40),
            "lines of something else": lambda content: (
                content.split(b"\n")[0] + b"\n[]\n7\nnull\nhello\n"
            ),
        },
    ),
    "parameters.json": Kind(
        write_parameters,
        lambda path: read_records(path.parent),
        edits=JSON
        | {
            "a text for a record": set_key("photos", to="all"),
            "a record of a number": set_key("photos", "data_processing", to=7),
        },
    ),
    "last.npz": Kind(write_state, read_state, "last.npz", {}),
    "best_1.npz": Kind(write_state, read_best, "best_1.npz", {}),
    "note.json": Kind(
        write_state,
        read_note,
        "note.json",
        JSON
        | {
            "a number for a run": set_key("run_id", to=7),
            "a budget of no epochs": set_key("budget", to=[0, 40]),
            "half a budget": set_key("budget", to=[3]),
        },
    ),
    "studies.db": Kind(write_study, read_study),
    "mlflow.db": Kind(lambda path: path, read_runs),
}
CASES = [
    pytest.param(name, damage, id=f"{name}: {how}")
    for name, kind in KINDS.items()
    for how, damage in (BYTES | (kind.edits or {})).items()
]


def damaged(kind: Kind, folder: Path, damage: Callable[[bytes], bytes]) -> tuple[Path, Any]:
    """The path of a damaged file, and what it gave before."""
    path = kind.write(folder)
    path = path / kind.file if kind.file else path
    before = kind.read(path)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    return path, before


def message_of(read: Callable[[], Any]) -> str | None:
    """What a user is told; None if it is read."""
    try:
        read()
    except (UserError, ClickException) as error:
        return str(error)
    except DatasetError as error:
        if not isinstance(error.__cause__, UserError):
            raise  # `hooks.user_errors` would show a traceback.
        return str(error.__cause__)
    return None


@pytest.mark.parametrize(("name", "damage"), CASES)
def test_it_is_named_and_not_believed(
    name: str, damage: Callable[[bytes], bytes], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kind = KINDS[name]
    if name == "mlflow.db":
        database = request.getfixturevalue("empty_database")
        kind = Kind(lambda folder: write_runs(folder, database), read_runs)
    path, before = damaged(kind, tmp_path, damage)
    after = None

    def read() -> None:
        nonlocal after
        after = kind.read(path)

    message = message_of(read)
    request.node.user_properties.append(("line", message or "read as before, or made again"))
    if message is None:
        assert_nothing_is_lost(name, before, after)
        return
    assert "Traceback" not in message
    assert "\n" not in message
    # Its folder, where two files belong together.
    assert str(path) in message or path.parent.name in message
    assert any(mend in message for mend in MENDS), message


def assert_nothing_is_lost(name: str, before: Any, after: Any) -> None:
    """What may be read in spite of damage: what is the same, or is made again."""
    if name == ".finished.jsonl":
        assert all(now in (None, then) for now, then in zip(after, before, strict=True))
    elif name in {"mlflow.db", "studies.db"}:
        assert after in (0, before)  # An empty file is a database without runs.
    elif isinstance(before, pd.DataFrame):
        pd.testing.assert_frame_equal(before, after)
    else:
        assert before == after


def test_a_state_of_another_version_is_not_resumed(tmp_path: Path) -> None:
    folder = write_state(tmp_path)
    with np.load(folder / "last.npz") as file:
        values = dict(file)
    about = json.loads(str(values["about"]))
    for change in (
        {"progress": about["progress"] | {"looks": 1}},
        {"progress": {"epoch": 2}},
        {"progress": about["progress"] | {"epoch": "two"}},
        {"counts": {"network": 2, "optimizer": 1}},
        {"counts": [1]},
        {"progress": None},
    ):
        np.savez(folder / "last.npz", **values | {"about": np.array(json.dumps(about | change))})
        with pytest.raises(UserError, match=r"last\.npz is damaged .*training\.resume=false"):
            Checkpoint(folder).read_last()


@pytest.mark.parametrize("statement", ["UPDATE {} SET version_num = '0'", "DROP TABLE {}"])
def test_a_database_of_another_mlflow_is_named(
    statement: str, tmp_path: Path, empty_database: Path
) -> None:
    path = write_runs(tmp_path, empty_database)
    table = "alembic_version" if statement.startswith("UPDATE") else "experiments"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement.format(table))
    with pytest.raises(UserError, match=r"mlflow\.db, which keeps all runs of MLflow"):
        read_runs(path)


def test_a_database_of_another_optuna_is_named(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v0.9.0'")
    with pytest.raises(UserError, match=r"studies\.db, which keeps all trials of the search"):
        read_study(path)


def test_a_stack_of_before_checksums_is_read(tmp_path: Path) -> None:
    folder = write_photos(tmp_path)
    before = read_photos(folder / "index.json")
    index = folder / "index.json"
    index.write_bytes(without_key("crc32")(index.read_bytes()))
    assert read_photos(index) == before
