"""Files named like photos that would hold a reader, take its memory, or mislead it."""

import contextlib
import io
import os
import socket
import struct
import zlib
from pathlib import Path

from PIL import Image

from tests.support.photos import disc_mask, photo_of


def bad_contents() -> dict[str, bytes]:
    """What such files may hold, by the name of a file, within the limits on bytes of a service."""
    photo = _encoded(Image.fromarray(photo_of(disc_mask())), "JPEG")
    progressive = _encoded(Image.new("L", (640, 480)), "JPEG", progressive=True)
    scan = progressive[progressive.rfind(b"\xff\xda") : -2]
    side = 30_000
    header = struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0)
    giant = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b""))
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(giant), 22) + giant
    return {
        "scans.jpg": progressive[:-2] + 500 * scan + b"\xff\xd9",
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 96 64\n{} loop\n%%EOF\n",
        "icon.jpg": icon,
        "giant.png": giant,
        "cut.jpg": photo[: len(photo) // 2],
        "text.jpg": b"no photo",
        "zeros.png": bytes(5000),
    }


def write_bad_photos(folder: Path) -> list[str]:
    """Write twelve of them, among them what is no file; return their names."""
    contents = bad_contents()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.chdir(folder):
        listener.bind("socket.jpg")  # Its path may have 100 characters or so.
    with (folder / "terabyte.png").open("wb") as file:
        file.truncate(10**12)
    return [*contents, "pipe.jpg", "device.jpg", "loop.jpg", "socket.jpg", "terabyte.png"]


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
