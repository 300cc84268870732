"""Photos in a request: a form with files, or the bytes of one as the body."""

import logging
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

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
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "multipart/form-data":
        content = await request.body()
        if not content:
            raise Problem(400, "There is no photo: send one as the body, or as a form's file.")
        return [Upload("photo", content)], options

    async def body() -> AsyncIterator[bytes]:
        yield await request.body()

    parser = MultiPartParser(
        request.headers,
        body(),  # type: ignore[arg-type]
        max_files=limits.photos + 1,
        max_fields=MAX_FIELDS,
        max_part_size=FIELD_BYTES,
    )
    # The body is in memory: its parts need no files.
    parser.spool_max_size = int(limits.body_megabytes * 1e6)
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError, KeyError, IndexError) as error:
        raise Problem(400, f"The form is malformed: {getattr(error, 'message', error)}") from None
    photos = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read()
            if name == "photo":
                photos.append(Upload(value.filename or "photo", content))
            else:
                options[name] = content
        else:
            options[name] = value
    if not 1 <= len(photos) <= limits.photos:
        raise Problem(
            400,
            f"A form takes 1 to {limits.photos} files in the field photo, not {len(photos)}.",
        )
    return photos, options


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
