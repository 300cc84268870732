"""JSON files that are read for what they must hold: a damaged one is named, and never believed."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from car_segmentation.core.errors import UserError


def read_json(path: Path, expected: Any, mend: str) -> Any:
    """Read a JSON file, and check what it holds.

    Args:
        path: The file.
        expected: The type of what it holds, as pydantic checks it, without conversions.
        mend: What the user can do about a damaged file: a sentence.

    Returns:
        What is in the file, as JSON has it.

    Raises:
        UserError: If the file is not JSON (cut short, empty, binary), or holds something else.
        FileNotFoundError: If there is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UserError(f"{path} cannot be read ({error.strerror}). {mend}") from None
    try:
        TypeAdapter(expected).validate_json(content, strict=True)
        return json.loads(content)
    except ValidationError as error:
        raise UserError(f"{path} is damaged: {_first_problem(error, content)}. {mend}") from None


def _what_it_is(content: bytes) -> str:
    if not content.strip(b"\0 \r\n\t"):
        return "empty" if not content else f"{len(content)} bytes of nothing"
    return "not JSON, or is cut short"


def _first_problem(error: ValidationError, content: bytes) -> str:
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return f"it is {_what_it_is(content)}"
    place = ".".join(map(str, first["loc"]))
    value = f" is {first['input']!r:.50}" if first["type"] != "missing" else ""
    return f"{place or 'what it holds'}{value} ({first['msg'][:1].lower()}{first['msg'][1:]})"
