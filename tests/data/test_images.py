import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from car_segmentation.data.images import UnusableImage, photo_size, read_mask, read_photo
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
        assert photo_size(path, max_megapixels=1) == expected.shape[:2]
        assert np.abs(photo.astype(int) - expected).mean() < 6

    def test_a_format_that_only_pillow_reads(self, tmp_path: Path) -> None:
        path = save(tmp_path / "photo.tif", Image.fromarray(PHOTO).convert("LAB"))
        assert read_photo(path).shape == PHOTO.shape


class TestPhotoSize:
    def test_is_height_and_width(self, tmp_path: Path) -> None:
        path = save(tmp_path / "photo.jpg", Image.fromarray(PHOTO))
        assert photo_size(path, max_megapixels=1) == (HEIGHT, WIDTH)

    @pytest.mark.parametrize("extension", ["jpg", "png"])
    def test_a_truncated_file_is_refused(self, tmp_path: Path, extension: str) -> None:
        path = save(tmp_path / f"photo.{extension}", Image.fromarray(PHOTO))
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(UnusableImage, match="truncated or damaged"):
            photo_size(path, max_megapixels=1)

    def test_an_empty_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        path.touch()
        with pytest.raises(UnusableImage, match=r"is empty \(0 bytes\)"):
            photo_size(path, max_megapixels=1)

    def test_what_is_no_image_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        path.write_text("a letter, not a picture")
        with pytest.raises(UnusableImage, match="is not an image"):
            photo_size(path, max_megapixels=1)

    def test_an_unreadable_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        path.symlink_to(tmp_path / "gone.jpg")
        with pytest.raises(UnusableImage, match="cannot be read"):
            photo_size(path, max_megapixels=1)

    def test_an_absurdly_large_image_is_refused_before_it_is_decoded(self, tmp_path: Path) -> None:
        path = save(tmp_path / "photo.png", Image.fromarray(PHOTO))
        content = bytearray(path.read_bytes())
        content[16:24] = struct.pack(">II", 200_000, 200_000)  # The header claims 40 gigapixels.
        crc = __import__("zlib").crc32(content[12:29])
        content[29:33] = struct.pack(">I", crc)
        path.write_bytes(content)
        with pytest.raises(UnusableImage, match="200000×200000 is 40000 megapixels"):
            photo_size(path, max_megapixels=100)


class TestReadMask:
    MASK = disc_mask()

    def assert_read(self, path: Path) -> None:
        mask = read_mask(path, max_grey_share=0.05)
        assert mask.dtype == bool
        assert np.array_equal(mask, self.MASK)

    @pytest.mark.parametrize("bright", [1, 38, 255])
    def test_any_two_values(self, tmp_path: Path, bright: int) -> None:
        values = self.MASK.astype(np.uint8) * np.uint8(bright)
        self.assert_read(save(tmp_path / "mask.png", Image.fromarray(values)))

    def test_palette_gif_as_carvana_has_it(self, tmp_path: Path) -> None:
        image = Image.fromarray(self.MASK.astype(np.uint8))
        image.putpalette([0, 0, 0, 255, 255, 255])
        self.assert_read(save(tmp_path / "mask.gif", image))

    def test_palette_whose_colours_are_alike(self, tmp_path: Path) -> None:
        image = Image.fromarray(self.MASK.astype(np.uint8))
        image.putpalette([0, 0, 0, 0, 0, 0])
        self.assert_read(save(tmp_path / "mask.png", image))

    def test_one_bit(self, tmp_path: Path) -> None:
        self.assert_read(save(tmp_path / "mask.png", Image.fromarray(self.MASK)))

    def test_colour(self, tmp_path: Path) -> None:
        red = np.where(self.MASK[..., np.newaxis], (255, 0, 0), (0, 0, 0)).astype(np.uint8)
        self.assert_read(save(tmp_path / "mask.png", Image.fromarray(red)))

    def test_16_bits(self, tmp_path: Path) -> None:
        values = self.MASK.astype(np.uint16) * 65535
        self.assert_read(save(tmp_path / "mask.png", Image.fromarray(values)))

    def test_alpha_channel_of_a_cut_out(self, tmp_path: Path) -> None:
        rgba = np.dstack([PHOTO, self.MASK.astype(np.uint8) * 255])
        self.assert_read(save(tmp_path / "mask.png", Image.fromarray(rgba)))

    def test_jpeg_is_cut_between_dark_and_bright(self, tmp_path: Path) -> None:
        values = Image.fromarray(self.MASK.astype(np.uint8) * 255)
        mask = read_mask(save(tmp_path / "mask.jpg", values, quality=90))
        assert np.count_nonzero(mask != self.MASK) <= 4

    def test_a_few_grey_values_at_the_edge(self, tmp_path: Path) -> None:
        soft = cv2.blur(self.MASK.astype(np.uint8) * 255, (3, 3))
        path = save(tmp_path / "mask.png", Image.fromarray(soft))
        assert np.array_equal(read_mask(path, max_grey_share=0.1), soft > 127)

    def test_a_picture_is_no_mask(self, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, 255, WIDTH, dtype=np.uint8), (HEIGHT, 1))
        path = save(tmp_path / "mask.png", Image.fromarray(ramp))
        with pytest.raises(UnusableImage, match=r"is no mask: \d+% of its pixels"):
            read_mask(path, max_grey_share=0.05)

    def test_numbers_of_classes_are_no_mask(self, tmp_path: Path) -> None:
        classes = self.MASK.astype(np.uint8)
        classes[:, WIDTH // 2 :] *= 2
        grey = save(tmp_path / "grey.png", Image.fromarray(classes))
        coloured = Image.fromarray(classes)
        coloured.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])  # As PASCAL VOC has them.
        for path in (grey, save(tmp_path / "palette.png", coloured)):
            with pytest.raises(UnusableImage, match=r"numbers of several classes \(0, 1, 2\)"):
                read_mask(path, max_grey_share=1)
            read_mask(path)  # Not asked to judge.

    def test_a_soft_edge_in_a_grey_palette_is_a_mask(self, tmp_path: Path) -> None:
        soft = cv2.blur(self.MASK.astype(np.uint8) * 255, (3, 3))
        path = save(tmp_path / "mask.gif", Image.fromarray(soft))
        assert np.array_equal(read_mask(path, max_grey_share=0.1), soft > 127)

    def test_all_dark(self, tmp_path: Path) -> None:
        path = save(tmp_path / "mask.png", Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)))
        assert not read_mask(path, max_grey_share=0.05).any()
