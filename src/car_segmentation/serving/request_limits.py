"""Limits of requests: bytes, seconds, and who may send them.

`RequestLimits` stands before the application and hands it whole bodies within their limits. It ends
requests whose client is gone or whose time is over, and no error leaves it but as one sentence.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from pydantic import Field

from car_segmentation.parameters.group import Parameters
from car_segmentation.serving.metrics import Metrics
from car_segmentation.serving.problems import Problem, too_busy

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

OPEN_PATHS = frozenset({"/", "/health", "/ready", "/ping", "/version", "/docs", "/openapi.json"})
"""Routes that need no token."""
READ_ON = 4
"""How far beyond the limit a body is read to its end, in times of the limit: most clients listen
only when they have sent everything."""
MEMORY_RETRY_SECONDS = 5


class ServiceLimits(Parameters):
    """Limits of the service; the descriptions are the command line's help."""

    body_megabytes: float = Field(default=64, description="of a request")
    photo_megabytes: float = Field(default=32, description="of a photo's file")
    megapixels: float = Field(default=100, description="of a photo")
    photos: int = Field(default=16, description="in one request")
    request_seconds: float = Field(
        default=60, description="from the head of a request to its answer"
    )
    pause_seconds: float = Field(
        default=10, description="for the head of a request, and between two pieces of its body"
    )
    answer_seconds: float = Field(default=120, description="for a client to take an answer")
    # Beyond them, the oldest without a request is closed.
    connections: int = Field(default=800, description="open at once")
    at_once: int = Field(default=2, description="photos in work at once")
    waiting: int = Field(
        default=32, description="requests in the queue; further requests are answered with 429"
    )
    held_megabytes: float = Field(default=1024, description="bodies of all requests together")


class RequestLimits:
    """An ASGI application around another.

    Args:
        app: Answers requests; gets their bodies in one piece.
        limits: What a request may ask.
        metrics: Counts the answers.
        token: What callers of all but `OPEN_PATHS` have to send as ``Authorization: Bearer``;
            None: nothing.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        limits: ServiceLimits,
        metrics: Metrics,
        token: str | None = None,
    ):
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._token = token
        self._held = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0  # Nothing was answered.

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, receive, send_on)
        except ClientGoneError:
            pass
        except Exception as error:
            problem = error if isinstance(error, Problem) else None
            if problem is None:  # One line: callers must not be able to fill the log.
                logger.warning("%s could not be answered: %.200r", scope["path"][:80], error)
                problem = Problem(500, "Internal error: see the service's log.")
            if not status:
                await problem.response()(scope, receive, send_on)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.count_request(route, status, time.perf_counter() - start)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        self._check_token(scope["path"], headers)
        if scope["method"] not in {"POST", "PUT", "PATCH"}:
            await self._app(scope, receive, send)
            return
        encoding = headers.get(b"content-encoding", "identity")
        if encoding != "identity":
            raise Problem(415, f"Send the body as it is, not with Content-Encoding: {encoding}.")
        deadline = time.monotonic() + self._limits.request_seconds
        body = bytearray()
        try:
            await self._read(receive, body, headers.get(b"content-length", ""), deadline)
            await self._work(scope, bytes(body), receive, send, deadline)
        finally:
            self._held -= len(body)

    def _check_token(self, path: str, headers: dict[bytes, str]) -> None:
        if self._token is None or path in OPEN_PATHS:
            return
        sent = headers.get(b"authorization", "").encode()
        if not hmac.compare_digest(sent, f"Bearer {self._token}".encode()):
            raise Problem(
                401,
                "This service needs a token, sent as Authorization: Bearer TOKEN.",
                {"WWW-Authenticate": "Bearer"},
            )

    async def _read(
        self, receive: Receive, body: bytearray, announced: str, deadline: float
    ) -> None:
        """Read the body of a request; beyond the limit, what comes is not kept."""
        limit = int(self._limits.body_megabytes * 1e6)
        end = READ_ON * limit
        # The rest of a body that has no end would be taken, and thrown away, for a while else.
        close = {"Connection": "close"}
        too_long = Problem(413, f"A request may have at most {limit / 1e6:g} megabytes.", close)
        if announced.isdigit() and int(announced) > end:
            raise too_long
        length, more = 0, True
        while more:
            message = await self._next_piece(receive, deadline)
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            piece = message.get("body", b"")
            length += len(piece)
            if length > end:
                raise too_long
            if length <= limit:
                self._hold(len(piece))
                body += piece
            more = message.get("more_body", False)
        if length > limit:
            raise too_long

    async def _next_piece(self, receive: Receive, deadline: float) -> Message:
        seconds = min(self._limits.pause_seconds, deadline - time.monotonic())
        try:
            async with asyncio.timeout(max(0, seconds)):
                return await receive()
        except TimeoutError:
            raise Problem(
                408,
                f"A body may pause for {self._limits.pause_seconds:g} seconds, and a request take "
                f"{self._limits.request_seconds:g}.",
                {"Connection": "close"},
            ) from None

    def _hold(self, length: int) -> None:
        if self._held + length > self._limits.held_megabytes * 1e6:
            raise too_busy(
                503, "Too many photos are being sent at once; try again.", MEMORY_RETRY_SECONDS
            )
        self._held += length

    async def _work(
        self, scope: Message, body: bytes, receive: Receive, send: Send, deadline: float
    ) -> None:
        """Have the application answer, unless the client leaves or the time ends before."""
        waiting = [body]

        async def replay() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            return await asyncio.Future()  # The application learns by being cancelled.

        work = asyncio.ensure_future(self._app(scope, replay, send))
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait(
                {work, gone},
                timeout=max(0, deadline - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if work.done():
                return work.result()
            if gone.done():
                raise ClientGoneError
            raise too_busy(
                503, f"This took more than {self._limits.request_seconds:g} seconds.", 30
            )
        finally:
            for task in (work, gone):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task


class ClientGoneError(Exception):
    """The client has disconnected."""


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
