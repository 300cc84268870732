"""The project as a user runs it: `kedro run` in a fresh copy, on a few small discs."""

import json
import shutil
import signal
from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from car_segmentation.data.image_stack import read_stack
from car_segmentation.data.masks import read_mask
from car_segmentation.prediction.probability_maps import predicted_mask
from car_segmentation.prediction.run_lengths import decode_runs
from tests.support.photos import SIZE, write_cars, write_pair
from tests.support.projects import Project, make_project, mlflow_runs, predict


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without data."""
    return make_project(tmp_path / "project")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A project after a whole run, called from a folder inside it, and what the run wrote."""
    project = make_project(tmp_path_factory.mktemp("finished") / "project")
    raw = project.path / "data/01_raw/discs"
    write_cars(raw, cars=6, views=2)
    shutil.copy(raw / "train" / "000000000000_01.jpg", raw / "train" / "no partner.jpg")
    (raw / "metadata.csv").write_text("id,year,make,model\n000000000001,2009,Saab,9-3\n")
    run = project.run(cwd=project.path / "src")
    assert run.returncode == 0, run.stdout + run.stderr
    return project, run.stdout + run.stderr


class TestAWholeRun:
    def test_it_ends_by_saying_what_came_out_and_where(self, finished) -> None:
        project, output = finished
        assert f"Test Dice {project.dice():.4f}" in output
        assert "data/tiny/08_reporting/error_maps" in output
        assert "make viz" in output
        assert "make mlflow" in output

    def test_every_result_is_there(self, finished) -> None:
        project, _ = finished
        report = project.path / "data/tiny/08_reporting"
        names = {path.name for path in report.iterdir()}
        assert names == {
            *("augmentation_sheet.png", "learning_curves.png", "threshold_curve.png"),
            *("photo_scores.csv", "other_scores.csv", "score_summary.json", "score_table.csv"),
            *("ceiling.json", "slices.csv", "paints.csv", "dice_histogram.png"),
            *("error_distances.csv", "error_regions.csv", "error_classes.csv"),
            *("calibration.csv", "calibration_errors.json"),
            *("mask_evidence.csv", "other_mask_evidence.csv"),
            *("suspect_masks.csv", "suspect_sheet.png"),
            *("error_maps", "plates", "worst_sheet.png", "random_sheet.png"),
            *("predicted_masks.csv.gz", "report.html"),
        }
        scores = pd.read_csv(report / "photo_scores.csv", dtype={"car": str})
        maps = sorted(path.stem for path in (report / "error_maps").iterdir())
        assert maps == [f"0{rank}_{scores['photo_id'][rank - 1]}" for rank in (1, 2)]
        assert scores["dice"].is_monotonic_increasing
        assert project.dice() == pytest.approx(scores["dice"].mean())
        error_map = Image.open(report / "error_maps" / f"{maps[0]}.png")
        assert error_map.size == (64, 48 + 28)  # The native photo, and the legend.

    def test_whole_cars_are_in_one_split(self, finished) -> None:
        project, _ = finished
        splits = pd.read_csv(project.path / "data/tiny/05_model_input/photo_splits.csv", dtype=str)
        assert splits.groupby("car")["split"].nunique().max() == 1
        assert set(splits["split"]) == {"train", "validation", "test"}
        assert splits.set_index("photo_id")["make"]["000000000001_02"] == "Saab"

    def test_a_file_without_a_partner_is_counted_and_named(self, finished) -> None:
        project, output = finished
        assert "1 files were rejected and 12 pairs of photo and mask can be used" in output
        assert "no partner.jpg,has no mask" in project.read("02_intermediate/rejected_photos.csv")

    def test_nothing_useless_is_on_the_console(self, finished) -> None:
        _, output = finished
        for noise in ("Traceback", "oneDNN", "cuInit", "type hints", "absl", "UserWarning"):
            assert noise not in output

    def test_mlflow_has_it_all(self, finished) -> None:
        project, _ = finished
        assert not (project.path / "src" / "mlflow.db").exists()
        client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
        experiment = client.get_experiment_by_name("car_segmentation")
        (run,) = client.search_runs([experiment.experiment_id])
        params, metrics, tags = run.data.params, run.data.metrics, run.data.tags
        assert run.info.status == "FINISHED"
        assert run.info.run_name == "segnet_unet 48×32 tiny"
        assert params["image.height"] == "32"
        assert params["training.learning_rate"] == "0.01"
        assert params["split.fractions.train"] == "0.7"
        assert metrics["test.dice_mean"] == pytest.approx(project.dice())
        assert {"test.dice_median", "test.dice_worst", "test.edge_error_px"} <= set(metrics)
        history = client.get_metric_history(run.info.run_id, "val_dice")
        assert [point.step for point in history] == [0, 1]
        assert {"loss", "dice", "val_loss"} <= set(metrics)
        assert tags["architecture"] == "segnet_unet"
        assert tags["input_size"] == "48×32"
        assert tags["environment"] == "tiny"
        assert tags["mlflow.note.content"].endswith("Nothing changed for it.")
        assert "runner" not in tags
        assert "test.photos" not in metrics
        names = {entry.dataset.name for entry in run.inputs.dataset_inputs}
        assert names == {"discs train", "discs validation", "discs test"}
        artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
        assert {
            *("error_maps", "plates", "photo_scores.csv", "learning_curves.png", "report.html"),
            *("predicted_masks.csv.gz", "photo_splits.csv", "photo_scores.json"),
        } <= artifacts

    def test_the_model_in_mlflow_predicts_the_same(self, finished, monkeypatch) -> None:
        project, _ = finished
        mlflow.set_tracking_uri(f"sqlite:///{project.path}/mlflow.db")
        try:
            client = mlflow.MlflowClient()
            experiment = client.get_experiment_by_name("car_segmentation")
            (logged,) = client.search_logged_models([experiment.experiment_id])
            model = mlflow.keras.load_model(logged.model_uri)
            info = mlflow.models.get_model_info(logged.model_uri)
            folder = Path(mlflow.artifacts.download_artifacts(logged.model_uri))
        finally:
            mlflow.set_tracking_uri(None)
        assert info.signature.inputs.input_names() == ["photo"]
        assert info.saved_input_example_info is not None
        assert "keras==" in (folder / "requirements.txt").read_text()
        photos = np.load(project.path / "data/tiny/05_model_input/photos/pixels.npy")[:2]
        local = keras.saving.load_model(project.path / "data/tiny/06_models/model.keras")
        assert np.allclose(model.predict_on_batch(photos), local.predict_on_batch(photos))

    def test_the_promoted_model_makes_the_masks_of_the_file(self, finished, tmp_path: Path) -> None:
        project, _ = finished
        before = mlflow_runs(project)
        promotion = project.run("--pipelines=promotion")
        said = " ".join((promotion.stdout + promotion.stderr).split())
        assert "Version 1 is the champion now: there was none yet." in said
        photos = project.path / "data/01_raw/discs/train"
        predict(project, photos, tmp_path / "file")
        champion = "model=models:/car_segmentation@champion"
        predict(project, photos, tmp_path / "registry", champion)
        masks = sorted((tmp_path / "file" / "masks").iterdir())
        assert masks
        for mask in masks:
            assert (tmp_path / "registry" / "masks" / mask.name).read_bytes() == mask.read_bytes()
        assert mlflow_runs(project) == before


class TestParts:
    """Each pipeline alone, and slices of them, after a whole run; the Dice stays the same."""

    def test_modelling_then_reporting_alone_give_the_same_dice(self, finished) -> None:
        project, _ = finished
        before = project.dice()
        history = project.read("06_models/history.json")
        for pipeline in ("modelling", "reporting"):
            run = project.run(f"--pipelines={pipeline}")
            assert run.returncode == 0, run.stdout + run.stderr
        assert project.dice() == before
        assert project.read("06_models/history.json") == history

    @pytest.mark.parametrize(
        "slice_of_the_graph",
        [
            ("--from-nodes=choose_threshold",),
            ("--from-nodes=split_cars", "--to-nodes=augment"),
            ("--to-nodes=resize_masks",),
            ("--tags=pictures",),
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_slices(self, finished, slice_of_the_graph: tuple[str, ...]) -> None:
        project, _ = finished
        before = project.dice()
        run = project.run(*slice_of_the_graph)
        assert run.returncode == 0, run.stdout + run.stderr
        assert project.dice() == before

    def test_the_last_two_runs_are_compared(self, finished) -> None:
        project, _ = finished
        assert project.run("--pipelines=reporting").returncode == 0
        run = project.run("--pipelines=run_comparison")
        output = run.stdout + run.stderr
        assert run.returncode == 0, output
        assert "data/tiny/08_reporting/run_comparison.html" in output
        changes = pd.read_csv(project.path / "data/tiny/08_reporting/run_comparison.csv")
        assert len(changes) > 1
        assert (changes["change"] == 0).all()  # It was the same model.

    def test_data_processing_imports_neither_tensorflow_nor_the_report(self, finished) -> None:
        project, _ = finished
        script = (
            "import sys\n"
            "from pathlib import Path\n"
            "from kedro.framework.session import KedroSession\n"
            "from kedro.framework.startup import bootstrap_project\n"
            "bootstrap_project(Path.cwd())\n"
            "with KedroSession.create(env='tiny') as session:\n"
            "    session.run(pipeline_names=['data_processing'])\n"
            "unwanted = {'tensorflow', 'keras', 'jax', 'torch',\n"
            "  'car_segmentation.report.evaluation_report'}\n"
            "print(sorted(unwanted & set(sys.modules)))\n"
        )
        run = project.python("-c", script)
        assert run.stdout.strip().endswith("[]"), run.stdout + run.stderr

    def test_a_named_server_that_is_away_costs_one_message(self, finished) -> None:
        project, _ = finished
        run = project.run("--nodes=summarise_scores", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
        assert run.returncode == 0, run.stdout + run.stderr
        output = run.stdout + run.stderr
        assert output.count("http://127.0.0.1:9 does not answer") == 1
        assert "Traceback" not in output


class TestStoppedTraining:
    """A training that is stopped, in a copy of a project with its data."""

    def stop(
        self, finished, tmp_path: Path, sign: signal.Signals
    ) -> tuple[Project, list[str], int]:
        project = Project(tmp_path / "stopped")
        shutil.copytree(finished[0].path, project.path)
        before = mlflow_runs(project)
        modelling = [
            "--pipelines=modelling",
            "--params=training.epochs=60,training.patience=60,training.checkpoint_minutes=0",
        ]
        checkpoints = project.path / "data/tiny/06_models/checkpoints"
        project.kill(*modelling, when=lambda: any(checkpoints.glob("*/best_*.npz")), sign=sign)
        assert mlflow_runs(project) == before + 1
        return project, modelling, before + 1

    def curve(self, project: Project) -> tuple[mlflow.entities.Run, list[float]]:
        client = mlflow.MlflowClient(f"sqlite:///{project.path}/mlflow.db")
        experiment = client.get_experiment_by_name("car_segmentation")
        run = client.search_runs([experiment.experiment_id], max_results=1)[0]
        points = client.get_metric_history(run.info.run_id, "val_loss")
        assert [point.step for point in points] == list(range(len(points)))
        return run, [point.value for point in points]

    def test_killed_and_run_again_it_is_one_run_with_one_curve(self, finished, tmp_path) -> None:
        project, modelling, runs = self.stop(finished, tmp_path, signal.SIGKILL)
        run, part = self.curve(project)
        assert run.info.status == "RUNNING"
        again = project.run(*modelling)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "Continuing the training in" in again.stdout + again.stderr
        assert mlflow_runs(project) == runs
        run, whole = self.curve(project)
        assert run.info.status == "FINISHED"
        assert whole[: len(part)] == part
        assert whole == json.loads(project.read("06_models/history.json"))["val_loss"]
        assert len(whole) == 60 > len(part)
        assert not list((project.path / "data/tiny/06_models/checkpoints").iterdir())

    def test_ctrl_c_saves_the_best_model_and_says_so(self, finished, tmp_path) -> None:
        project, modelling, runs = self.stop(finished, tmp_path, signal.SIGINT)
        history = json.loads(project.read("06_models/history.json"))["val_loss"]
        assert 1 <= len(history) < 60
        again = project.run(*modelling)
        assert again.returncode == 0, again.stdout + again.stderr
        assert mlflow_runs(project) == runs
        _, whole = self.curve(project)
        assert whole[: len(history)] == history


class TestInference:
    """New photos, after a whole run."""

    def test_masks_are_those_that_reporting_scores(self, finished, tmp_path: Path) -> None:
        project, _ = finished
        before = mlflow_runs(project)
        sample = tmp_path / "sample_submission.csv"
        sample.write_text("img,rle_mask\nno partner.jpg,1 1\n000000000000_01.jpg,1 1\n")
        output = predict(
            project,
            project.path / "data/01_raw/discs/train",
            tmp_path / "new",
            *("inference.cut_outs=true", "inference.probability_maps=true"),
            *("inference.submission=true", f"inference.sample_submission={sample}"),
        )
        assert "13 masks are in" in output
        assert "Traceback" not in output
        assert len(pd.read_csv(tmp_path / "new/predictions.csv")) == 13
        threshold = json.loads(project.read("06_models/threshold.json"))["threshold"]
        stack = read_stack(project.path / "data/tiny/07_model_output/probabilities")
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

    def test_killed_and_run_again(self, finished, tmp_path: Path) -> None:
        project, _ = finished
        photos = tmp_path / "photos"
        photos.mkdir()
        sources = sorted((project.path / "data/01_raw/discs/train").iterdir())
        for number in range(300):
            shutil.copy(sources[number % len(sources)], photos / f"{number:03d}.jpg")
        (photos / "broken.jpg").write_bytes(sources[0].read_bytes()[:-300])
        predict(project, photos, tmp_path / "undisturbed")

        killed = tmp_path / "killed"
        project.kill(
            "--pipelines=inference",
            f"--params=photos={photos},predictions={killed}",
            when=lambda: len(list(killed.glob("masks/*.png"))) > 20,
        )
        assert not (killed / "predictions.csv").exists()
        output = predict(project, photos, killed)
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


class TestMistakes:
    """Every mistake ends in one message, without a traceback, that says what to do."""

    def fails(self, project: Project, *arguments: str) -> str:
        run = project.run(*arguments)
        output = run.stdout + run.stderr
        assert run.returncode == 1, output
        assert "Traceback" not in output
        assert output.count("Error: ") == 1
        return output

    def test_no_data(self, project: Project) -> None:
        output = self.fails(project)
        assert "There are no photos in data/01_raw/discs/train" in output
        assert "make run" in output

    def test_no_new_photos(self, project: Project) -> None:
        output = self.fails(project, "--pipelines=inference")
        assert "There are no photos in data/01_raw/new_photos" in output
        assert "--params=photos=FOLDER,predictions=FOLDER" in output

    def test_no_model(self, project: Project, tmp_path: Path) -> None:
        photo, _ = write_pair(tmp_path, "a")
        folders = f"photos={photo.parent},predictions={tmp_path / 'new'}"
        output = self.fails(project, "--pipelines=inference", f"--params={folders}")
        assert "Train one first" in output

    def test_too_few_cars(self, project: Project) -> None:
        write_cars(project.path / "data/01_raw/discs", cars=2)
        assert "2 cars are too few to split into 3 groups" in self.fails(project)

    def test_too_many_rejected(self, project: Project) -> None:
        raw = project.path / "data/01_raw/discs"
        write_cars(raw, cars=5, views=2)
        for photo in sorted((raw / "train").iterdir())[:3]:
            photo.write_bytes(b"")
        output = self.fails(project)
        assert "3 files were rejected and 7 pairs" in output
        assert "checks.max_rejected_share allows 10%" in output
        assert "000000000000_01.jpg is empty (0 bytes)" in output

    def test_masks_missing_altogether(self, project: Project) -> None:
        write_pair(project.path / "data/01_raw/discs", "a")
        shutil.rmtree(project.path / "data/01_raw/discs/train_masks")
        assert "a.jpg has no mask" in self.fails(project)

    @pytest.mark.parametrize(
        ("argument", "message"),
        [
            ("--params=raw_dta=elsewhere", "raw_dta: unknown parameter"),
            ("--params=network.depth=3", "network.depth: segnet_unet has no such option"),
        ],
    )
    def test_parameters(self, project: Project, argument: str, message: str) -> None:
        assert message in self.fails(project, argument)
