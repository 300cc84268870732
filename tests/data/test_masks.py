import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.data.masks import (
    Mask,
    MaskReading,
    decode_mask,
    encode_mask,
    read_class_colours,
    read_mask,
    read_truth,
    unite,
)
from tests.support.photos import disc_mask, photo_of

MASK = disc_mask(60, 90, 20)
PHOTO = photo_of(MASK)
EDGE = cv2.morphologyEx(MASK.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5))).astype(bool)
TAG = np.zeros_like(MASK)
TAG[4:12, 70:84] = True
"""Something else, away from the disc."""


def encoded(image: Image.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def palette(indices: np.ndarray, *colours: tuple[int, int, int], **options: object) -> bytes:
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette([channel for colour in colours for channel in colour])
    return encoded(image, **options)


def painted(
    background: tuple[int, ...], *regions: tuple[np.ndarray, tuple[int, ...]]
) -> np.ndarray:
    picture = np.full((*MASK.shape, len(background)), background, np.uint8)
    for region, colour in regions:
        picture[region] = colour
    return picture


BLACK, WHITE, RED, GREEN, GREY = (0,) * 3, (255,) * 3, (200, 0, 0), (0, 190, 0), (128,) * 3
SOFT = cv2.GaussianBlur(MASK.astype(np.float32), (5, 5), 1)

READ = {
    **{
        f"0 and {bright}": encoded(MASK.astype(np.uint8) * np.uint8(bright))
        for bright in (1, 2, 38, 255)
    },
    "one bit": encoded(MASK),
    "16 bits, full": encoded(MASK.astype(np.uint16) * 65535),
    "16 bits, 0 and 1": encoded(MASK.astype(np.uint16)),
    "16 bits, 0 and 700": encoded(MASK.astype(np.uint16) * 700),
    "32 bits": encoded(Image.fromarray(MASK.astype(np.int32) * 5), "TIFF"),
    "float, 0 and 0.98": encoded(
        Image.fromarray(MASK.astype(np.float32) * np.float32(0.98)), "TIFF"
    ),
    "float, 0 and 3e-5": encoded(
        Image.fromarray(MASK.astype(np.float32) * np.float32(3e-5)), "TIFF"
    ),
    "red on black": encoded(painted(BLACK, (MASK, RED))),
    "white on black, RGB": encoded(painted(BLACK, (MASK, WHITE))),
    "green on black, BMP": encoded(painted(BLACK, (MASK, GREEN)), "BMP"),
    "palette, black first": palette(MASK, BLACK, WHITE),
    "palette, white first": palette(~MASK, WHITE, BLACK),
    "palette, white first, GIF": palette(~MASK, WHITE, BLACK, kind="GIF"),
    "palette, red first": palette(~MASK, RED, BLACK),
    "palette of one colour": palette(MASK, BLACK, BLACK),
    "palette of nearly one colour": palette(MASK, (100, 100, 100), (104, 100, 98)),
    "palette, equal entries": palette(MASK * 2, BLACK, BLACK, WHITE),
    "palette as VOC's": palette(MASK * 7, *([BLACK] * 7), (128, 128, 128)),
    "alpha, RGBA": encoded(np.dstack([PHOTO, MASK.astype(np.uint8) * 255])),
    "alpha, LA": encoded(Image.fromarray(np.dstack([PHOTO[..., 0], MASK.astype(np.uint8) * 255]))),
    "alpha, WebP": encoded(np.dstack([PHOTO, MASK.astype(np.uint8) * 255]), "WEBP", lossless=True),
    "alpha, TIFF": encoded(np.dstack([PHOTO, MASK.astype(np.uint8) * 255]), "TIFF"),
    "transparent entry, black object": palette(~MASK, BLACK, WHITE, transparency=1),
    "transparent entry, photo": encoded(
        Image.fromarray(
            painted((0,) * 4, (MASK, (*RED, 255)), (TAG & MASK, (*GREEN, 255)))
        ).quantize(8, method=Image.Quantize.FASTOCTREE)
    ),
    "transparent colour, RGB": encoded(painted(WHITE, (MASK, BLACK)), transparency=WHITE),
    "opaque alpha, white on black": encoded(painted((0, 0, 0, 255), (MASK, (255,) * 4))),
    "soft edges": encoded((SOFT * 255).astype(np.uint8)),
    "soft edges, 16 bits": encoded((SOFT * 65535).astype(np.uint16)),
    "soft edges, float": encoded(Image.fromarray(SOFT), "TIFF"),
    "soft edges, red on black": encoded((SOFT[..., np.newaxis] * RED).astype(np.uint8)),
    "soft edges, GIF": encoded((SOFT * 255).astype(np.uint8), "GIF"),
    "antialiased in five steps": encoded((np.round(SOFT * 5) * 51).astype(np.uint8)),
}


@pytest.mark.parametrize("kind", READ)
def test_a_mask_means_what_every_viewer_shows(kind: str) -> None:
    mask = decode_mask(READ[kind], max_grey=0.1)
    assert mask.ignored is None
    expected = SOFT > 0.5 if "soft" in kind or "antialiased" in kind else MASK
    assert mask.foreground.dtype == bool
    assert np.count_nonzero(mask.foreground != expected) <= (
        8 if "soft" in kind or "anti" in kind else 0
    )
    assert np.array_equal(read_mask(READ[kind]), mask.foreground)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
@pytest.mark.parametrize("colour", [WHITE, RED, (90, 90, 90)])
def test_lossy_compression_does_no_harm(kind: str, colour: tuple[int, int, int]) -> None:
    content = encoded(painted(BLACK, (MASK, colour)), kind, quality=85)
    assert np.count_nonzero(decode_mask(content, max_grey=0.1).foreground != MASK) <= 40


FULL = {
    "grey": encoded(np.full((30, 40), 255, np.uint8)),
    "one": encoded(np.full((30, 40), 1, np.uint8)),
    "one bit": encoded(np.ones((30, 40), bool)),
    "RGB": encoded(np.full((30, 40, 3), 255, np.uint8)),
    "RGBA": encoded(np.full((30, 40, 4), 255, np.uint8)),
    "16 bits": encoded(np.full((30, 40), 65535, np.uint16)),
    "float": encoded(Image.fromarray(np.ones((30, 40), np.float32)), "TIFF"),
    "palette": palette(np.zeros((30, 40)), WHITE, BLACK),
    "palette, second": palette(np.ones((30, 40)), BLACK, WHITE),
    "GIF": encoded(np.full((30, 40), 255, np.uint8), "GIF"),
    "JPEG": encoded(np.full((30, 40), 255, np.uint8), "JPEG"),
}


@pytest.mark.parametrize("kind", FULL)
def test_all_white_is_full(kind: str) -> None:
    assert decode_mask(FULL[kind]).foreground.all()


EMPTY = {
    "grey": encoded(np.zeros((30, 40), np.uint8)),
    "one bit": encoded(np.zeros((30, 40), bool)),
    "16 bits": encoded(np.zeros((30, 40), np.uint16)),
    "float": encoded(Image.fromarray(np.zeros((30, 40), np.float32)), "TIFF"),
    "palette": palette(np.zeros((30, 40)), BLACK, WHITE),
    "palette, second": palette(np.ones((30, 40)), WHITE, BLACK),
    "transparent": encoded(np.zeros((30, 40, 4), np.uint8)),
    "JPEG": encoded(np.random.default_rng(0).integers(0, 3, (30, 40), np.uint8), "JPEG"),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_all_black_is_empty(kind: str) -> None:
    assert not decode_mask(EMPTY[kind]).foreground.any()


def numbers(*regions: tuple[np.ndarray, float], dtype: type = np.uint8) -> np.ndarray:
    values = np.zeros(MASK.shape, dtype)
    for region, value in regions:
        values[region] = value
    return values


VOID_BORDER = numbers((MASK, 1), (EDGE, 255))
THIN = np.zeros_like(MASK)
THIN[30, 10:80] = True

AMBIGUOUS = {
    "void border": (encoded(VOID_BORDER), r"0 \(\d+%\), 1 \(\d+%\), 255 \(\d+%\)"),
    "void border, VOC's person": (encoded(numbers((MASK, 15), (EDGE, 255))), "15 "),
    "thin void": (encoded(numbers((MASK, 1), (THIN, 255))), "255 "),
    "three classes": (encoded(numbers((MASK, 1), (TAG, 2))), r"2 \(2%\)"),
    "three classes, 16 bits": (encoded(numbers((MASK, 1), (TAG, 2), dtype=np.uint16)), "2 "),
    "three classes, 16 bits, high": (
        encoded(numbers((MASK, 1000), (TAG, 65000), dtype=np.uint16)),
        "1000 .*65000",
    ),
    "three classes, float": (
        encoded(Image.fromarray(numbers((MASK, 1), (TAG, 2), dtype=np.float32)), "TIFF"),
        "2 ",
    ),
    "three classes, 32 bits": (
        encoded(Image.fromarray(numbers((MASK, 70001), (TAG, 70002), dtype=np.int32)), "TIFF"),
        "70001|7e\\+04",
    ),
    "many small numbers": (encoded(numbers((THIN, 3), (TAG, 9), (MASK, 5))), "9 "),
    "grey object, white speck": (encoded(numbers((MASK, 100), (TAG, 255))), "100 "),
    "grey on white": (encoded(np.where(MASK, 255, 128).astype(np.uint8)), r"128 .*255 "),
    "1 and 2": (encoded(MASK.astype(np.uint8) + 1), r"1 \(.*2 \("),
    "two bright colours": (encoded(painted(RED, (MASK, GREEN))), r"'#00be00' .*'#c80000' "),
    "class colours": (
        encoded(painted(BLACK, (MASK, (48, 112, 32)), (TAG, (250, 250, 55)))),
        "'#307020'",
    ),
    "class colours, alike": (encoded(painted(BLACK, (MASK, RED), (TAG, GREEN))), "'#c80000'"),
    "class colours, antialiased": (
        encoded(
            cv2.GaussianBlur(
                painted(BLACK, (MASK, (48, 112, 32)), (TAG, (250, 250, 55))), (5, 5), 1
            )
        ),
        "several (ways|colours)",
    ),
    "class colours, JPEG": (
        encoded(painted(BLACK, (MASK, RED), (TAG, (0, 0, 255))), "JPEG", quality=95, subsampling=0),
        "several colours",
    ),
    "palette of classes": (palette(MASK + 2 * TAG, BLACK, RED, GREEN), r"1 \('#c80000', \d+%\)"),
    "palette of two bright colours": (palette(MASK, RED, GREEN), "'#00be00'"),
    "palette of greys": (palette(MASK + 2 * TAG, BLACK, GREY, WHITE), "128 .*255 "),
    "palette of one colour, classes": (palette(MASK + 2 * TAG, BLACK, BLACK, BLACK), "2 "),
    "negative": (encoded(Image.fromarray(MASK.astype(np.float32) - 1), "TIFF"), "-1 "),
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused_with_both(kind: str) -> None:
    content, listed = AMBIGUOUS[kind]
    with pytest.raises(UnusableImage, match=listed) as refusal:
        decode_mask(content, max_grey=1.0)
    assert "masks.foreground" in str(refusal.value)
    read_mask(content)  # Not asked to judge.


def test_a_black_and_white_cut_out_is_refused() -> None:
    both = painted(
        (0,) * 4, (np.ones_like(MASK), (0, 0, 0, 255)), (MASK, (255,) * 4), (TAG, (0,) * 4)
    )
    with pytest.raises(UnusableImage, match=r"in two ways.*foreground: alpha"):
        decode_mask(encoded(both))
    assert np.array_equal(decode_mask(encoded(both), MaskReading("alpha")).foreground, ~TAG)
    assert np.array_equal(decode_mask(encoded(both), MaskReading("bright")).foreground, MASK)


def test_a_picture_is_no_mask() -> None:
    ramp = np.tile(np.linspace(0, 255, 90, dtype=np.uint8), (60, 1))
    for content in (encoded(ramp), encoded(ramp, "JPEG"), encoded(PHOTO)):
        with pytest.raises(UnusableImage, match=r"is not a mask: \d+% of its pixels|several"):
            decode_mask(content)


def test_numbers_of_classes_do_not_survive_jpeg() -> None:
    with pytest.raises(UnusableImage, match=r"dark all over: its brightest pixel is \d\d of 255"):
        decode_mask(encoded(numbers((MASK, 20), (TAG, 40)), "JPEG"))


def test_not_a_number_is_refused() -> None:
    values = MASK.astype(np.float32)
    values[0, 0] = np.nan
    with pytest.raises(UnusableImage, match="NaN"):
        decode_mask(encoded(Image.fromarray(values), "TIFF"))


class TestWhatTheUserSays:
    def test_numbers(self) -> None:
        content = encoded(numbers((MASK, 1), (TAG, 3), (EDGE, 255)))
        mask = decode_mask(content, MaskReading((1, 3), (255,)))
        assert np.array_equal(mask.foreground, (MASK & ~EDGE) | TAG)
        assert np.array_equal(mask.ignored, EDGE)

    def test_ignored_values_leave_the_rest_to_the_rule(self) -> None:
        mask = decode_mask(encoded(VOID_BORDER), MaskReading(ignore=(255,)))
        assert np.array_equal(mask.foreground, MASK & ~EDGE)
        assert np.array_equal(mask.ignored, EDGE)

    def test_what_is_not_there_is_not_ignored(self) -> None:
        assert (
            decode_mask(encoded(MASK.astype(np.uint8)), MaskReading(ignore=(255,))).ignored is None
        )

    def test_colours_of_a_palette_and_of_rgb(self) -> None:
        reading = MaskReading(("#C80000",), ("#00be00",))
        picture = painted(BLACK, (MASK, RED), (TAG, GREEN))
        for content in (encoded(picture), palette(MASK + 2 * TAG, BLACK, RED, GREEN)):
            mask = decode_mask(content, reading)
            assert np.array_equal(mask.foreground, MASK)
            assert np.array_equal(mask.ignored, TAG)

    def test_indices_of_a_palette(self) -> None:
        content = palette(MASK + 2 * TAG, BLACK, RED, GREEN)
        assert np.array_equal(decode_mask(content, MaskReading((2,))).foreground, TAG)

    def test_names_of_classes(self) -> None:
        content = encoded(painted(BLACK, (MASK, RED), (TAG, GREEN)))
        reading = MaskReading(("chair",), classes={"chair": "#c80000", "tag": "#00be00"})
        assert np.array_equal(decode_mask(content, reading).foreground, MASK)
        with pytest.raises(UserError, match=r"'sofa' is not .*\(chair, tag\)"):
            decode_mask(content, MaskReading(("sofa",), classes=reading.classes))

    def test_bright_and_dark(self) -> None:
        content = encoded(numbers((MASK, 100), (TAG, 255)))
        assert np.array_equal(decode_mask(content, MaskReading("bright")).foreground, TAG)
        assert np.array_equal(decode_mask(content, MaskReading("dark")).foreground, ~TAG)

    def test_a_number_where_there_are_colours(self) -> None:
        with pytest.raises(UnusableImage, match=r"holds colours.*the number 1: .*'#c80000'"):
            decode_mask(encoded(painted(BLACK, (MASK, RED))), MaskReading((1,)))

    def test_values_of_a_jpeg(self) -> None:
        content = encoded(MASK.astype(np.uint8) * 255, "JPEG")
        with pytest.raises(UnusableImage, match="compression"):
            decode_mask(content, MaskReading((255,)))


@given(background=st.integers(0, 60), bright=st.integers(64, 255), factor=st.sampled_from([1, 257]))
def test_only_clearly_dark_and_bright_are_taken_for_it(
    background: int, bright: int, factor: int
) -> None:
    dtype = np.uint8 if factor == 1 else np.uint16
    values = (np.where(MASK, bright, background) * factor).astype(dtype)
    if background <= bright / 4:
        assert np.array_equal(decode_mask(encoded(values)).foreground, MASK)
    else:
        with pytest.raises(UnusableImage, match="several ways"):
            decode_mask(encoded(values))


def test_an_upright_mask_of_a_photo_held_otherwise() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.rot90(MASK.astype(np.uint8) * 255).copy())
    assert np.array_equal(decode_mask(encoded(stored, exif=exif)).foreground, MASK)


def test_an_own_mask_comes_back_with_what_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_mask(Mask(MASK, TAG)))
    truth = read_truth(path)
    assert np.array_equal(truth.foreground, MASK)
    assert np.array_equal(truth.ignored, TAG)
    assert read_truth(encode_mask(Mask(MASK))).ignored is None


def test_masks_of_one_photo_are_united() -> None:
    both = unite([Mask(MASK), Mask(TAG, EDGE)])
    assert np.array_equal(both.foreground, MASK | TAG)
    assert np.array_equal(both.ignored, EDGE & ~MASK)
    with pytest.raises(UnusableImage, match="of different sizes: 60×60, 90×60 pixels"):
        unite([Mask(MASK), Mask(MASK[:, :60])])


def test_colours_of_classes_come_from_the_first_label_map(tmp_path: Path) -> None:
    inner = tmp_path / "labels"
    inner.mkdir()
    assert read_class_colours([inner, tmp_path]) == {}
    (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\ncar:48,112,32::\n")
    assert read_class_colours([inner, tmp_path]) == {"car": "#307020"}
    (inner / "labelmap.txt").write_text("car=48")
    with pytest.raises(UserError, match=r"labels/labelmap.txt has a line that is not"):
        read_class_colours([inner, tmp_path])
