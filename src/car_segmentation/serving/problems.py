"""Errors of the service: problem details in JSON (RFC 9457), one sentence each."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

SENTENCE_LENGTH = 300
"""Longest detail of a problem, in characters."""


class Problem(Exception):
    """Why a request is not answered.

    Args:
        status: Of the answer, 400 or above.
        detail: One sentence for the caller.
        headers: Of the answer.
        **members: More members of the JSON object.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ):
        super().__init__(detail)
        self.status = status
        self.detail = detail if len(detail) <= SENTENCE_LENGTH else f"{detail[:SENTENCE_LENGTH]} …"
        self.headers = headers
        self.members = members

    def as_dict(self) -> dict[str, Any]:
        """The members of the JSON object."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def response(self) -> Response:
        """The answer."""
        return Response(
            json.dumps(self.as_dict(), ensure_ascii=False),
            self.status,
            self.headers,
            "application/problem+json",
        )


def too_busy(status: int, detail: str, seconds: float) -> Problem:
    """A problem that is gone after some seconds."""
    return Problem(status, detail, {"Retry-After": str(max(1, round(seconds)))})
