import io
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage.color
from PIL import Image, ImageCms, PngImagePlugin

from car_segmentation.data import image_files
from car_segmentation.data.image_files import Limits, UnusableImage, open_image
from tests.support.photos import disc_mask, photo_of

PHOTO = photo_of(disc_mask(90, 140, 30))
PHOTO[:20, :30] = (20, 90, 160)  # A corner of its own, so that no two turns look alike.
HEIGHT, WIDTH = PHOTO.shape[:2]


def encoded(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def jpeg(size: tuple[int, int] = (320, 240), **options: object) -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (*size[::-1], 3), np.uint8)
    return encoded(Image.fromarray(noise), "JPEG", quality=90, **options)


class TestWhatIsOpened:
    def test_a_pipe_is_refused_at_once(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "c.jpg")
        with pytest.raises(UnusableImage, match="not a regular file"):
            open_image(tmp_path / "c.jpg")

    def test_devices_sockets_and_folders_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "folder.jpg").mkdir()
        (tmp_path / "zero.jpg").symlink_to("/dev/zero")
        with socket.socket(socket.AF_UNIX) as server:
            name = os.path.relpath(tmp_path / "socket.jpg")  # Names of sockets are short.
            server.bind(name)
            for name in ("folder.jpg", "zero.jpg", "socket.jpg", "missing.jpg", "nul\0.jpg"):
                with pytest.raises(UnusableImage, match=r"not a regular file|cannot be read"):
                    open_image(tmp_path / name)

    def test_a_symbolic_link_to_a_file_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "there.png").write_bytes(encoded(PHOTO, "PNG"))
        (tmp_path / "here.png").symlink_to(tmp_path / "there.png")
        assert np.array_equal(open_image(tmp_path / "here.png").rgb(), PHOTO)

    @pytest.mark.parametrize("kind", ["ICO", "ICNS", "PPM", "TGA", "PCX", "EPS", "PDF", "JPEG2000"])
    def test_formats_off_the_list_are_refused_whatever_the_name(
        self, tmp_path: Path, kind: str
    ) -> None:
        (tmp_path / "photo.jpg").write_bytes(encoded(PHOTO, kind))
        with pytest.raises(UnusableImage, match="is not an image of a format that is read"):
            open_image(tmp_path / "photo.jpg")

    def test_a_format_on_the_list_is_read_whatever_the_name(self, tmp_path: Path) -> None:
        (tmp_path / "photo.jpg").write_bytes(encoded(PHOTO, "PNG"))
        assert np.array_equal(open_image(tmp_path / "photo.jpg").rgb(), PHOTO)

    def test_too_many_bytes_or_pixels(self, tmp_path: Path) -> None:
        content = encoded(PHOTO, "BMP")
        path = tmp_path / "photo.bmp"
        path.write_bytes(content)
        for source in (path, content):
            with pytest.raises(UnusableImage, match=r"0\.0 megabytes \(at most 0.01\)"):
                open_image(source, Limits(megabytes=0.01))
            with pytest.raises(UnusableImage, match="140×90 is 0 megapixels"):
                open_image(source, Limits(megapixels=0.012))
        assert open_image(path, Limits(megapixels=0.0127)).check() == (HEIGHT, WIDTH)

    def test_a_sparse_file_of_a_terabyte_is_not_read(self, tmp_path: Path) -> None:
        with (tmp_path / "huge.png").open("wb") as file:
            file.truncate(10**12)
        with pytest.raises(UnusableImage, match="1000000 megabytes"):
            open_image(tmp_path / "huge.png")

    def test_a_jpeg_of_many_scans(self) -> None:
        content = encoded(Image.new("L", (640, 480)), "JPEG", progressive=True)
        last_scan = content[content.rfind(b"\xff\xda") : -2]
        assert open_image(content).check() == (480, 640)
        many = content[:-2] + 200 * last_scan + b"\xff\xd9"
        with pytest.raises(UnusableImage, match=r"a JPEG of 20\d scans"):
            open_image(many)

    def test_what_looks_like_scans_in_metadata_is_none(self) -> None:
        metadata = 300 * b"\xff\xda"
        photo = jpeg()
        segment = b"\xff\xee" + struct.pack(">H", len(metadata) + 2) + metadata
        assert open_image(photo[:2] + segment + photo[2:]).check() == (240, 320)

    def test_vast_tiles_of_a_small_tiff(self) -> None:
        entries = [(256, 64), (257, 64), (258, 8), (259, 5), (262, 1), (277, 1)]
        entries += [(322, 60000), (323, 60000), (324, 8), (325, 8)]
        tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
        content = b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4)
        with pytest.raises(UnusableImage, match=r"broken header|truncated"):
            open_image(content).rgb()

    def test_only_the_first_frame_is_decoded(self) -> None:
        frames = [Image.fromarray(PHOTO), Image.new("RGB", (WIDTH, HEIGHT))]
        for kind in ("PNG", "TIFF", "WEBP", "GIF", "MPO"):
            options = {"save_all": True, "append_images": frames[1:], "quality": 95}
            photo = open_image(encoded(frames[0], kind, **options)).rgb()
            assert np.abs(photo.astype(int) - PHOTO).mean() < 12


class TestDamage:
    @pytest.mark.parametrize("how", ["zeros", "noise", "cut", "end"])
    @pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
    def test_a_damaged_jpeg_is_refused(self, how: str, options: dict) -> None:
        content = bytearray(jpeg(**options))
        start, end = len(content) // 2, len(content) // 2 + len(content) // 8
        if how == "zeros":
            content[start:end] = bytes(end - start)
        elif how == "noise":
            content[start:end] = np.random.default_rng(0).bytes(end - start)
        elif how == "cut":
            del content[start:end]
        else:
            del content[end:]
        image = open_image(bytes(content))
        for read in (image.check, image.rgb, image.upright):
            with pytest.raises(UnusableImage, match="is truncated or damaged"):
                read()

    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "GIF", "BMP", "AVIF"])
    def test_a_truncated_file_is_refused(self, kind: str) -> None:
        content = encoded(PHOTO, kind)
        with pytest.raises(UnusableImage, match=r"truncated or damaged|broken|is AVIF"):
            open_image(content[: len(content) * 2 // 3]).rgb()

    def test_a_bit_flipped_in_a_png(self) -> None:
        content = bytearray(encoded(PHOTO, "PNG"))
        content[len(content) // 2] ^= 1
        with pytest.raises(UnusableImage, match="is truncated or damaged"):
            open_image(bytes(content)).check()


def xmp(orientation: int, as_element: bool = False) -> bytes:
    said = (
        f"><tiff:Orientation>{orientation}</tiff:Orientation></rdf:Description>"
        if as_element
        else f' tiff:Orientation="{orientation}"/>'
    )
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
        '22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
        f"{said}</rdf:RDF></x:xmpmeta>"
    ).encode()


STORED = {
    1: PHOTO,
    2: PHOTO[:, ::-1],
    3: PHOTO[::-1, ::-1],
    4: PHOTO[::-1],
    5: PHOTO.swapaxes(0, 1),
    6: np.rot90(PHOTO),  # Upright when it is turned clockwise.
    7: np.rot90(PHOTO, 2).swapaxes(0, 1),
    8: np.rot90(PHOTO, -1),
}
"""How a camera that was held otherwise stores the photo, by EXIF's orientation."""


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("where", ["exif", "xmp", "xmp element", "png profile"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_reader_sees_the_upright_photo(orientation: int, where: str, kind: str) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict = {"quality": 95} | ({"lossless": True} if kind == "WEBP" else {})
    if where == "exif":
        options["exif"] = exif
    elif where == "png profile":
        if kind != "PNG":
            return
        info = PngImagePlugin.PngInfo()
        content = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
        info.add_text("Raw profile type exif", f"\nexif\n{len(content):8}\n{content.hex()}\n")
        options["pnginfo"] = info
    elif kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp(orientation, where == "xmp element").decode())
        options["pnginfo"] = info
    elif kind == "TIFF":
        options["tiffinfo"] = {700: xmp(orientation, where == "xmp element")}
    else:
        options["xmp"] = xmp(orientation, where == "xmp element")
    content = encoded(stored, kind, **options)
    for photo in (open_image(content).rgb(), np.asarray(open_image(content).upright())):
        assert photo.shape == PHOTO.shape
        assert np.abs(photo.astype(int) - PHOTO).mean() < 6
    assert open_image(content).check() == (HEIGHT, WIDTH)


def test_broken_metadata_leave_the_photo_as_it_is() -> None:
    content = encoded(PHOTO, "PNG", exif=b"Exif\0\0MM\0*nonsense")
    assert np.array_equal(open_image(content).rgb(), PHOTO)


def profile(gamma: float, primaries: tuple[tuple[float, float, float], ...]) -> bytes:
    """A matrix profile of version 2: D50-adapted primaries and one gamma."""

    def numbers(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    entries = [(b"desc", name + bytes(-len(name) % 4)), (b"cprt", b"text\0\0\0\0none")]
    entries += [(b"wtpt", b"XYZ \0\0\0\0" + numbers(0.9642, 1.0, 0.8249))]
    for letter, values in zip("rgb", primaries, strict=True):
        entries.append((f"{letter}XYZ".encode(), b"XYZ \0\0\0\0" + numbers(*values)))
        entries.append((f"{letter}TRC".encode(), curve))
    table, body = struct.pack(">I", len(entries)), b""
    for tag, content in entries:
        table += tag + struct.pack(">II", 132 + 12 * len(entries) + len(body), len(content))
        body += content
    header = struct.pack(
        ">I4sI4s4s4s", 128 + len(table + body), b"", 0x02100000, b"mntr", b"RGB ", b"XYZ "
    )
    header += struct.pack(">6H", 2025, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    return header + numbers(0.9642, 1.0, 0.8249) + bytes(48) + table + body


ADOBE_RGB = profile(
    2.2, ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
)


class TestColours:
    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
    def test_a_wide_gamut_becomes_srgb(self, kind: str) -> None:
        photo = np.full((40, 60, 3), (150, 100, 60), np.uint8)
        options = {"lossless": True} if kind == "WEBP" else {"quality": 98}
        content = encoded(photo, kind, icc_profile=ADOBE_RGB, **options)
        # By hand: gamma 2.2, Adobe RGB's matrix to XYZ (D65), sRGB's matrix, sRGB's curve.
        adobe = [
            [0.57667, 0.18556, 0.18823],
            [0.29734, 0.62736, 0.07529],
            [0.02703, 0.07069, 0.99134],
        ]
        xyz = np.array(adobe) @ (np.array([150, 100, 60]) / 255) ** 2.2
        expected = skimage.color.xyz2rgb(xyz[np.newaxis, np.newaxis])[0, 0] * 255
        assert np.abs(open_image(content).rgb()[20, 30] - expected).max() < 3

    def test_srgb_and_broken_profiles_change_nothing(self) -> None:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        for icc in (srgb, b"no profile at all", ADOBE_RGB[:200]):
            assert np.array_equal(open_image(encoded(PHOTO, "PNG", icc_profile=icc)).rgb(), PHOTO)

    def test_lab_looks_like_its_rgb(self) -> None:
        lab = Image.fromarray(PHOTO).convert("LAB")
        difference = np.abs(open_image(encoded(lab, "TIFF")).rgb().astype(int) - PHOTO)
        assert difference.mean() < 2

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_16_bits_of_grey(self, kind: str) -> None:
        content = encoded(PHOTO[..., 0].astype(np.uint16) * 257, kind)
        assert np.array_equal(open_image(content).rgb(), np.dstack([PHOTO[..., 0]] * 3))

    @pytest.mark.parametrize("dtype", [np.float32, np.int32])
    def test_values_without_a_known_range_are_refused(self, dtype: type) -> None:
        content = encoded(Image.fromarray(PHOTO[..., 0].astype(dtype)), "TIFF")
        with pytest.raises(UnusableImage, match="nothing says which values are black and white"):
            open_image(content).rgb()

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
    def test_other_modes_look_as_pillow_shows_them(self, mode: str) -> None:
        image = Image.fromarray(PHOTO).convert(mode)
        content = encoded(image, "TIFF")
        assert np.array_equal(open_image(content).rgb(), np.asarray(image.convert("RGB")))


class TestPhones:
    def test_heic_is_read_upright(self) -> None:
        heif = pytest.importorskip("pillow_heif")
        stored = Image.fromarray(np.ascontiguousarray(STORED[6]))
        exif = Image.Exif()
        exif[0x0112] = 6
        content = io.BytesIO()
        heif.from_pillow(stored).save(content, quality=95, exif=exif.tobytes())
        image = open_image(content.getvalue())
        assert image.format == "HEIF"
        assert image.check() == (HEIGHT, WIDTH)
        assert np.abs(image.rgb().astype(int) - PHOTO).mean() < 8

    def test_avif_is_read(self) -> None:
        photo = open_image(encoded(PHOTO, "AVIF", quality=95)).rgb()
        assert np.abs(photo.astype(int) - PHOTO).mean() < 8

    def test_without_its_package_heic_names_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(image_files, "pillow_heif", None)
        monkeypatch.setattr(image_files, "FORMATS", ("JPEG", "PNG"))
        with pytest.raises(UnusableImage, match=r"pip install -e '\.\[heif\]'"):
            open_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))


def test_an_icon_with_a_giant_inside_is_not_decoded() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    inner = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 9000, 9000, 8, 0, 0, 0, 0))
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inner), 22)
    with pytest.raises(UnusableImage, match="is not an image of a format"):
        open_image(struct.pack("<HHH", 0, 1, 1) + entry + inner)
