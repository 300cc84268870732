from pathlib import Path

import numpy as np
import pandas as pd

from car_segmentation.data.image_stack import ImageStack
from car_segmentation.data.images import read_photo
from car_segmentation.data.masks import Mask, encode_mask, read_truth
from car_segmentation.evaluation.photo_scores import PhotoResult, measure_photos, score_photos
from tests.support.photos import disc_mask

TRUTH = disc_mask()


def test_scores_are_taken_at_native_size_the_worst_first(two_photos: pd.DataFrame) -> None:
    right = TRUTH[::2, ::2].astype(np.float16)  # Half the native size.
    probabilities = ImageStack(("b", "a"), np.stack([np.zeros_like(right), right]))
    scores = score_photos(probabilities, two_photos, threshold=0.5)
    assert scores["photo_id"].tolist() == ["b", "a"]
    assert scores["dice"][0] == 0
    assert 0.95 < scores["dice"][1] < 1
    assert scores["false_negatives"][0] == TRUTH.sum()


def test_one_pass_hands_on_all_there_is(two_photos: pd.DataFrame) -> None:
    right = TRUTH[::2, ::2].astype(np.float16)
    probabilities = ImageStack(("b", "a"), np.stack([np.zeros_like(right), right]))
    photos = [read_photo(Path(path)) for path in two_photos["photo_path"]]

    def measure(result: PhotoResult) -> tuple[str, int, int, bool]:
        number = 0 if result.row.photo_id == "a" else 1
        same = np.array_equal(result.photo, photos[number])
        assert np.array_equal(result.predicted, result.probability >= 0.75)
        return result.row.photo_id, int(result.truth.sum()), int(result.predicted.sum()), same

    (first, second) = measure_photos(measure, probabilities, two_photos, threshold=0.75)
    assert first[:2] == ("a", TRUTH.sum()) and first[3]
    assert 0.9 * TRUTH.sum() < first[2] < TRUTH.sum()  # A cut above a half takes less.
    assert second == ("b", TRUTH.sum(), 0, True)


def test_ignored_pixels_do_not_count(two_photos: pd.DataFrame) -> None:
    table = two_photos.iloc[:1]
    path = Path(table["mask_path"].iloc[0])
    truth = read_truth(path).foreground
    ignored = np.zeros_like(truth)
    ignored[:, truth.shape[1] // 2 :] = True
    own = path.with_suffix(".png")
    own.write_bytes(encode_mask(Mask(truth & ~ignored, ignored)))
    # All right where it is known, all wrong elsewhere.
    predicted = np.where(ignored, ~truth, truth)[np.newaxis].astype(np.float32)
    stack = ImageStack((table["photo_id"].iloc[0],), predicted)
    (row,) = score_photos(stack, table.assign(mask_path=str(own)), 0.5).to_dict("records")
    assert row["dice"] == 1
