"""What stands between MLflow's scoring server and callers that are not trusted.

The server reads a body of any size, parses CSV and Parquet, sends tracebacks back, and answers some
malformed requests with status 500. Here a body has a limit, JSON is all that is read, and an error
is one sentence.
"""

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SENTENCE = 300
"""Longest text of an error, in characters: MLflow repeats the request in some."""
PATIENCE = 4
"""How far beyond the limit a body is read to its end, in times of the limit."""
MALFORMED = 'The request is malformed: send {"dataframe_split": {"columns": ["photo"], \
"data": [[BASE64]]}}.'


class Guard:
    """An ASGI application around another.

    Args:
        app: MLflow's scoring server.
        max_bytes: Largest body of a request.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], max_bytes: int):
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = b""
        if scope["method"] == "POST":
            headers = dict(scope["headers"])
            if headers.get(b"content-type", b"").split(b";")[0].strip() != b"application/json":
                await _answer(send, 415, "Send JSON, with Content-Type: application/json.")
                return
            read = await self._read(receive, headers.get(b"content-length", b""))
            if read is None:
                limit = self._max_bytes / 1e6
                await _answer(send, 413, f"A request may have at most {limit:g} megabytes.")
                return
            body = read
        status, answer, headers_out = await self._ask(scope, body, receive)
        if status < HTTPStatus.BAD_REQUEST:
            await _send(send, status, answer, headers_out)
        elif status == HTTPStatus.INTERNAL_SERVER_ERROR:
            # Photos that fail are refused by the model itself: this is the parsing before it.
            await _answer(send, 400, MALFORMED)
        else:
            await _answer(send, status, _sentence(answer))

    async def _read(self, receive: Receive, announced: bytes) -> bytes | None:
        """The body of a request, or None if it is too long.

        One that is too long is read on without being kept, up to `PATIENCE` times the limit:
        most clients listen only when they have sent everything.
        """
        end = PATIENCE * self._max_bytes
        if announced.isdigit() and int(announced) > end:
            return None
        body, length, more = bytearray(), 0, True
        while more and length <= end:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            length += len(part)
            if length <= self._max_bytes:
                body += part
            else:
                body.clear()
            more = message.get("more_body", False)
        return bytes(body) if length <= self._max_bytes else None

    async def _ask(
        self, scope: Message, body: bytes, receive: Receive
    ) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        """Status, body and headers of the server's own answer."""
        status, headers, parts, waiting = 500, [], [], [body]

        async def replay() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            return await receive()

        async def keep(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message.get("headers", []))
            else:
                parts.append(message.get("body", b""))

        try:
            await self._app(scope, replay, keep)
        except Exception as error:  # One line: callers must not be able to fill the log.
            logger.warning("A request could not be answered: %.200r", error)
            status = 500
        return status, b"".join(parts), headers


def _sentence(answer: bytes) -> str:
    """What an error of MLflow says, without its traceback."""
    try:
        message = str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        message = answer.decode(errors="replace")
    # MLflow puts the data first where the model refuses them.
    message = message.rpartition("\nError: ")[2].strip()
    return message if len(message) <= SENTENCE else f"{message[:SENTENCE]} …"


async def _answer(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"error": sentence}).encode()
    await _send(send, status, body, [(b"content-type", b"application/json")])


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [header for header in headers if header[0].lower() != b"content-length"]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
