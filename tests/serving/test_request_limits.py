"""Limits on the body and on memory, around a small application."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from car_segmentation.serving.metrics import Metrics
from car_segmentation.serving.request_limits import READ_ON, RequestLimits, ServiceLimits

LIMIT = 10


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Send back what comes, or fail."""
    body = (await receive())["body"]
    if body == b"deep":
        raise RecursionError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def limited(**limits: float) -> RequestLimits:
    return RequestLimits(echo, ServiceLimits(body_megabytes=LIMIT / 1e6, **limits), Metrics())


def ask(
    parts: Sequence[bytes], announced: bytes = b"", app: RequestLimits | None = None
) -> tuple[int, bytes, int]:
    """Status and body of the answer, and how many parts of the body were read."""
    waiting = [
        {"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0) if waiting else await asyncio.Future()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"image/jpeg"), (b"content-length", announced)]
    scope = {"type": "http", "method": "POST", "path": "/masks", "headers": headers}
    asyncio.run((app or limited())(scope, receive, send))
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
        ([b"0"], str(READ_ON * LIMIT + 1).encode(), 0),
    ],
)
def test_what_is_too_long_is_refused(parts: list[bytes], announced: bytes, read: int) -> None:
    status, answer, parts_read = ask(parts, announced)
    assert (status, parts_read) == (413, read)
    assert json.loads(answer)["detail"].startswith("A request may have at most")


def test_a_failing_application_is_one_sentence() -> None:
    status, answer, _ = ask([b"deep"])
    assert status == 500
    assert json.loads(answer) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Internal error: see the service's log.",
    }


def test_bodies_of_all_requests_together_have_a_limit_and_are_let_go() -> None:
    app = limited(held_megabytes=8e-6)
    for _ in range(3):
        assert ask([b"01234567"], app=app)[0] == 200
    for _ in range(3):
        status, answer, _ = ask([b"01234", b"5678"], app=app)
        assert status == 503
        assert json.loads(answer)["detail"].startswith("Too many photos are being sent")
    assert ask([b"01234567"], app=app)[0] == 200
