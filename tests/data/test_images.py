import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from car_segmentation.data.image_files import Limits, UnusableImage, open_image
from car_segmentation.data.images import read_photo
from tests.support.photos import disc_mask, photo_of

PHOTO = photo_of(disc_mask())
HEIGHT, WIDTH = PHOTO.shape[:2]


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


class TestReadPhoto:
    def test_png_is_read_exactly(self, tmp_path: Path) -> None:
        path = save(tmp_path / "photo.png", Image.fromarray(PHOTO))
        assert np.array_equal(read_photo(path), PHOTO)

    def test_greyscale_is_repeated_over_the_channels(self, tmp_path: Path) -> None:
        grey = PHOTO[..., 0]
        path = save(tmp_path / "photo.png", Image.fromarray(grey))
        assert np.array_equal(read_photo(path), np.dstack([grey] * 3))

    def test_alpha_is_dropped(self, tmp_path: Path) -> None:
        rgba = np.dstack([PHOTO, np.full((HEIGHT, WIDTH), 10, np.uint8)])
        path = save(tmp_path / "photo.png", Image.fromarray(rgba))
        assert np.array_equal(read_photo(path), PHOTO)

    def test_cmyk_jpeg_looks_like_its_rgb(self, tmp_path: Path) -> None:
        cmyk = Image.fromarray(PHOTO).convert("CMYK")
        path = save(tmp_path / "photo.jpg", cmyk, quality=100)
        difference = np.abs(read_photo(path).astype(int) - np.asarray(cmyk.convert("RGB")))
        assert difference.mean() < 3

    @pytest.mark.parametrize("channels", [1, 3])
    def test_16_bits_are_reduced_to_8(self, tmp_path: Path, channels: int) -> None:
        photo = PHOTO if channels == 3 else PHOTO[..., 0]
        path = tmp_path / "photo.png"
        cv2.imwrite(
            str(path),
            (photo.astype(np.uint16) * 256)[..., ::-1]
            if channels == 3
            else photo.astype(np.uint16) * 256,
        )
        expected = PHOTO if channels == 3 else np.dstack([photo] * 3)
        assert np.abs(read_photo(path).astype(int) - expected).max() <= 1

    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_exif_orientation_is_applied(self, tmp_path: Path, orientation: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = save(tmp_path / "photo.jpg", Image.fromarray(PHOTO), exif=exif, quality=100)
        turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
        expected = np.rot90(PHOTO, turns)
        photo = read_photo(path)
        assert photo.shape == expected.shape
        assert open_image(path, Limits(1)).check() == expected.shape[:2]
        assert np.abs(photo.astype(int) - expected).mean() < 6

    def test_a_format_that_only_pillow_reads(self, tmp_path: Path) -> None:
        path = save(tmp_path / "photo.tif", Image.fromarray(PHOTO).convert("LAB"))
        assert read_photo(path).shape == PHOTO.shape


class TestPhotoSize:
    def test_is_height_and_width(self, tmp_path: Path) -> None:
        path = save(tmp_path / "photo.jpg", Image.fromarray(PHOTO))
        assert open_image(path, Limits(1)).check() == (HEIGHT, WIDTH)

    @pytest.mark.parametrize("extension", ["jpg", "png"])
    def test_a_truncated_file_is_refused(self, tmp_path: Path, extension: str) -> None:
        path = save(tmp_path / f"photo.{extension}", Image.fromarray(PHOTO))
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(UnusableImage, match="truncated or damaged"):
            open_image(path, Limits(1)).check()

    def test_an_empty_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        path.touch()
        with pytest.raises(UnusableImage, match=r"is empty \(0 bytes\)"):
            open_image(path, Limits(1)).check()

    def test_what_is_no_image_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        path.write_text("a letter, not a picture")
        with pytest.raises(UnusableImage, match="is not an image"):
            open_image(path, Limits(1)).check()

    def test_an_unreadable_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        path.symlink_to(tmp_path / "gone.jpg")
        with pytest.raises(UnusableImage, match="cannot be read"):
            open_image(path, Limits(1)).check()

    def test_an_absurdly_large_image_is_refused_before_it_is_decoded(self, tmp_path: Path) -> None:
        path = save(tmp_path / "photo.png", Image.fromarray(PHOTO))
        content = bytearray(path.read_bytes())
        content[16:24] = struct.pack(">II", 200_000, 200_000)  # The header claims 40 gigapixels.
        crc = __import__("zlib").crc32(content[12:29])
        content[29:33] = struct.pack(">I", crc)
        path.write_bytes(content)
        with pytest.raises(UnusableImage, match="200000×200000 is 40000 megapixels"):
            open_image(path, Limits(100)).check()
