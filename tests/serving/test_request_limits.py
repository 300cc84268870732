"""The guard around a small application; `test_serving` has it around MLflow's."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from car_segmentation.serving.request_limits import PATIENCE, Guard

LIMIT = 10


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Send back what comes, or fail as MLflow's server does."""
    body = (await receive())["body"]
    if body == b"deep":
        raise RecursionError
    status, answer = 200, body
    if body == b"data":
        reason = "Failed to predict data 'x'. \nError: Photo 0 is empty."
        status, answer = 400, json.dumps({"message": reason, "stack_trace": "Traceback"}).encode()
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": answer})


def ask(parts: Sequence[bytes], announced: bytes = b"") -> tuple[int, bytes, int]:
    """Status and body of the answer, and how many parts of the body were read."""
    waiting = [
        {"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", announced)]
    scope = {"type": "http", "method": "POST", "headers": headers}
    asyncio.run(Guard(echo, LIMIT)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], len(parts) - len(waiting)


def test_what_is_short_enough_passes_in_one_piece() -> None:
    assert ask([b"01234", b"56789"]) == (200, b"0123456789", 2)


@pytest.mark.parametrize(
    ("parts", "announced", "read"),
    [
        # Read to its end, so that the client hears the answer.
        ([b"01234", b"567890"], b"11", 2),
        # Not for ever: 7 parts of 6 bytes are the first to be more than 4 times the limit of 10.
        ([bytes([number]) * 6 for number in range(99)], b"", 7),
        ([b"0"], str(PATIENCE * LIMIT + 1).encode(), 0),
    ],
)
def test_what_is_too_long_is_refused(parts: list[bytes], announced: bytes, read: int) -> None:
    status, answer, parts_read = ask(parts, announced)
    assert (status, parts_read) == (413, read)
    assert json.loads(answer)["error"].startswith("A request may have at most")


def test_a_failing_server_is_a_malformed_request() -> None:
    status, answer, _ = ask([b"deep"])
    assert status == 400
    assert json.loads(answer)["error"].startswith("The request is malformed")


def test_an_error_is_its_reason_alone() -> None:
    assert ask([b"data"])[:2] == (400, b'{"error": "Photo 0 is empty."}')
