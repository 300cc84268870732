import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from PIL import Image, ImageColor

from car_segmentation.core.errors import UserError
from car_segmentation.data.image_files import UnusableImage
from car_segmentation.data.masks import read_mask
from car_segmentation.evaluation.scores import score_mask
from car_segmentation.prediction import folder_job as jobs
from car_segmentation.prediction import photo_files
from car_segmentation.prediction.composites import read_backdrop
from car_segmentation.prediction.photo_files import output_file
from car_segmentation.prediction.predictor import model_digest
from car_segmentation.prediction.run_lengths import decode_runs
from car_segmentation.prediction.shards import Shard
from car_segmentation.prediction.test_time_augmentation import TestTimeAugmentation
from car_segmentation.prediction.tiling import Tiles
from tests.support.bad_photos import write_bad_photos
from tests.support.folder_jobs import folder_job, table_of
from tests.support.models import Darkness
from tests.support.photos import SIZE, contents, disc_mask, photo_of, write_discs, write_pair
from tests.support.projects import REPOSITORY


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """A folder of ten photos."""
    write_discs(tmp_path / "photos", 10)
    return tmp_path / "photos"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "predictions"


def test_a_second_run_into_the_folder_is_refused(discs: Path, folder: Path) -> None:
    job = folder_job(discs, Darkness())
    one_of_two = replace(job, shard=Shard(1, 2))
    with FileLock(folder / ".in_use"):
        with pytest.raises(UserError, match=f"Another run is using {folder}"):
            job.write(folder)
        one_of_two.write(folder)  # Parts are written at the same time.
    with (
        FileLock(folder / ".in_use.1-of-2"),
        pytest.raises(UserError, match="Another run is using"),
    ):
        one_of_two.write(folder)
    job.write(folder)


def test_every_photo_gets_a_mask_of_its_own_size_and_a_row(discs: Path, folder: Path) -> None:
    model = Darkness()
    folder_job(discs, model).write(folder)
    assert [batch.shape for batch in model.batches] == 3 * [(4, 24, 32, 3)]
    table = table_of(folder)
    assert table.columns.tolist() == [
        *("photo", "height", "width", "foreground_share", "seconds", "confidence", "warnings")
    ]
    assert table["photo"].tolist() == [f"{index:03d}.png" for index in range(10)]
    for index, row in table.iterrows():
        picture = Image.open(folder / "masks" / f"{index:03d}.png")
        assert picture.mode == "L"
        assert set(np.unique(picture)) == {0, 255}
        mask = np.asarray(picture) > 0
        assert mask.shape == SIZE == (int(row["height"]), int(row["width"]))
        assert score_mask(mask, disc_mask(radius=8 + index % 10)).dice > 0.95
        assert float(row["foreground_share"]) == pytest.approx(mask.mean(), abs=1e-6)
        assert 0 <= float(row["seconds"]) < 60
        assert row["warnings"] == ""


def test_a_mask_does_not_depend_on_its_batch(discs: Path, folder: Path) -> None:
    folder_job(discs, batch_size=4).write(folder)
    before = contents(folder / "masks")
    for name in ("001.png", "008.png"):
        (folder / "masks" / name).unlink()
    folder_job(discs, batch_size=3).write(folder)
    assert contents(folder / "masks") == before


def test_a_second_run_does_nothing_and_a_third_what_was_deleted(
    discs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_job(discs).write(folder)
    before = contents(folder)
    (folder / "predictions.csv").unlink()
    again = Darkness()
    folder_job(discs, again).write(folder)
    assert again.batches == []
    assert contents(folder) == before

    (folder / "masks" / "003.png").unlink()
    (discs / "new.png").write_bytes((discs / "005.png").read_bytes())
    read = []
    read_photo = jobs.read_photo
    monkeypatch.setattr(jobs, "read_photo", lambda path: read.append(path.name) or read_photo(path))
    folder_job(discs).write(folder)
    assert sorted(read) == ["003.png", "new.png"]
    after = contents(folder / "masks")
    assert after.pop("new.png") == after["005.png"]
    assert {f"masks/{name}": mask for name, mask in after.items()}.items() <= before.items()
    assert len(table_of(folder)) == 11


def test_masks_without_their_ends_are_made_again(discs: Path, folder: Path) -> None:
    folder_job(discs, Darkness()).write(folder)
    masks = sorted((folder / "masks").iterdir())
    whole = [mask.read_bytes() for mask in masks]
    for mask, content in zip(masks, (b"", whole[1][:-1], bytes(len(whole[2]))), strict=False):
        mask.write_bytes(content)  # As a power cut may leave them.
    model = Darkness()
    folder_job(discs, model).write(folder)
    assert len(model.batches) == 1
    assert [mask.read_bytes() for mask in masks] == whole


def test_a_replaced_photo_is_predicted_again(discs: Path, folder: Path) -> None:
    folder_job(discs).write(folder)
    Image.fromarray(np.full((*SIZE, 3), 200, np.uint8)).save(discs / "002.png")
    folder_job(discs).write(folder)
    assert not read_mask(folder / "masks" / "002.png").any()
    row = table_of(folder).set_index("photo").loc["002.png"]
    assert row["warnings"] == "no object was found"
    assert row["confidence"] == "0.0"


def test_broken_photos_are_reported_and_passed_over(
    discs: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo, _ = write_pair(folder.parent, "whole")
    (discs / "cut.jpg").write_bytes(photo.read_bytes()[:-300])
    (discs / "empty.jpg").touch()
    (discs / "text.jpg").write_text("no photo")
    (discs / "notes.txt").touch()
    (discs / "gone.jpg").symlink_to("nowhere")
    Image.new("L", (2000, 1000)).save(discs / "huge.png")
    with caplog.at_level(logging.WARNING):
        folder_job(discs).write(folder)
    reasons = table_of(folder).set_index("photo")["warnings"]
    assert len(reasons) == 15
    for name, reason in {
        "cut.jpg": "is truncated or damaged",
        "empty.jpg": "is empty (0 bytes)",
        "text.jpg": "is not an image",
        "gone.jpg": "cannot be read",
        "huge.png": "is too large: 2000×1000",
    }.items():
        assert reason in reasons[name]
    assert len(list((folder / "masks").iterdir())) == 10
    assert "5 files could not be predicted; the first: " in caplog.text

    (discs / "cut.jpg").write_bytes(photo.read_bytes())
    folder_job(discs).write(folder)
    assert table_of(folder).set_index("photo")["warnings"]["cut.jpg"] == ""
    assert read_mask(folder / "masks" / "cut.png").any()


def test_twelve_files_that_hang_or_lie_are_listed_and_all_others_done(
    discs: Path, folder: Path
) -> None:
    folder_job(discs).write(folder / "alone")
    good = contents(folder / "alone" / "masks")
    bad = write_bad_photos(discs)
    assert len(bad) == 12
    folder_job(discs).write(folder / "among")  # A reader that waited would end it never.
    assert contents(folder / "among" / "masks") == good
    table = table_of(folder / "among").set_index("photo")
    assert set(table.index[table["height"] == ""]) == set(bad)
    assert (table.loc[bad, "warnings"] != "").all()
    assert len(table) == 10 + 12


def test_an_error_of_a_codec_does_not_end_the_run(
    discs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_most(path: Path) -> np.ndarray:
        if path.name == "004.png":
            raise MemoryError("too much")
        return photo_of(disc_mask())

    monkeypatch.setattr(jobs, "read_photo", read_most)
    folder_job(discs).write(folder)
    reasons = table_of(folder).set_index("photo")["warnings"]
    assert reasons["004.png"] == "cannot be read (too much)"
    assert (reasons != "").sum() == 1


def test_photos_that_would_share_a_mask_are_refused(discs: Path, folder: Path) -> None:
    (discs / "003.jpg").write_bytes((discs / "004.png").read_bytes())
    folder_job(discs).write(folder)
    reasons = table_of(folder).set_index("photo")["warnings"]
    for name in ("003.jpg", "003.png"):
        assert reasons[name] == "has the same id as another file (003.jpg, 003.png)"
    assert not (folder / "masks" / "003.png").exists()


def test_names_are_kept_whatever_they_are(tmp_path: Path, folder: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    content = write_pair(tmp_path, "a")[0].read_bytes()
    names = ["NA.jpg", "a.b.jpg", "ein Wörtchen, 'quoted'.JPG", "two\nlines.jpg", "\udcff.jpg"]
    for name in names:
        (photos / name).write_bytes(content)
    folder_job(photos).write(folder)
    assert all(output_file(folder, "masks", name).is_file() for name in names)
    text = (folder / "predictions.csv").read_bytes()
    assert os.fsencode(names[-1]) in text
    assert len(pd.read_csv(folder / "predictions.csv", encoding_errors="replace")) == 5


def test_only_broken_photos(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    folder_job(tmp_path / "photos").write(folder)
    assert len(table_of(folder)) == 1


def test_a_folder_that_cannot_be_written_is_the_users_to_mend(discs: Path, folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(UserError, match=r"Predictions cannot be written to .*predictions"):
        folder_job(discs).write(folder)


@pytest.mark.parametrize("other", [{"model": Darkness(2.0)}, {"threshold": 0.6}])
def test_results_of_two_models_are_not_mixed(discs: Path, folder: Path, other: dict) -> None:
    folder_job(discs).write(folder)
    with pytest.raises(UserError, match="another model, threshold or"):
        folder_job(discs, **other).write(folder)


def test_models_are_told_apart() -> None:
    assert model_digest(Darkness()) == model_digest(Darkness())
    assert model_digest(Darkness(1.5)) != model_digest(Darkness())


def test_probability_maps_have_16_bits(discs: Path, folder: Path) -> None:
    folder_job(discs, outputs=("masks", "probability_maps")).write(folder)
    for index in range(10):
        levels = np.asarray(Image.open(folder / "probability_maps" / f"{index:03d}.png"))
        mask = read_mask(folder / "masks" / f"{index:03d}.png")
        assert levels.shape == SIZE
        assert np.array_equal(levels / 65535 >= 0.5, mask)
        assert len(np.unique(levels)) > 256


def test_an_output_that_is_wanted_later_is_made_later(discs: Path, folder: Path) -> None:
    folder_job(discs).write(folder)
    before = contents(folder / "masks")
    folder_job(discs, outputs=("masks", "cut_outs")).write(folder)
    assert contents(folder / "masks") == before
    for index in range(10):
        picture = Image.open(folder / "cut_outs" / f"{index:03d}.png")
        assert picture.mode == "RGBA"
        red, _, blue, alpha = np.moveaxis(np.asarray(picture), 2, 0)
        assert np.array_equal(alpha >= 128, read_mask(folder / "masks" / f"{index:03d}.png"))
        assert (red[alpha > 0] > blue[alpha > 0]).all()


def test_a_photo_that_goes_away_on_the_way_is_reported(
    discs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_photo(*_: object) -> np.ndarray:
        raise UnusableImage("cannot be read")

    monkeypatch.setattr(photo_files, "cut_out", no_photo)
    folder_job(discs, outputs=("masks", "cut_outs")).write(folder)
    reasons = table_of(folder).set_index("photo")["warnings"]
    assert reasons["000.png"] == "cannot be read, though it was read before"


def test_a_submission_has_the_masks(discs: Path, folder: Path) -> None:
    folder_job(discs, submission=("003.png", "001.png")).write(folder)
    table = pd.read_csv(folder / "submission.csv.gz")
    assert table["img"].tolist() == ["003.png", "001.png"]
    for row in table.itertuples():
        assert np.array_equal(
            decode_runs(row.rle_mask, *SIZE), read_mask(folder / "masks" / row.img)
        )


KILLED_RUN = """
import sys, time
from pathlib import Path
from tests.support.models import Darkness
from tests.support.folder_jobs import folder_job

class Slow(Darkness):
    def predict_on_batch(self, photos):
        time.sleep(0.02)
        return super().predict_on_batch(photos)

folder_job(Path(sys.argv[1]), Slow()).write(Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_killed_run_is_taken_up_where_it_stopped(tmp_path: Path, folder: Path) -> None:
    write_discs(tmp_path / "photos", 60)
    folder_job(tmp_path / "photos").write(tmp_path / "undisturbed")
    finished: set[str] = set()
    for masks in (1, 20, 45):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED_RUN, str(tmp_path / "photos"), str(folder)],
            cwd=REPOSITORY,
        )
        while len(list(folder.glob("masks/[!.]*"))) < masks:
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        now = {path.name for path in folder.glob("masks/[!.]*")}
        assert finished < now < {path.name for path in (tmp_path / "photos").iterdir()}
        finished = now
    times = {name: (folder / "masks" / name).stat().st_mtime_ns for name in finished}
    model = Darkness()
    folder_job(tmp_path / "photos", model).write(folder)
    rewritten = {n for n in finished if (folder / "masks" / n).stat().st_mtime_ns != times[n]}
    assert len(rewritten) <= jobs.AHEAD  # Written, and killed before it was recorded.
    assert 4 * len(model.batches) < 60
    assert contents(folder / "masks") == contents(tmp_path / "undisturbed" / "masks")
    assert {path.name for path in folder.glob("*") if not path.name.startswith(".in_use")} == {
        *("masks", "predictions.csv", ".finished.jsonl")
    }
    tables = [table_of(each).drop(columns="seconds") for each in (folder, tmp_path / "undisturbed")]
    pd.testing.assert_frame_equal(*tables)


def test_tiles_see_photos_at_native_size(discs: Path, folder: Path) -> None:
    model = Darkness()
    folder_job(discs, Tiles(model, overlap=0.25, batch_size=4)).write(folder)
    assert {batch.shape for batch in model.batches} == {(4, 24, 32, 3)}
    table = table_of(folder)
    assert len(table) == 10
    for index, row in table.iterrows():
        # The model sees pixels, and at native size its mask is that of the photo's own pixels.
        photo = np.asarray(Image.open(discs / f"{index:03d}.png"))
        mask = read_mask(folder / "masks" / f"{index:03d}.png")
        assert np.array_equal(mask, photo[..., 1] <= 127)
        assert row["warnings"] == ""


def test_photos_that_wait_at_native_size_are_few(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_discs(tmp_path / "photos", 30)
    read = []
    read_photo = jobs.read_photo
    monkeypatch.setattr(jobs, "read_photo", lambda path: read.append(path) or read_photo(path))

    class Watching(Darkness):
        def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
            waiting.append(len(read))
            return super().predict_on_batch(photos)

    waiting: list[int] = []
    folder_job(tmp_path / "photos", Tiles(Watching(), 0.0, batch_size=16)).write(folder)
    assert len(waiting) == 30
    ahead = [number - index for index, number in enumerate(waiting)]
    assert max(ahead) <= 1 + jobs.AHEAD_AT_NATIVE_SIZE


def test_other_ways_to_predict_are_not_mixed_either(discs: Path, folder: Path) -> None:
    folder_job(discs).write(folder)
    with pytest.raises(UserError, match="another model"):
        folder_job(discs, TestTimeAugmentation(Darkness(), flip=True)).write(folder)


def test_composites_are_made_anew_on_another_backdrop(discs: Path, folder: Path) -> None:
    outputs = ("masks", "cut_outs", "composites")
    for colour, suffix in (("#00ff00", ".png"), ("#0000ff", ".jpg")):
        folder_job(discs, outputs=outputs, backdrop=read_backdrop(colour, suffix)).write(folder)
        assert sorted(path.name for path in folder.glob("composites/[!.]*")) == [
            f"{index:03d}{suffix}" for index in range(10)
        ]
        picture = np.asarray(Image.open(folder / "composites" / f"004{suffix}"))
        assert picture.shape == (*SIZE, 3)
        assert np.abs(picture[0, 0] - np.array(ImageColor.getrgb(colour))).max() < 3
        assert picture[24, 32, 0] > 100  # the disc's red
    before = contents(folder)
    model = Darkness()
    folder_job(discs, model, outputs=outputs, backdrop=read_backdrop(colour, suffix)).write(folder)
    assert model.batches == [] and contents(folder) == before
