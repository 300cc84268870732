"""Connections whose clients are slow don't keep others out.

uvicorn waits forever for the head of a request, and for a client to take its answer; its limit on
connections refuses everybody while silent clients hold them. This protocol gives each step a time,
and closes the oldest connection without a request when there are too many. It is the only place
that builds on uvicorn's own class, `H11Protocol`; tests/serving/test_connections.py notices if that
changes.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from car_segmentation.serving.request_limits import ServiceLimits

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

SPARE_FILES = 100
"""File descriptors that are left for all but connections."""


def http_server(
    app: Callable[..., Awaitable[None]], limits: ServiceLimits, host: str, port: int
) -> uvicorn.Server:
    """A server that answers requests with an ASGI application until SIGTERM.

    Requests that are being answered then are still answered.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=http_protocol(limits),
            ws="none",
            log_level="error",
            access_log=False,
            server_header=False,
            # Requests whose time is over end by themselves before.
            timeout_graceful_shutdown=round(limits.request_seconds) + 5,
        )
    )


def http_protocol(limits: ServiceLimits) -> type[H11Protocol]:
    """The class that uvicorn makes for each connection: ``uvicorn.Config(http=…)``."""
    most = limits.connections
    if resource is not None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files != resource.RLIM_INFINITY:
            most = max(1, min(most, files - SPARE_FILES))

    numbers = itertools.count()

    class PatientProtocol(H11Protocol):
        """One connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self._timers: dict[str, asyncio.TimerHandle] = {}
            self._number = next(numbers)
            super().connection_made(transport)
            if len(self.connections) > most:
                idle = [
                    one
                    for one in self.connections
                    if isinstance(one, PatientProtocol) and one.waits_for_head()
                ]
                min(idle, key=lambda one: one._number, default=self).transport.abort()
            self._time_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._time_head()

        def waits_for_head(self) -> bool:
            """True while no request is being answered."""
            return self.cycle is None or self.cycle.response_complete

        def _time_head(self) -> None:
            """Begin the time of a head when the one before is answered, end it when it is here."""
            if self.waits_for_head():
                self._start("head", limits.pause_seconds, self._end_head)
            else:
                self._stop("head")

        def _end_head(self) -> None:
            self._stop("head")
            if self.waits_for_head():
                self.transport.abort()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._start("answer", limits.answer_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop("answer")

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop("head")
            self._stop("answer")
            super().connection_lost(exc)

        def shutdown(self) -> None:
            # A head that is half there: h11 refuses to say good-bye in the middle of it.
            with suppress(Exception):
                super().shutdown()
            if self.waits_for_head():
                self.transport.abort()

        def _start(self, timer: str, seconds: float, end: Callable[[], None]) -> None:
            if timer not in self._timers:
                self._timers[timer] = self.loop.call_later(seconds, end)

        def _stop(self, timer: str) -> None:
            if timer in self._timers:
                self._timers.pop(timer).cancel()

    return PatientProtocol
