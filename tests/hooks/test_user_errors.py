"""Errors that the user can mend end in one sentence; all others keep their traceback."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from click import ClickException
from kedro.framework.session import KedroSession
from kedro.io import DatasetError

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.data.images import read_photo
from car_segmentation.experiments import tracking
from car_segmentation.hooks.user_errors import MACHINE, ProjectSession, UserErrors, message_for

SENTENCES: dict[str, Exception] = {
    "photos.csv is odd": UserError("photos.csv is odd"),
    "There is not enough memory (9 GB)": MemoryError("9 GB"),
    "There is not enough memory (none was left)": MemoryError(),
    "There is not enough memory (can't start new thread)": RuntimeError("can't start new thread"),
    "A database cannot be written to (database or disk is full)": sqlite3.OperationalError(
        "database or disk is full"
    ),
    **{
        f"{sentence}: /data/model.keras": OSError(number, os.strerror(number), "/data/model.keras")
        for number, sentence in MACHINE.items()
    },
}


def unusable(path: Path) -> UnusableImage:
    with pytest.raises(UnusableImage) as caught:
        read_photo(path)
    return caught.value


def wrapped(error: Exception) -> Exception:
    """As Kedro raises what happened while it saved a dataset."""
    try:
        raise DatasetError("Failed while saving data") from error
    except DatasetError as outer:
        return outer


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_can_be_mended_is_one_sentence(sentence: str) -> None:
    error = SENTENCES[sentence]
    for raised in (error, wrapped(error), wrapped(wrapped(error))):
        with pytest.raises(ClickException) as shown:
            UserErrors().on_pipeline_error(raised)
        assert str(shown.value).startswith(sentence)
        assert "\n" not in str(shown.value)


def test_a_photo_that_changed_since_it_was_checked_is_named(tmp_path: Path) -> None:
    error = wrapped(unusable(tmp_path / "gone.jpg"))
    with pytest.raises(ClickException) as shown:
        UserErrors().on_pipeline_error(error)
    line = f"{tmp_path}/gone.jpg cannot be read (No such file or directory), though it was checked"
    assert str(shown.value).startswith(line)


def test_an_error_that_its_successor_hides_is_not_the_reason() -> None:
    try:
        try:
            raise UserError("handled")
        except UserError:
            raise ValueError("of the program") from None
    except ValueError as error:
        UserErrors().on_pipeline_error(error)


@pytest.mark.parametrize("error", [ValueError("odd"), OSError(errno.ENOENT, "No such file")])
def test_what_is_the_programs_own_is_left_alone(error: Exception) -> None:
    UserErrors().on_pipeline_error(error)
    UserErrors().on_pipeline_error(wrapped(error))


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (UserError("photos.csv is odd"), "photos.csv is odd"),
        (OSError(errno.ENOSPC, "No space left", "/a.png"), "The disk is full: /a.png"),
    ],
)
def test_an_end_that_cannot_be_noted_either_is_not_the_reason(
    reason: Exception, sentence: str
) -> None:
    # As Python chains them: the database's error came while the reason was being handled.
    database = sqlite3.OperationalError("database or disk is full")
    database.__context__ = wrapped(reason)
    last = RuntimeError("MLflow")
    last.__cause__ = database
    with pytest.raises(ClickException, match=sentence):
        UserErrors().on_pipeline_error(last)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (wrapped(sqlite3.OperationalError("disk is full")), "A database cannot be written to"),
        (ClickException("said already"), "said already"),
    ],
)
def test_a_hook_that_fails_ends_a_run_in_one_sentence(
    error: Exception, shown: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(KedroSession, "run", fail)
    with pytest.raises(ClickException, match=shown):
        ProjectSession("session", project_path=tmp_path).run()


@pytest.mark.parametrize(
    ("error", "status"), [(ZeroDivisionError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_run_that_is_broken_off_has_not_finished(
    error: type[BaseException], status: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: KedroSession) -> None:
        raise error

    ended = []
    monkeypatch.setattr(KedroSession, "run", fail)
    monkeypatch.setattr(tracking, "abandon_runs", lambda *how: ended.append(how))
    with pytest.raises(error):
        ProjectSession("session", project_path=tmp_path).run()
    assert ended == [(status, None)]


def changed(path: Path) -> UnusableImage:
    error = UnusableImage("is truncated")
    error.path = path
    return error


@pytest.mark.parametrize(
    "error",
    [
        UserError("a\x1b[31mb is odd:\n  first\n  second"),
        OSError(errno.ENOSPC, "No space left on device", "/a\nb \u202e.png"),
        changed(Path("/a\nb.png")),
    ],
)
def test_names_of_files_are_shown_harmlessly(error: Exception) -> None:
    message = message_for(error)
    assert message
    lines = message.split("\n")
    assert len(lines) == (3 if isinstance(error, UserError) else 1)
    assert all(line.isprintable() for line in lines)
    assert r"a\x1b[31mb" in message or r"/a\nb" in message
