import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_stack import ImageStack, new_stack, read_stack


def test_a_photo_that_is_not_in_the_stack(tmp_path: Path) -> None:
    stack = ImageStack(("a",), np.zeros((1, 2)))
    with pytest.raises(UserError, match=r"2 photos .*, b the first.*data_processing"):
        stack.rows_of(["a", "b", "c"])


def test_an_image_of_a_wrong_shape_is_refused(tmp_path: Path) -> None:
    message = r"image 0 has shape \(2, 3\), not \(2, 2\)"
    with (
        pytest.raises(ValueError, match=message),
        new_stack(tmp_path / "stack", ["a"], (2, 2), "uint8") as writer,
    ):
        writer.write(0, np.zeros((2, 3)))
    assert not (tmp_path / "stack").exists()


def test_an_image_may_be_smaller_than_its_place(tmp_path: Path) -> None:
    with new_stack(tmp_path / "stack", ["a", "b"], (3, 4), "uint8") as writer:
        for row in (0, 1):
            writer.write(row, np.full((3, 4), row + 1))
        writer.notes["b"] = {"size": [2, 3]}
    stack = read_stack(tmp_path / "stack")
    assert stack.image(0).tolist() == [[1] * 4] * 3
    assert stack.image(1).tolist() == [[2] * 3] * 2


def test_checksums_are_the_same_whoever_computes_them(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 4), np.uint8)
    for name in ("by the writer", "from the file"):
        with new_stack(tmp_path / name, ["a", "b"], (3, 4), "uint8") as writer:
            for row, image in enumerate(images):
                checksum = writer.write(row, image)
                if name == "by the writer":
                    writer.checksums[row] = checksum
    indices = [json.loads((each / "index.json").read_text()) for each in tmp_path.iterdir()]
    expected = [
        zlib.crc32(image.tobytes() + name) for image, name in zip(images, (b"a", b"b"), strict=True)
    ]
    assert [index["crc32"] for index in indices] == [expected, expected]


def test_a_stack_travels_to_another_process_as_its_folder(tmp_path: Path) -> None:
    with new_stack(tmp_path / "stack", ["a"], (50, 40), "uint8") as writer:
        writer.write(0, np.full((50, 40), 7, np.uint8))
        writer.notes["a"] = {"height": 3}
    stack = read_stack(tmp_path / "stack")
    content = pickle.dumps(stack)
    assert len(content) < stack.pixels.nbytes
    again = pickle.loads(content)
    assert np.array_equal(again.pixels, stack.pixels)
    assert (again.ids, again.notes) == (stack.ids, stack.notes)


def test_a_stack_in_memory_travels_whole() -> None:
    again = pickle.loads(pickle.dumps(ImageStack(("a",), np.eye(3)[np.newaxis])))
    assert np.array_equal(again.pixels[0], np.eye(3))
