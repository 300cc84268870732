"""What becomes of real photos and masks that were broken on purpose.

    python benchmarks/bad_input.py FOLDER

FOLDER holds real photos in Kaggle's layout. The first photos are copied, each is broken or recoded
in another way, and all are paired and checked as `data_processing` does it. Each line says what was
done and what came of it; the exit code is 1 if anything came out otherwise than expected.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from car_segmentation.data.image_files import Limits
from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import MaskRules, read_mask
from car_segmentation.data.pair_checks import check_pairs, reason_against
from car_segmentation.data.pairing import NameRules, pair_by_name
from car_segmentation.data.resized_stacks import write_resized_masks, write_resized_photos

CARVANA = r"^(?P<car>[0-9a-f]{12})_(?P<view>\d{2})$"
USED = ""
"""The reason expected of a file that is used."""

GIGAPIXEL = Image.new("1", (40_000, 30_000))

Break = Callable[[Path, Path], object]


def _recode_photo(mode: str) -> Break:
    return lambda photo, mask: Image.open(photo).convert(mode).save(photo, "JPEG", quality=95)


def _rotate_by_exif(photo: Path, mask: Path) -> None:
    """Store the photo lying on its side, with the note that turns it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.open(photo).transpose(Image.Transpose.ROTATE_90)
    lying.save(photo, quality=95, exif=exif)


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _photo_as_png(photo: Path, mask: Path, bits: int, alpha: bool) -> None:
    pixels = cv2.imread(str(photo))
    if alpha:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 200, np.uint8)])
    if bits == 16:
        pixels = pixels.astype(np.uint16) * 257
    cv2.imwrite(str(photo.with_suffix(".png")), pixels)
    photo.unlink()


def _save_mask(values: Callable[[np.ndarray], np.ndarray], extension: str) -> Break:
    def save(photo: Path, mask: Path) -> None:
        content = values(read_mask(mask).astype(np.uint8))
        mask.unlink()
        Image.fromarray(content).save(mask.with_suffix(extension))

    return save


CASES: list[tuple[str, Break, str]] = [
    ("untouched", lambda p, m: None, USED),
    ("mask gone", lambda p, m: m.unlink(), "has no mask"),
    ("photo gone", lambda p, m: p.unlink(), "has no photo"),
    ("photo resized", lambda p, m: Image.open(p).resize((959, 640)).save(p), "is 959×640 pixels"),
    ("empty mask", _save_mask(lambda v: v * 0, ".gif"), "is empty"),
    ("mask as JPEG", _save_mask(lambda v: v * 255, ".jpg"), USED),
    ("mask 0 and 1", _save_mask(lambda v: v, ".png"), USED),
    ("mask 0 and 255", _save_mask(lambda v: v * 255, ".png"), USED),
    ("mask 16 bits", _save_mask(lambda v: v.astype(np.uint16) * 65535, ".png"), USED),
    ("mask soft at the edge", _save_mask(lambda v: cv2.blur(v * 255, (5, 5)), ".png"), USED),
    ("a photo for a mask", lambda p, m: Image.open(p).convert("L").save(m), "is not a mask"),
    ("greyscale photo", _recode_photo("L"), USED),
    ("CMYK photo", _recode_photo("CMYK"), USED),
    ("RGBA photo", lambda p, m: _photo_as_png(p, m, 8, alpha=True), USED),
    ("16-bit photo", lambda p, m: _photo_as_png(p, m, 16, alpha=False), USED),
    ("EXIF-rotated photo", _rotate_by_exif, USED),
    ("truncated photo", lambda p, m: _halve(p), "is truncated"),
    ("truncated mask", lambda p, m: _halve(m), "is truncated"),
    ("photo without a byte", lambda p, m: p.write_bytes(b""), "is empty (0 bytes)"),
    ("no image", lambda p, m: p.write_text("a letter"), "is not an image"),
    ("unreadable photo", lambda p, m: (p.unlink(), p.symlink_to("gone")), "cannot be read"),
    ("absurdly large", lambda p, m: GIGAPIXEL.save(p, "PNG"), "is too large"),
    ("same id twice", lambda p, m: shutil.copy(p, p.with_suffix(".png")), "has the same id"),
    ("upper-case extension", lambda p, m: p.rename(p.with_suffix(".JPG")), USED),
]  # fmt: skip


def main() -> None:
    """Break the photos, check them, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    photos = sorted((parser.parse_args().raw_data / "train").glob("*.jpg"))[: len(CASES) + 1]
    if len(photos) <= len(CASES):
        sys.exit(f"Skipped: {len(CASES) + 1} photos are needed, and {len(photos)} were found.")
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(_check(Path(folder), photos))


def _check(raw: Path, photos: list[Path]) -> int:
    for name in ("train", "train_masks"):
        (raw / name).mkdir()
    broken = {}
    for (what, break_it, expected), photo in zip(CASES, photos, strict=False):
        copies = _copy_pair(photo, raw, photo.stem)
        break_it(*copies)
        broken[photo.stem] = (what, expected)
    _copy_pair(photos[-1], raw, "Škoda ohne Nummer 7")
    broken["Škoda ohne Nummer 7"] = ("spaces, accents, no car id", USED)

    folders = [raw / name for name in ("train", "train_masks")]
    files = [sorted(folder.iterdir()) for folder in folders]
    found = pair_by_name(*files, *folders, NameRules(CARVANA, "_mask"))
    pairs, unpaired = found.pairs, found.rejected
    ids, paths = pairs["photo_id"].tolist(), pairs["mask_path"].tolist()
    masks = write_resized_masks(
        raw / "soft_masks", ids, paths, 64, 96, MaskRules(max_megapixels=100)
    )
    reasons = [
        partial(reason_against, path, masks.notes[photo_id])
        for photo_id, path in zip(ids, paths, strict=True)
    ]
    photo_paths = pairs["photo_path"].tolist()
    read = write_resized_photos(raw / "photos", ids, photo_paths, 64, 96, Limits(100), reasons)
    table, rejected = check_pairs(pairs, read.notes, masks.notes)
    for path in table["photo_path"]:
        read_photo(Path(path))  # What the check lets through can be read.
    reasons = [*unpaired.itertuples(index=False), *rejected.itertuples(index=False)]
    failures = 0
    for photo_id, (what, expected) in broken.items():
        found = [reason for path, reason in reasons if photo_id in Path(path).name]
        used = (table["photo_id"] == photo_id).any()
        right = (used and not found) if expected == USED else any(expected in r for r in found)
        failures += not right
        fate = "used" if used else found[0] if found else "LOST"
        print(f"{'ok   ' if right else 'WRONG'} {what:28} {fate}")
    return int(failures > 0)


def _copy_pair(photo: Path, raw: Path, name: str) -> tuple[Path, Path]:
    mask = photo.parents[1] / "train_masks" / f"{photo.stem}_mask.gif"
    copies = raw / "train" / f"{name}.jpg", raw / "train_masks" / f"{name}_mask.gif"
    shutil.copy(photo, copies[0])
    shutil.copy(mask, copies[1])
    for copy in copies:
        copy.chmod(0o644)
    return copies


if __name__ == "__main__":
    main()
