"""Corrections with a real Label Studio, from new photos to a model that is promoted or not.

    python -m venv /tmp/label-studio && /tmp/label-studio/bin/pip install label-studio
    python benchmarks/correction_loop.py FOLDER RESULTS --venv /tmp/label-studio [--epochs 2]

FOLDER holds real photos in Kaggle's layout, and RESULTS are those of a finished `kedro run
--env=cpu` on them, such as data/cpu. In a project of its own, half of the test cars stay test cars,
and the model of RESULTS is scored on them and becomes champion. The other half plays the new
photos: they are predicted and reviewed, and the first of the queue are handed out. Label Studio, on
this machine alone, serves and takes them; its API sets their true masks, skips one task and leaves
one open. Then masks are taken back, the champion is trained on, and the two are compared. Each step
is a command of docs/corrections.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from car_segmentation.data.corrections import mask_file, read_corrections
from car_segmentation.data.masks import read_mask
from label_studio import Client, label_studio, result_of

REPOSITORY = Path(__file__).parents[1]
ENVIRONMENT = "loop"
CHAMPION = "models:/car_segmentation@champion"
VIEWS = {"train": range(1, 17, 2), "validation": range(1, 17), "test": range(1, 17, 3)}
"""Which photos of a car are used, in the splits and (as of train) among the new ones."""
TRAIN_CARS = 3
SKIPPED, OPEN = -1, -2
"""Tasks that are not corrected."""


class LoopProject:
    """A copy of the project with an environment, photos and a champion of its own."""

    def __init__(self, folder: Path, photos: Path, results: Path):
        self.folder, self._photos, self._results = folder, photos, results
        self.raw, self.new = folder / "raw", folder / "new"
        splits = pd.read_csv(results / "05_model_input/photo_splits.csv", dtype=str)
        cars = splits.groupby("split")["car"].unique().map(sorted)
        test = cars["test"]
        self.cars = {
            "train": cars["train"][:TRAIN_CARS],
            "validation": cars["validation"][:2],
            "test": test[::2],
        }
        self.new_cars = test[1::2]

    def make(self) -> None:
        """Lay it out."""
        shutil.copytree(REPOSITORY / "conf", self.folder / "conf")
        shutil.copytree(REPOSITORY / "conf/cpu", self.folder / "conf" / ENVIRONMENT)
        (self.folder / "conf/local").mkdir(exist_ok=True)
        shutil.copytree(REPOSITORY / "src", self.folder / "src")
        shutil.copy(REPOSITORY / "pyproject.toml", self.folder)
        (self.folder / f"conf/{ENVIRONMENT}/globals.yml").write_text(
            yaml.safe_dump({"raw_data": str(self.raw)})
        )
        rows = []
        for split, cars in self.cars.items():
            for car in cars:
                rows.append((f"{car}_01", car, split))
                for view in VIEWS[split]:
                    self._copy(car, view, self.raw / "train", self.raw / "train_masks")
        for car in self.new_cars:
            for view in VIEWS["train"]:
                self._copy(car, view, self.new)
        pd.DataFrame(rows, columns=["photo_id", "car", "split"]).to_csv(
            self.folder / "splits.csv", index=False
        )
        models = self.folder / f"data/{ENVIRONMENT}/06_models"
        models.mkdir(parents=True)
        for name in ("model.keras", "network.keras", "history.json"):
            shutil.copy(self._results / "06_models" / name, models)

    def _copy(self, car: str, view: int, photos: Path, masks: Path | None = None) -> None:
        name = f"{car}_{view:02d}"
        photos.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._photos / f"train/{name}.jpg", photos)
        if masks is not None:
            masks.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._photos / f"train_masks/{name}_mask.gif", masks)

    def run(self, pipelines: str | None, *options: str, **parameters: str | float) -> str:
        """Call ``kedro run``, and return what it logged."""
        words = ["kedro", "run", f"--env={ENVIRONMENT}", *options]
        words += [f"--pipelines={pipelines}"] if pipelines else []
        given = ",".join(f"{name.replace('__', '.')}={it}" for name, it in parameters.items())
        words += [f"--params={given}"] if given else []
        print("$", " ".join(words), flush=True)
        answer = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        said = answer.stdout + answer.stderr
        if answer.returncode:
            sys.exit(said[-4000:])
        return said

    def truth(self, photo: str) -> np.ndarray:
        """The true mask of a new photo."""
        return read_mask(self._photos / f"train_masks/{Path(photo).stem}_mask.gif")


def main() -> None:
    """Go round once, and print what came of each step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, metavar="FOLDER")
    parser.add_argument("results", type=Path, metavar="RESULTS")
    parser.add_argument("--venv", type=Path, required=True, help="where label-studio is installed")
    parser.add_argument("--correct", type=int, default=16, help="photos that are corrected")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    options = parser.parse_args()
    program = options.venv / "bin" / "label-studio"
    if not program.exists():
        sys.exit(f"Skipped: {program} does not exist. pip install label-studio puts it there.")
    with tempfile.TemporaryDirectory() as folder:
        project = LoopProject(Path(folder), options.photos.resolve(), options.results.resolve())
        project.make()
        splits = str(project.folder / "splits.csv")
        project.run("data_processing", split__keep=splits)
        first = (
            "--from-nodes=choose_threshold,plot_learning_curves,predict_photos,measure_upper_bound"
        )
        said = project.run("modelling,reporting", first, split__keep=splits)
        print(_line_with(said, "Test Dice"))
        print(_line_with(project.run("promotion"), "is the champion"))

        tasks, export = hand_out(project, options.correct), project.folder / "export.json"
        with label_studio(
            program,
            LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED="true",
            LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=str(tasks),
        ) as client:
            correct(client, project, tasks)
            export.write_bytes((project.folder / "exported/export.json").read_bytes())
        take_back(project, tasks, export)

        said = project.run(
            None,
            split__keep=CHAMPION,
            training__start_from=CHAMPION,
            training__epochs=options.epochs,
            training__learning_rate=options.learning_rate,
        )
        print(_line_with(said, "Test Dice"))
        print(_line_with(project.run("promotion"), "champion"))
        project.run("run_comparison")
        print((project.folder / f"data/{ENVIRONMENT}/08_reporting/run_comparison.html").is_file())


def hand_out(project: LoopProject, correct: int) -> Path:
    """Predict, review and hand out the first of the queue; return the folder of tasks."""
    tasks, predictions = project.folder / "tasks", project.folder / "predictions"
    folders = {"photos": str(project.new), "predictions": str(predictions)}
    project.run("inference", **folders, inference__probability_maps="true")
    project.run("review", **folders)
    queue = pd.read_csv(predictions / "review_queue.csv")
    edited = queue["photo"].head(correct + 2)
    decisions = project.folder / "review_decisions.csv"
    pd.DataFrame({"photo": edited, "decision": "edit"}).to_csv(decisions, index=False)
    project.run("corrections_export", **folders, tasks=str(tasks), labelling__photos=str(decisions))
    return tasks


def correct(client: Client, project: LoopProject, tasks: Path) -> None:
    """Import the tasks, look at their photos, set the true masks of all but two, and export."""
    version = client.call("GET", "/api/version").json()["release"]
    number = client.project("corrections", (tasks / "interface.xml").read_text())
    storage = {"project": number, "path": str(tasks / "photos"), "use_blob_urls": True}
    client.call("POST", "/api/storages/localfiles", json=storage)
    content = json.loads((tasks / "tasks.json").read_text())
    client.call("POST", f"/api/projects/{number}/import", json=content)
    served = 0
    found = client.tasks(number)
    for place, task in enumerate(found, start=-len(found)):
        address = task["data"]["image"]
        name = Path(address.partition("=")[2]).name
        photo = client.call("GET", address).content
        served += photo == (tasks / "photos" / name).read_bytes()
        if place == OPEN:
            continue
        annotation = {"result": result_of(project.truth(name), as_brush=True)}
        if place == SKIPPED:
            annotation["was_cancelled"] = True
        client.call("POST", f"/api/tasks/{task['id']}/annotations/", json=annotation)
    folder = project.folder / "exported"
    folder.mkdir()
    client.export(number, "JSON", folder)
    print(f"Label Studio {version}: {len(found)} tasks, {served} photos served as they are")


def take_back(project: LoopProject, tasks: Path, export: Path) -> None:
    """Take what is finished, and compare it with the true masks."""
    project.run("corrections_import", tasks=str(tasks), labelling__annotated=str(export))
    outcome = pd.read_csv(tasks / "outcome.csv")
    print(outcome["outcome"].value_counts().to_string())
    corrections = project.raw / "corrections"
    table = read_corrections(corrections)
    equal = sum(
        np.array_equal(read_mask(mask_file(corrections, photo)), project.truth(photo))
        for photo in table["photo"]
    )
    print(f"{equal} of {len(table)} masks are the true ones to the pixel")
    print(f"Dice of what was handed out: {table['dice'].min():.4f} to {table['dice'].max():.4f}")
    print(table.iloc[0].to_string())


def _line_with(said: str, words: str) -> str:
    """The last of the logged lines that has some words, with its continuation."""
    lines = said.splitlines()
    place = max((i for i, line in enumerate(lines) if words in line), default=len(lines))
    return "\n".join(line.rstrip() for line in lines[place : place + 2])


def _environment() -> dict[str, str]:
    variables = {**os.environ, "COLUMNS": "400", "DO_NOT_TRACK": "1"}
    variables.pop("MLFLOW_TRACKING_URI", None)
    return variables


if __name__ == "__main__":
    main()
