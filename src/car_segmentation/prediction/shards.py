"""Parts of a folder of photos, each predicted by a process of its own, and one table at the end."""

import csv
import logging
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from car_segmentation.core.errors import UserError
from car_segmentation.core.name_patterns import without_extension
from car_segmentation.core.tables import unescape_formula
from car_segmentation.prediction.photo_record import write_rows

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """One of several parts of a folder.

    A photo's name alone decides which part it is in, so that photos that are added or removed move
    no others.

    Attributes:
        number: Which part, from 1.
        count: Of how many.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``3/20``, the third of twenty parts; `parameters.Inference` has checked it."""
        number, _, count = text.partition("/")
        return cls(int(number), int(count))

    def __str__(self) -> str:
        return f"{self.number}-of-{self.count}"

    def holds(self, name: str) -> bool:
        """True if a photo is in this part, by its path in the folder without extension."""
        digest = zlib.crc32(os.fsencode(without_extension(name)))
        return digest % self.count == self.number - 1


def shard_file(file: Path, shard: Shard | None) -> Path:
    """The file that a part has in place of one of the whole folder: a hidden one."""
    return file if shard is None else file.with_name(f".{_bare(file)}.{shard}{file.suffix}")


def shard_files(file: Path) -> list[Path]:
    """All files that parts have in place of one of the whole folder."""
    return sorted(file.parent.glob(f".{_bare(file)}.*-of-*{file.suffix}"))


def files_of_all(file: Path, count: int) -> dict[int, Path]:
    """The file of each of a number of parts, there or not, by the part's number."""
    return {number: shard_file(file, Shard(number, count)) for number in range(1, count + 1)}


def join_tables(table: Path, shard: Shard) -> None:
    """Write one table of all photos when every part has its table, and say which have not.

    Every part calls this when its own table is written, and the last of them finds all.

    Raises:
        UserError: If the table of a part is damaged.
    """
    files = files_of_all(table, shard.count)
    missing = [number for number, file in files.items() if not file.is_file()]
    if missing:
        numbers = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        logger.info(
            "%s is written by the last of %d parts; not yet finished: %s",
            *(table, shard.count, numbers),
        )
        return
    rows = [row for file in files.values() for row in _rows(file)]
    rows.sort(key=lambda row: Path(unescape_formula(row["photo"])))
    write_rows(table, rows, writer=str(shard))
    logger.info("All %d parts are finished: %s has all photos", shard.count, table)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        rows = list(csv.DictReader(lines))
    if any("photo" not in row or None in row.values() for row in rows):
        raise UserError(f"{file} is damaged. Delete it, and run that part again.")
    return rows


def _bare(file: Path) -> str:
    return file.stem.removeprefix(".")
