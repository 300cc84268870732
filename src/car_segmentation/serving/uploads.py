"""Photos in a request: a form with files, or the bytes of one as the body."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import (
    MultipartParser,
    parse_options_header,
)

from car_segmentation.serving.problems import Problem
from car_segmentation.serving.request_limits import ServiceLimits

MAX_FIELDS = 32
FIELD_BYTES = 4096
NAME_LENGTH = 100
NOT_IN_NAMES = re.compile(r"[^\w.-]+")

# It has a line for each malformed form, and callers must not be able to fill the log.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Upload:
    """A file of a request.

    Attributes:
        name: What the caller calls it.
        content: Its bytes.
    """

    name: str
    content: bytes


async def read_uploads(
    request: Request, limits: ServiceLimits
) -> tuple[list[Upload], dict[str, str | bytes]]:
    """The photos of a request, and its options by name.

    Photos are files of a form (``multipart/form-data``) in fields called ``photo``, or the body
    itself. Options are the form's other fields and the parameters of the address.

    Raises:
        Problem: If there is no photo, there are too many, or the form is broken.
    """
    options: dict[str, str | bytes] = dict(request.query_params)
    body = await request.body()
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        if not body:
            raise Problem(400, "There is no photo: send one as the body, or as a form file.")
        return [Upload("photo", body)], options
    photos = []
    for part in _parts_of(body, parameters.get(b"boundary", b""), limits.photos + 1):
        if part.file_name is None:
            options[part.name] = part.content.decode("utf-8", "replace")
        elif part.name == "photo":
            photos.append(Upload(part.file_name or "photo", bytes(part.content)))
        else:
            options[part.name] = bytes(part.content)
    if not 1 <= len(photos) <= limits.photos:
        raise Problem(
            400,
            f"A form takes 1 to {limits.photos} files in the field photo, not {len(photos)}.",
        )
    return photos, options


@dataclass
class _Part:
    """A field of a form; a file if it has a file name."""

    name: str = ""
    file_name: str | None = None
    content: bytearray = field(default_factory=bytearray)


def _parts_of(body: bytes, boundary: bytes, most_files: int) -> list[_Part]:
    """Take a form apart, in memory: it is there already."""
    parts: list[_Part] = []
    header = [b"", b""]
    is_whole = False

    def begin() -> None:
        parts.append(_Part())

    def add_to_name(data: bytes, start: int, end: int) -> None:
        header[0] += data[start:end]

    def add_to_value(data: bytes, start: int, end: int) -> None:
        header[1] += data[start:end]

    def end_header() -> None:
        if header[0].lower() == b"content-disposition":
            _, options = parse_options_header(header[1])
            parts[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
            if b"filename" in options:
                parts[-1].file_name = options[b"filename"].decode("utf-8", "replace")
        header[:] = b"", b""

    def check_number() -> None:
        files = sum(part.file_name is not None for part in parts)
        if files > most_files or len(parts) - files > MAX_FIELDS:
            raise _malformed(f"it has more than {most_files} files or {MAX_FIELDS} fields")

    def add(data: bytes, start: int, end: int) -> None:
        parts[-1].content += data[start:end]
        if parts[-1].file_name is None and len(parts[-1].content) > FIELD_BYTES:
            raise _malformed(f"a field has more than {FIELD_BYTES} bytes")

    def finish() -> None:
        nonlocal is_whole
        is_whole = True

    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": begin,
                "on_header_field": add_to_name,
                "on_header_value": add_to_value,
                "on_header_end": end_header,
                "on_headers_finished": check_number,
                "on_part_data": add,
                "on_end": finish,
            },
        )
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError, IndexError) as error:
        raise _malformed(str(error)) from None
    if not is_whole:
        raise _malformed("it has no end")
    return parts


def _malformed(reason: str) -> Problem:
    return Problem(400, f"The form is malformed: {reason}.")


def safe_names(names: Sequence[str]) -> list[str]:
    """Names for files, without extension and each once: letters, digits, dots and dashes."""
    taken: dict[str, str] = {}  # By what file systems that ignore case take for the same.
    for name in names:
        stem = PurePosixPath(name.replace("\\", "/")).stem
        stem = NOT_IN_NAMES.sub("_", stem).strip("._")[:NAME_LENGTH] or "photo"
        number, unique = 1, stem
        while unique.lower() in taken:
            number += 1
            unique = f"{stem}_{number}"
        taken[unique.lower()] = unique
    return list(taken.values())
