"""A round through a real Label Studio: upload, annotate, export in its formats, read each.

    python -m venv /tmp/label-studio && /tmp/label-studio/bin/pip install label-studio
    python benchmarks/label_studio.py FOLDER --venv /tmp/label-studio [--photos 8]

FOLDER holds real photos in Kaggle's layout. A server is started from the virtual environment on a
free port of this machine alone, with a database of its own in a temporary folder, and ended after.
A project is made by its API, photos are uploaded, and their true masks are annotated as brushes and
polygons in turn, packed by `write_label_studio` and `outlines`; predictions are imported as tasks,
and accepted. Each line is a format of export: photos read, Dice with the true masks, and what was
not understood. Label Studio's own packing of brushes is compared with this project's.
"""

import argparse
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import requests

from car_segmentation.core.errors import UserError
from car_segmentation.data.annotations import (
    FOREGROUND,
    Choice,
    PredictedMask,
    labelling_interface,
    match_photos,
    read_annotations,
    write_label_studio,
)
from car_segmentation.data.annotations.polygons import one_ring, outlines
from car_segmentation.data.masks import read_mask

LABEL = "car"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
SETTINGS = {
    # Nothing is asked of other hosts.
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
}
FORMATS = ("JSON", "JSON_MIN", "COCO", "BRUSH_TO_COCO", "YOLO", "BRUSH_TO_PNG", "BRUSH_TO_NUMPY")
START_SECONDS = 300
COMPARE = """
import json, sys
import numpy as np
from label_studio_sdk.converter import brush
for line in sys.stdin:
    task = json.loads(line)
    mask = np.load(task["mask"])
    theirs = brush.decode_rle(task["rle"], False).reshape(*mask.shape, 4)[..., 3] > 127
    packed = brush.mask2rle(mask.astype(np.uint8) * 255)
    print(int(np.array_equal(theirs, mask)), json.dumps(packed))
"""


class Client:
    """Label Studio's API, as far as it is needed."""

    def __init__(self, address: str):
        self._address = address

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request; an answer that is an error ends the benchmark."""
        headers = {"Authorization": f"Token {TOKEN}"}
        answer = requests.request(
            method, self._address + path, headers=headers, timeout=300, **options
        )
        if not answer.ok:
            sys.exit(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return answer

    def project(self, title: str, interface: str) -> int:
        """Make a project."""
        fields = {"title": title, "label_config": interface}
        return int(self.call("POST", "/api/projects", json=fields).json()["id"])

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """All tasks of a project."""
        path = f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true"
        return list(self.call("GET", path).json())

    def export(self, project: int, kind: str, folder: Path) -> None:
        """Export annotated tasks, unzipped where they come zipped."""
        answer = self.call("GET", f"/api/projects/{project}/export?exportType={kind}")
        if answer.content[:2] == b"PK":
            zipfile.ZipFile(io.BytesIO(answer.content)).extractall(folder)
        else:
            (folder / "export.json").write_bytes(answer.content)


@contextmanager
def label_studio(program: Path, **settings: str) -> Iterator[Client]:
    """A server on this machine alone, with settings of its own, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/log", "w+") as log:
        arguments = ["--internal-host", "127.0.0.1", "--port", str(port), "--no-browser"]
        user = ["--username", "me@example.com", "--password", "not-secret", "--user-token", TOKEN]
        server = subprocess.Popen(
            [str(program), "start", *arguments, *user],
            env={
                **os.environ,
                **SETTINGS,
                **settings,
                "LABEL_STUDIO_BASE_DATA_DIR": folder,
                "PYTHONPATH": "",
            },
            stdout=log,
            stderr=log,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(START_SECONDS):
                time.sleep(1)
                if server.poll() is not None or is_up(address):
                    break
            if not is_up(address):
                log.seek(0)
                sys.exit(f"Label Studio does not start:\n{log.read()[-2000:]}")
            yield Client(address)
        finally:
            server.terminate()
            server.wait(30)


def is_up(address: str) -> bool:
    """Whether the server answers."""
    try:
        return requests.get(f"{address}/health", timeout=5).ok
    except requests.RequestException:
        return False


def result_of(mask: np.ndarray, as_brush: bool) -> list[dict[str, Any]]:
    """What Label Studio's editor would send for a mask."""
    height, width = mask.shape
    if as_brush:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tasks.json"
            write_label_studio(path, [PredictedMask("a.jpg", mask)], LABEL, str, "1")
            return list(json.loads(path.read_text())[0]["predictions"][0]["result"])
    return [
        {
            "type": "polygonlabels",
            "from_name": "outline",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "points": (one_ring(rings) / (width, height) * 100).tolist(),
                "closed": True,
                "polygonlabels": [LABEL],
            },
        }
        for rings in outlines(mask)
    ]


def main() -> None:
    """Start, annotate, export, read, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_data", type=Path)
    parser.add_argument("--venv", type=Path, required=True, help="where label-studio is installed")
    parser.add_argument("--photos", type=int, default=8)
    options = parser.parse_args()
    program = options.venv / "bin" / "label-studio"
    photos = sorted((options.raw_data / "train").glob("*.jpg"))[:: 1 + 16][: options.photos]
    if not program.exists():
        sys.exit(f"Skipped: {program} does not exist. pip install label-studio puts it there.")
    if not photos:
        sys.exit(f"Skipped: there are no photos in {options.raw_data}/train.")
    masks = {
        photo: read_mask(options.raw_data / "train_masks" / f"{photo.stem}_mask.gif")
        for photo in photos
    }
    compare_packing(options.venv / "bin" / "python", masks)
    with label_studio(program) as client:
        version = client.call("GET", "/api/version").json()["release"]
        print(f"Label Studio {version}, {len(photos)} photos: brushes and polygons in turn")
        interface = labelling_interface(LABEL)
        outline = (
            f'<PolygonLabels name="outline" toName="image"><Label value="{LABEL}"/></PolygonLabels>'
        )
        project = client.project("annotated", interface.replace("</View>", f"{outline}</View>"))
        annotate(client, project, masks)
        for kind in FORMATS:
            report(client, project, kind, masks)
        accept_predictions(client, client.project("predicted", interface), masks)


def compare_packing(python: Path, masks: dict[Path, np.ndarray]) -> None:
    """Have Label Studio's SDK unpack what this project packs, and the other way round."""
    from car_segmentation.data.annotations.brush import decode_brush, encode_brush

    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for number, mask in enumerate(masks.values()):
            np.save(f"{folder}/{number}.npy", mask)
            packed = list(encode_brush(mask))
            lines.append(json.dumps({"mask": f"{folder}/{number}.npy", "rle": packed}))
        answer = subprocess.run(
            [str(python), "-c", COMPARE],
            input="\n".join(lines),
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    theirs, ours = 0, 0
    for line, mask in zip(answer, masks.values(), strict=True):
        is_equal, _, packed_text = line.partition(" ")
        theirs += int(is_equal)
        ours += np.array_equal(
            decode_brush(bytes(json.loads(packed_text)), *mask.shape) > 127, mask
        )
    print(f"packed here, unpacked by the SDK: {theirs}/{len(masks)} equal to the pixel")
    print(f"packed by the SDK, unpacked here: {ours}/{len(masks)} equal to the pixel")


def annotate(client: Client, project: int, masks: dict[Path, np.ndarray]) -> None:
    """Upload the photos, and annotate each task with its photo's true mask."""
    for photo in masks:
        with photo.open("rb") as file:
            client.call("POST", f"/api/projects/{project}/import", files={photo.name: file})
    for task in client.tasks(project):
        number, photo = next(
            it for it in enumerate(masks) if it[1].name in str(task["data"]["image"])
        )
        result = result_of(masks[photo], as_brush=number % 2 == 0)
        client.call("POST", f"/api/tasks/{task['id']}/annotations/", json={"result": result})


def accept_predictions(client: Client, project: int, masks: dict[Path, np.ndarray]) -> None:
    """Import predictions as tasks, make annotations of them, and read those."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tasks.json"
        predicted = (PredictedMask(photo.name, mask, 0.9) for photo, mask in masks.items())
        write_label_studio(path, predicted, LABEL, "http://127.0.0.1/photos/{}".format, "1")
        tasks = json.loads(path.read_text())
    client.call("POST", f"/api/projects/{project}/import", json=tasks)
    for task in client.tasks(project):
        path_of_task = f"/api/tasks/{task['id']}"
        (prediction,) = client.call("GET", f"{path_of_task}/").json()["predictions"]
        accepted = {"result": prediction["result"], "parent_prediction": prediction["id"]}
        client.call("POST", f"{path_of_task}/annotations/", json=accepted)
    report(client, project, "JSON", masks, "predictions, accepted")


def report(
    client: Client, project: int, kind: str, masks: dict[Path, np.ndarray], what: str = ""
) -> None:
    """Export, read, and print what comes of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        client.export(project, kind, path)
        files = sum(it.is_file() for it in path.rglob("*"))
        start = f"{what or kind:22} {files:3} files:"
        try:
            found = read_annotations(path)
        except UserError as error:
            reason = str(error).splitlines()[1].split(maxsplit=1)[1]
            print(f"{start} refused: {reason}")
            return
        matched = match_photos(found.annotations, list(masks))
        scores = []
        for photo, truth in masks.items():
            if photo not in matched.by_photo:
                continue
            annotation = matched.by_photo[photo]
            mask = annotation.mask(truth.shape, Choice((LABEL,)))[0] == FOREGROUND
            scores.append(2 * np.count_nonzero(mask & truth) / (mask.sum() + truth.sum()))
        problems = [*found.problems, *matched.problems]
        print(
            f"{start} {len(scores)}/{len(masks)} photos read, {len(problems)} problems"
            + (f" (the first: {problems[0][1]})" if problems else "")
            + ("; Dice of each: " if scores else "")
            + " ".join(f"{it:.5f}" for it in scores)
        )


if __name__ == "__main__":
    main()
