"""New photos, after a whole run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from car_segmentation.data.image_stack import read_stack
from car_segmentation.data.masks import read_mask
from car_segmentation.prediction.probability_maps import predicted_mask
from car_segmentation.prediction.run_lengths import decode_runs
from tests.support.photos import SIZE
from tests.support.projects import Project, mlflow_runs


def test_masks_are_those_that_reporting_scores(project: Project, tmp_path: Path) -> None:
    before = mlflow_runs(project)
    sample = tmp_path / "sample_submission.csv"
    sample.write_text("img,rle_mask\nno partner.jpg,1 1\n000000000000_01.jpg,1 1\n")
    output = project.predict(
        project.raw / "train",
        tmp_path / "new",
        *("inference.cut_outs=true", "inference.probability_maps=true"),
        *("inference.submission=true", f"inference.sample_submission={sample}"),
    )
    assert "13 masks are in" in output
    assert "Traceback" not in output
    assert len(pd.read_csv(tmp_path / "new/predictions.csv")) == 13
    threshold = json.loads(project.read("06_models/threshold.json"))["threshold"]
    stack = read_stack(project.results / "07_model_output/probabilities")
    assert len(stack.ids) > 1
    for photo_id, probability in zip(stack.ids, stack.pixels, strict=True):
        mask = read_mask(tmp_path / "new/masks" / f"{photo_id}.png")
        assert np.array_equal(mask, predicted_mask(probability, SIZE, threshold))
    assert mlflow_runs(project) == before
    for folder in ("cut_outs", "probability_maps"):
        assert len(list((tmp_path / "new" / folder).iterdir())) == 13
    submission = pd.read_csv(tmp_path / "new/submission.csv.gz", keep_default_na=False)
    assert submission["img"].tolist() == ["no partner.jpg", "000000000000_01.jpg"]
    mask = read_mask(tmp_path / "new/masks/000000000000_01.png")
    assert np.array_equal(decode_runs(submission["rle_mask"][1], *SIZE), mask)


@pytest.mark.slow
def test_killed_and_run_again(project: Project, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    sources = sorted((project.raw / "train").iterdir())
    for number in range(300):
        shutil.copy(sources[number % len(sources)], photos / f"{number:03d}.jpg")
    (photos / "broken.jpg").write_bytes(sources[0].read_bytes()[:-300])
    project.predict(photos, tmp_path / "undisturbed")

    killed = tmp_path / "killed"
    project.kill(
        "--pipelines=inference",
        f"--params=photos={photos},predictions={killed}",
        when=lambda: len(list(killed.glob("masks/*.png"))) > 20,
    )
    assert not (killed / "predictions.csv").exists()
    output = project.predict(photos, killed)
    assert "photos are finished" in output
    names = {path.name for path in (killed / "masks").iterdir()}
    assert names == {path.name for path in (tmp_path / "undisturbed/masks").iterdir()}
    assert len(names) == 300
    for name in names:
        mask = (killed / "masks" / name).read_bytes()
        assert mask == (tmp_path / "undisturbed/masks" / name).read_bytes()
    tables = [
        pd.read_csv(tmp_path / run / "predictions.csv").drop(columns="seconds")
        for run in ("killed", "undisturbed")
    ]
    pd.testing.assert_frame_equal(*tables)
    broken = tables[0].set_index("photo").loc["broken.jpg"]
    assert "is truncated or damaged" in broken["warnings"]


def test_the_promoted_model_makes_the_masks_of_the_file(project: Project, tmp_path: Path) -> None:
    before = mlflow_runs(project)
    console = project.succeed("--pipelines=promotion")
    assert "Version 1 is the champion now: there is no champion yet." in " ".join(console.split())
    photos = project.raw / "train"
    project.predict(photos, tmp_path / "file")
    champion = "model=models:/car_segmentation@champion"
    project.predict(photos, tmp_path / "registry", champion)
    masks = sorted((tmp_path / "file" / "masks").iterdir())
    assert masks
    for mask in masks:
        assert (tmp_path / "registry" / "masks" / mask.name).read_bytes() == mask.read_bytes()
    assert mlflow_runs(project) == before
