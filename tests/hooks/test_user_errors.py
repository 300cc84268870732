"""Errors that the user can mend end in one sentence; all others keep their traceback."""

import errno
import os
import sqlite3

import pytest
from click import ClickException
from kedro.io import DatasetError

from car_segmentation.core.errors import UserError
from car_segmentation.hooks.user_errors import MACHINE, UserErrors

SENTENCES: dict[str, Exception] = {
    "photos.csv is odd": UserError("photos.csv is odd"),
    "There is not enough memory (9 GB)": MemoryError("9 GB"),
    "There is not enough memory (none was left)": MemoryError(),
    "A database cannot be written to (database or disk is full)": sqlite3.OperationalError(
        "database or disk is full"
    ),
    **{
        f"{sentence}: /data/model.keras": OSError(number, os.strerror(number), "/data/model.keras")
        for number, sentence in MACHINE.items()
    },
}


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
