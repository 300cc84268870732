"""MLflow's protocol: what ``POST /invocations`` of `mlflow models serve` takes and gives.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#inference-server-specification
Photos are base64 in JSON, by the column ``photo``.
"""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from car_segmentation.serving.answers import Answer
from car_segmentation.serving.problems import Problem

COLUMN = "photo"
MALFORMED = (
    'The request is malformed: send {"dataframe_split": {"columns": ["photo"], '
    '"data": [[BASE64]]}}.'
)


def photos_in(body: bytes, most: int) -> list[bytes]:
    """The photos of a request.

    Args:
        body: JSON: ``dataframe_split`` or ``dataframe_records``.
        most: Photos in one request.

    Raises:
        Problem: If there are none, too many, or something else.
    """
    try:
        request = json.loads(body)
        (kind,) = FORMATS.keys() & request.keys()
        column = FORMATS[kind](request[kind])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise refused(MALFORMED) from None
    if not 1 <= len(column) <= most:
        raise refused(f"A request takes 1 to {most} photos, not {len(column)}.")
    return [_decoded(row, value) for row, value in enumerate(column)]


def _of_split(table: Any) -> list[Any]:
    place = table["columns"].index(COLUMN)
    return [row[place] for row in table["data"]]


def _of_records(records: Any) -> list[Any]:
    return [record[COLUMN] for record in records]


FORMATS: dict[str, Callable[[Any], list[Any]]] = {
    "dataframe_split": _of_split,
    "dataframe_records": _of_records,
}


def _decoded(row: int, value: Any) -> bytes:
    try:
        content = binascii.a2b_base64(value.encode("ascii"))
    except (AttributeError, ValueError):
        raise refused(f"Photo {row} is not base64.") from None
    if not content:
        raise refused(f"Photo {row} is empty or not base64.")
    return content


def prediction(answer: Answer) -> dict[str, Any]:
    """One row of the answer's ``predictions``."""
    return {
        # With line breaks, as MLflow writes binary columns.
        "mask": base64.encodebytes(answer.png).decode(),
        "height": answer.height,
        "width": answer.width,
        "foreground_share": answer.foreground_fraction,
    }


def refused(sentence: str, status: int = 400) -> Problem:
    """A problem that also has the member ``error``, as answers here had before RFC 9457."""
    return Problem(status, sentence, error=sentence)
