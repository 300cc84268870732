import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.core.files import (
    atomic_file,
    atomic_folder,
    lock_folder,
    read_text_file,
    remove_parts,
    write_at,
)


def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    for text in ("first", "second"):
        with atomic_file(path) as part:
            assert part.suffix == ".txt"
            part.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail_half_way() -> None:
        with atomic_file(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_a_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with atomic_file(path, "a") as one, atomic_file(path, "b") as other:
        one.write_text("one")
        other.write_text("other")
        assert one != other
    assert path.read_text() == "one"  # The last to end.
    (tmp_path / ".file.a.part.txt").touch()
    remove_parts(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_neighbours_write_into_the_middle_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(4000))
    with ThreadPoolExecutor(8) as pool:
        for row in range(40):
            pool.submit(write_at, path, 100 * row, memoryview(bytes([row]) * 100))
    assert path.read_bytes() == b"".join(bytes([row]) * 100 for row in range(40))


def test_a_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for name in ("first", "second"):
        with atomic_folder(path) as part:
            (part / name).touch()
        assert [file.name for file in path.iterdir()] == [name]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with atomic_folder(path) as part:
        (part / "old").touch()

    def fail_half_way() -> None:
        with atomic_folder(path) as part:
            (part / "new").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [file.name for file in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


LOCK = """
import sys
from pathlib import Path
from car_segmentation.core.files import lock_folder
lock = lock_folder(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_lock_keeps_other_processes_out_until_they_end(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(UserError, match=f"Another run is using {tmp_path}"):
            lock_folder(tmp_path)
        other.kill()
    lock_folder(tmp_path).release()


def test_a_process_may_lock_again_what_it_has(tmp_path: Path) -> None:
    first, second = lock_folder(tmp_path), lock_folder(tmp_path)
    second.release()
    first.release()


def test_text_of_others_is_read_from_small_regular_files_alone(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_bytes(b"\xef\xbb\xbfid\r\nCitro\xc3\xabn\r\n")
    assert read_text_file(path) == "id\r\nCitro\u00ebn\r\n"
    with pytest.raises(UserError, match=r"metadata.csv is too large: 0 megabytes \(at most 1e-05"):
        read_text_file(path, max_megabytes=1e-5)
    path.write_bytes("id\nCitro\u00ebn".encode("latin-1"))
    with pytest.raises(UserError, match=r"metadata.csv cannot be read .*utf-8"):
        read_text_file(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_text_file(tmp_path)
