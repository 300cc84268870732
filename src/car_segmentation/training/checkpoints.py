"""A training's state on disk, which a kill at any moment leaves whole.

One file holds all that the next step depends on, so that no two files can disagree; it is written
aside and renamed. The best weights are files of their own, named after their epoch, and the state
says which of them counts.
"""

import json
import logging
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, PositiveInt, TypeAdapter

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import atomic_file, remove_parts
from car_segmentation.core.json_files import read_json
from car_segmentation.training.early_stopping import Progress

logger = logging.getLogger(__name__)

LAST, NOTE = "last.npz", "note.json"
RESTART = "Restart it: --params=training.resume=false"

State = Mapping[str, Sequence[np.ndarray]]
"""Values of variables by what they belong to, such as the network and the optimiser."""


class Note(BaseModel):
    """Note that `Checkpoint.read_note` returns; the training decides on its content."""

    run_id: str | None = None
    precision: str | None = None
    budget: tuple[PositiveInt, PositiveInt] | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A folder with the last state of one training, and its best weights.

    Attributes:
        folder: Made when something is written.
    """

    folder: Path

    @property
    def last(self) -> Path:
        """The file with the last state."""
        return self.folder / LAST

    def write_last(self, progress: Progress, state: State) -> None:
        """Replace the last state."""
        values = {
            f"{owner}.{number}": value
            for owner, all_values in state.items()
            for number, value in enumerate(all_values)
        }
        about = {
            "progress": asdict(progress),
            "counts": {owner: len(all_values) for owner, all_values in state.items()},
        }
        _write_arrays(self.last, values | {"about": np.array(json.dumps(about))})

    def read_last(self) -> tuple[Progress, State] | None:
        """The last state, or None if there is none.

        Raises:
            UserError: If the file is damaged, which a kill cannot have done.
        """
        remove_parts(self.folder)
        values = self._read(self.last)
        if values is None:
            return None
        try:
            about = json.loads(str(values["about"]))
            state = {
                owner: [values[f"{owner}.{number}"] for number in range(count)]
                for owner, count in about["counts"].items()
            }
            progress = about["progress"]
            if set(progress) != set(Progress.__dataclass_fields__):
                raise KeyError(*sorted(set(progress) ^ set(Progress.__dataclass_fields__)))
            return TypeAdapter(Progress).validate_json(json.dumps(progress), strict=True), state
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged_checkpoint(self.last, f"it is of another version: {error!r}") from error

    def write_best(self, epoch: int, weights: Sequence[np.ndarray]) -> None:
        """Write the weights of an epoch that is the best so far."""
        _write_arrays(self.best(epoch), {str(n): value for n, value in enumerate(weights)})

    def read_best(self, epoch: int) -> list[np.ndarray]:
        """The weights of the best epoch."""
        values = self._read(self.best(epoch))
        if values is None:
            raise UserError(
                f"{self.best(epoch)} is gone, the best weights so far. Restart the training: "
                "--params=training.resume=false"
            )
        try:
            return [values[str(number)] for number in range(len(values))]
        except KeyError as error:
            raise damaged_checkpoint(self.best(epoch), f"it has no array {error}") from error

    def keep_best(self, epoch: int | None) -> None:
        """Remove the weights of other epochs, once the last state has no use for them."""
        for file in self.folder.glob("best_*.npz"):
            if file != self.best(epoch):
                file.unlink()

    def write_note(self, note: Mapping[str, Any]) -> None:
        """Leave a note beside the state."""
        with atomic_file(self.folder / NOTE, durable=True) as part:
            part.write_text(json.dumps(note))

    def read_note(self) -> dict[str, Any]:
        """The note, empty if there is none."""
        mend = f"{RESTART} (or delete {self.folder})."
        try:
            note: dict[str, Any] = read_json(self.folder / NOTE, Note, mend)
        except FileNotFoundError:
            return {}
        return note

    def remove(self) -> None:
        """Forget the training."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, path: Path) -> dict[str, np.ndarray] | None:
        return _read_arrays(path)

    def best(self, epoch: int | None) -> Path:
        """The file with the weights of an epoch."""
        return self.folder / f"best_{epoch}.npz"


def open_checkpoint(folder: Path, fingerprint: str, resume: bool) -> Checkpoint:
    """The checkpoint of the training with a fingerprint, among those in a folder.

    Args:
        folder: Where each unfinished training has a folder.
        fingerprint: What tells trainings apart; its beginning names the folder.
        resume: Whether to keep what is there; otherwise it is removed.
    """
    checkpoint = Checkpoint(folder / fingerprint[:16])
    if not resume:
        checkpoint.remove()
    if (checkpoint.folder / LAST).is_file():
        logger.info("Resuming the training in %s", checkpoint.folder)
    others = [other.folder.name for other in unfinished(folder) if other != checkpoint]
    if others:
        logger.info(
            "%s also has unfinished trainings with other settings or photos: %s. Delete what is "
            "not wanted.",
            folder,
            ", ".join(others),
        )
    return checkpoint


def unfinished(folder: Path) -> list[Checkpoint]:
    """The checkpoints in a folder, the newest first."""
    notes = sorted(folder.glob(f"*/{NOTE}"), key=lambda file: file.stat().st_mtime, reverse=True)
    return [Checkpoint(file.parent) for file in notes]


def _write_arrays(path: Path, values: Mapping[str, np.ndarray]) -> None:
    # A training may be hours; a power cut should not cost them.
    with atomic_file(path, durable=True) as part, part.open("wb") as file:
        np.savez(file, **values)  # type: ignore[arg-type]


def _read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return dict(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise damaged_checkpoint(path, str(error)) from error


def damaged_checkpoint(path: Path, problem: str) -> UserError:
    """The error that a file of a training is damaged, or of another."""
    problem = " ".join(problem.split())[:200]
    return UserError(
        f"{path} is damaged ({problem}), so the training cannot be continued. {RESTART}."
    )
