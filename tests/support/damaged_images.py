"""Reads damaged images through the door, in a process that may be killed.

    python -m tests.support.damaged_images FORMAT COUNT SEED

A hang ends the process by a signal, as do a crash of a reader and more memory than is allowed.
"""

import io
import resource
import signal
import sys
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from car_segmentation.data.image_files import FORMATS, Limits, UnusableImage, open_image
from car_segmentation.data.masks import decode_mask

SECONDS = 5
MEMORY = 3 << 30
LIMITS = Limits(megapixels=25, megabytes=50)


def samples(kind: str, rng: np.random.Generator) -> list[bytes]:
    """Small images of a format in several modes."""
    rgb = Image.fromarray(rng.integers(0, 255, (60, 90, 3), np.uint8))
    options: list[tuple[Image.Image, dict]] = [(rgb, {}), (rgb.convert("L"), {})]
    if kind == "JPEG":
        options += [(rgb, {"progressive": True}), (rgb.convert("CMYK"), {})]
    elif kind == "PNG":
        options += [(rgb.convert("P"), {}), (rgb.convert("RGBA"), {}), (rgb.convert("I;16"), {})]
    elif kind == "TIFF":
        compressions = ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
        options += [(rgb, {"compression": name}) for name in compressions]
        options += [(rgb.convert("F"), {}), (rgb.convert("LAB"), {})]
    elif kind == "WEBP":
        options += [(rgb.convert("RGBA"), {"lossless": True})]
    contents = []
    for image, how in options:
        content = io.BytesIO()
        image.save(content, kind, **how)
        contents.append(content.getvalue())
    return contents


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One way to spoil a file: bytes flipped, cut, swapped, a lying header, noise in the middle."""
    spoilt = bytearray(content)
    how, size = rng.integers(5), len(content)
    start, end = sorted(rng.integers(0, size, 2))
    if how == 0:
        for position in rng.integers(0, size, rng.integers(1, 20)):
            spoilt[position] = rng.integers(256)
    elif how == 1:
        del spoilt[start:]
    elif how == 2:
        middle = (start + end) // 2
        spoilt[start:end] = content[middle:end] + content[start:middle]
    elif how == 3:
        for position in rng.integers(0, min(size - 4, 100), rng.integers(1, 4)):
            lie = int(rng.choice([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]))
            spoilt[position : position + 4] = lie.to_bytes(4, rng.choice(["big", "little"]))
    else:
        spoilt[start:end] = rng.bytes(int(end - start))
    return bytes(spoilt)


def with_valid_checksums(png: bytes) -> bytes:
    """A damaged PNG whose chunks pass for whole, so that its decoder meets the damage."""
    content, position = bytearray(png), 8
    while position + 12 <= len(content):
        end = position + 8 + int.from_bytes(content[position : position + 4])
        if end + 4 > len(content):
            break
        content[end : end + 4] = zlib.crc32(content[position + 4 : end]).to_bytes(4)
        position = end + 4
    return bytes(content)


def cases(kind: str, count: int, seed: int) -> Iterator[bytes]:
    """Damaged files of a format; the same for the same seed."""
    rng = np.random.default_rng(seed)
    originals = samples(kind, rng)
    for number in range(count):
        content = damaged(originals[number % len(originals)], rng)
        yield with_valid_checksums(content) if kind == "PNG" and number % 4 else content


def main() -> None:
    """Read them all; print how many could be used."""
    kind, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    used = 0
    for content in cases(kind, count, seed):
        for read in (
            lambda source: open_image(source, LIMITS).rgb(),
            lambda source: decode_mask(source, limits=LIMITS),
        ):
            signal.alarm(SECONDS)
            try:
                read(content)
                assert open_image(content, LIMITS).format in FORMATS
                used += 1
            except UnusableImage:
                pass
    sys.stdout.write(f"{used}\n")


if __name__ == "__main__":
    main()
