"""Masks of real photos, written in every format of annotations and read back.

    python benchmarks/annotations.py FOLDER [--masks 32]

FOLDER holds real photos in Kaggle's layout. Of its masks those with the most holes and parts are
taken, one of each car as far as they reach. Each line is a way of writing them: how many come back
equal to the pixel, the least and the mean Dice, and the size of a mask's annotation. The exit code
is 1 if run lengths or pictures are not equal, or the least Dice of polygons is below 0.999.
"""

import argparse
import base64
import io
import json
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from car_segmentation.data.annotations import (
    FOREGROUND,
    Choice,
    PredictedMask,
    match_photos,
    read_annotations,
    write_coco,
    write_label_studio,
    write_labelme,
)
from car_segmentation.data.annotations.polygons import one_ring, outlines
from car_segmentation.data.annotations.shapes import pixels_to_runs
from car_segmentation.data.masks import read_mask

Masks = dict[str, np.ndarray]
"""By the photo's file name; bool (height, width)."""
Write = Callable[[Path, Masks], object]

LABEL = "car"
LEAST_DICE = 0.999
COLOUR = (48, 112, 32)


def predicted(masks: Masks) -> Iterator[PredictedMask]:
    """What the project's own writers take."""
    return (PredictedMask(*it) for it in masks.items())


def box_of(mask: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Top, left and pixels of the part that a mask fills."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return int(rows[0]), int(columns[0]), part


def png_of(pixels: np.ndarray, **options: Any) -> bytes:
    """A mask as a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def write_tasks(path: Path, tasks: list[dict[str, Any]]) -> None:
    """Label Studio's JSON."""
    (path / "tasks.json").write_text(json.dumps(tasks))


def label_studio_brushes(path: Path, masks: Masks) -> None:
    """As an export looks after a person has accepted every prediction."""
    write_label_studio(
        path / "tasks.json", predicted(masks), LABEL, "/data/upload/1/{}".format, "1"
    )
    tasks = json.loads((path / "tasks.json").read_text())
    write_tasks(path, [{**it, "annotations": it.pop("predictions")} for it in tasks])


def label_studio_polygons(path: Path, masks: Masks) -> None:
    """Points in percent, a polygon for each part."""
    tasks = []
    for photo, mask in masks.items():
        height, width = mask.shape
        results = [
            {
                "original_height": height,
                "original_width": width,
                "value": {
                    "points": (one_ring(rings) / (width, height) * 100).tolist(),
                    "polygonlabels": [LABEL],
                },
            }
            for rings in outlines(mask)
        ]
        tasks.append({"data": {"image": photo}, "annotations": [{"result": results}]})
    write_tasks(path, tasks)


def labelme_masks(path: Path, masks: Masks) -> None:
    """LabelMe's shapes of kind "mask", a picture in base64."""
    for photo, mask in masks.items():
        top, left, part = box_of(mask)
        shape = {
            "label": LABEL,
            "shape_type": "mask",
            "points": [[left, top], [left + part.shape[1] - 1, top + part.shape[0] - 1]],
            "mask": base64.b64encode(png_of(part)).decode(),
        }
        document = {"imagePath": photo, "shapes": [shape]}
        (path / photo).with_suffix(".json").write_text(json.dumps(document))


def supervisely_bitmaps(path: Path, masks: Masks) -> None:
    """Zipped PNGs in base64."""
    for photo, mask in masks.items():
        top, left, part = box_of(mask)
        data = base64.b64encode(zlib.compress(png_of(part, transparency=0))).decode()
        thing = {"geometryType": "bitmap", "bitmap": {"data": data, "origin": [left, top]}}
        write_supervisely(path, photo, mask, [thing])


def supervisely_polygons(path: Path, masks: Masks) -> None:
    """Outlines with their holes."""
    for photo, mask in masks.items():
        things = [
            {
                "geometryType": "polygon",
                "points": {
                    "exterior": rings[0].tolist(),
                    "interior": [ring.tolist() for ring in rings[1:]],
                },
            }
            for rings in outlines(mask)
        ]
        write_supervisely(path, photo, mask, things)


def write_supervisely(
    path: Path, photo: str, mask: np.ndarray, things: list[dict[str, Any]]
) -> None:
    """One photo's file."""
    size = {"height": mask.shape[0], "width": mask.shape[1]}
    objects = [{"classTitle": LABEL, **it} for it in things]
    (path / f"{photo}.json").write_text(json.dumps({"size": size, "objects": objects}))


def cvat_xml(path: Path, masks: Masks, shapes: Callable[[np.ndarray], str]) -> None:
    """CVAT for images 1.1."""
    images = ""
    for photo, mask in masks.items():
        height, width = mask.shape
        start = f'<image name="{photo}" width="{width}" height="{height}">'
        images += f"{start}{shapes(mask)}</image>"
    (path / "annotations.xml").write_text(f"<annotations>{images}</annotations>")


def cvat_masks(mask: np.ndarray) -> str:
    """Run lengths of the part that the mask fills."""
    top, left, part = box_of(mask)
    runs = ", ".join(map(str, pixels_to_runs(part)))
    height, width = part.shape
    place = f'left="{left}" top="{top}" width="{width}" height="{height}"'
    return f'<mask label="{LABEL}" rle="{runs}" {place}/>'


def cvat_polygons(mask: np.ndarray) -> str:
    """To two decimals, as CVAT writes them."""
    rings = (one_ring(it) for it in outlines(mask))
    points = (";".join(f"{x:.2f},{y:.2f}" for x, y in ring) for ring in rings)
    return "".join(f'<polygon label="{LABEL}" points="{it}"/>' for it in points)


def class_pictures(path: Path, masks: Masks, mode: str) -> None:
    """VOC's folder; with a label map, as CVAT's segmentation masks have it."""
    folder = path / "SegmentationClass"
    folder.mkdir()
    (path / "labelmap.txt").write_text(f"background:0,0,0::\n{LABEL}:48,112,32::\n")
    for photo, mask in masks.items():
        picture = Image.fromarray(mask.astype(np.uint8), "P")
        picture.putpalette([0, 0, 0, *COLOUR])
        picture.convert(mode).save(folder / f"{Path(photo).stem}.png")


def yolo(path: Path, masks: Masks) -> None:
    """Fractions to six decimals."""
    for photo, mask in masks.items():
        height, width = mask.shape
        rings = (one_ring(it) / (width, height) for it in outlines(mask))
        lines = (" ".join(["0", *(f"{it:.6f}" for it in ring.ravel())]) for ring in rings)
        (path / photo).with_suffix(".txt").write_text("\n".join(lines))


def opencv_contours(path: Path, masks: Masks) -> None:
    """COCO's polygons as many tools make them: outer contours alone, from centre to centre."""
    document: dict[str, Any] = {"images": [], "categories": [{"id": 1, "name": LABEL}]}
    document["annotations"] = []
    for number, (photo, mask) in enumerate(masks.items()):
        document["images"].append({"id": number, "file_name": photo})
        contours, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        polygons = [it.ravel().tolist() for it in contours if len(it) > 2]
        document["annotations"].append(
            {"image_id": number, "category_id": 1, "segmentation": polygons}
        )
    (path / "result.json").write_text(json.dumps(document))


EXACT: dict[str, Write] = {
    "COCO, compressed run lengths": lambda p, m: write_coco(p / "a.json", predicted(m), LABEL),
    "COCO, run lengths": lambda p, m: write_coco(p / "a.json", predicted(m), LABEL, packed=False),
    "Label Studio, brushes": label_studio_brushes,
    "LabelMe, masks": labelme_masks,
    "CVAT for images, masks": lambda p, m: cvat_xml(p, m, cvat_masks),
    "CVAT masks 1.1, palette": lambda p, m: class_pictures(p, m, "P"),
    "CVAT masks 1.1, colours": lambda p, m: class_pictures(p, m, "RGB"),
    "Supervisely, bitmaps": supervisely_bitmaps,
}
POLYGONS: dict[str, Write] = {
    "COCO, polygons": lambda p, m: write_coco(p / "a.json", predicted(m), LABEL, tolerance=0),
    "COCO, polygons, 0.8 px off": lambda p, m: write_coco(
        p / "a.json", predicted(m), LABEL, tolerance=0.8
    ),
    "LabelMe, polygons": lambda p, m: write_labelme(p, predicted(m), LABEL, tolerance=0),
    "LabelMe, polygons, 0.8 px off": lambda p, m: write_labelme(p, predicted(m), LABEL),
    "Label Studio, polygons": label_studio_polygons,
    "CVAT for images, polygons": lambda p, m: cvat_xml(p, m, cvat_polygons),
    "YOLO, polygons": yolo,
    "Supervisely, polygons": supervisely_polygons,
}
FOR_COMPARISON: dict[str, Write] = {"COCO, outer OpenCV contours (lossy)": opencv_contours}


def main() -> None:
    """Write, read, compare, and print a line for each format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    parser.add_argument("--masks", type=int, default=32)
    options = parser.parse_args()
    files = sorted((options.raw_data / "train_masks").glob("*_mask.gif"))
    if not files:
        sys.exit(f"Skipped: there are no masks in {options.raw_data}/train_masks.")
    masks = intricate(files, options.masks)
    holes, parts = zip(*(holes_and_parts(mask) for mask in masks.values()), strict=True)
    print(f"{len(masks)} masks with {sum(holes)} holes and {sum(parts)} parts")
    print(f"{'format':38} {'equal':>7} {'least Dice':>10} {'mean Dice':>10} {'kB a mask':>10}")
    failed = False
    for name, write in {**EXACT, **POLYGONS, **FOR_COMPARISON}.items():
        scores, kilobytes = round_trip(write, masks)
        equal = sum(score == 1 for score in scores)
        print(
            f"{name:38} {equal:>3}/{len(masks):<3} {min(scores):10.6f} {np.mean(scores):10.6f} "
            f"{kilobytes:10.1f}"
        )
        failed |= name in EXACT and equal < len(masks)
        failed |= name in POLYGONS and min(scores) < LEAST_DICE
    sys.exit(int(failed))


def intricate(files: list[Path], number: int) -> Masks:
    """The masks with the most holes and parts, of as many cars as there are."""
    ranked = []
    for path in files:
        holes, parts = holes_and_parts(read_mask(path))
        ranked.append((min(holes, 1) + min(parts - 1, 1), holes + parts, path))
    ranked.sort(key=lambda it: (-it[0], -it[1], it[2]))
    chosen: dict[str, Path] = {}
    for _, _, path in ranked:
        chosen.setdefault(path.name.split("_")[0], path)
    paths = [*chosen.values(), *(path for *_, path in ranked if path not in chosen.values())]
    return {
        f"{path.name.removesuffix('_mask.gif')}.jpg": read_mask(path) for path in paths[:number]
    }


def holes_and_parts(mask: np.ndarray) -> tuple[int, int]:
    """How many holes and how many connected parts a mask has."""
    polygons = outlines(mask)
    return sum(len(rings) - 1 for rings in polygons), len(polygons)


def round_trip(write: Write, masks: Masks) -> tuple[list[float], float]:
    """Dice of each mask with what comes back, and kilobytes for each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        write(path, masks)
        kilobytes = sum(it.stat().st_size for it in path.rglob("*") if it.is_file()) / 1000
        matched = match_photos(read_annotations(path).annotations, [Path(it) for it in masks])
        scores = []
        for photo, mask in masks.items():
            values, _ = matched.by_photo[Path(photo)].mask(mask.shape, Choice((LABEL, 0)))
            scores.append(dice(values == FOREGROUND, mask))
    return scores, kilobytes / len(masks)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Exactly 1 for equal masks."""
    return float(2 * np.count_nonzero(one & other) / (one.sum() + other.sum()))


if __name__ == "__main__":
    main()
