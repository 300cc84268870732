import math

import numpy as np
import pytest
import scipy.spatial
import skimage.metrics
import skimage.morphology
import surface_distance
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from car_segmentation.evaluation.scores import (
    SCORES,
    boundary_iou,
    edge_error,
    hausdorff_distance,
    perimeter,
    score_mask,
    surface_dice,
    surface_distances,
)
from car_segmentation.prediction.run_lengths import decode_runs
from tests.support.photos import disc_mask

MASKS = arrays(bool, (6, 7))
PAIRS = array_shapes(min_dims=2, max_dims=2, max_side=14).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)
RATIOS = [
    *("dice", "iou", "precision", "recall", "boundary_iou_2px", "boundary_iou_diagonal"),
    *("surface_dice_1px", "surface_dice_2px", "surface_dice_4px"),
]
DISTANCES = ["edge_error_px", "hausdorff95_px"]


def test_values_worked_out_by_hand() -> None:
    truth = np.zeros((10, 10), bool)
    truth[2:8, 2:8] = True  # 36 pixels.
    predicted = np.zeros((10, 10), bool)
    predicted[2:8, 4:10] = True  # 36 pixels, 24 of them right.
    score = score_mask(predicted, truth)
    assert score.dice == pytest.approx(2 * 24 / 72)
    assert score.iou == pytest.approx(24 / 48)
    assert score.precision == pytest.approx(24 / 36)
    assert score.recall == pytest.approx(24 / 36)
    assert (score.false_positives, score.false_negatives) == (12, 12)
    # The outline runs through pixel centres: 4 sides of 5.
    assert score.edge_error_px == pytest.approx(2 * 36 * (1 / 3) / 20)
    # Bands of 2 pixels leave a core of 2×2 each: 36 - 4 pixels, of which 24 - 4 - 4 are shared.
    assert score.boundary_iou_2px == pytest.approx(16 / 48)
    # 2 % of the diagonal is less than half a pixel, so 1: outlines of 20 pixels share 2 · 4.
    assert score.boundary_iou_diagonal == pytest.approx(8 / 32)
    # From either outline to the other: 8 pixels at distance 0, 4 at 1, 8 at 2.
    assert score.surface_dice_1px == pytest.approx(12 / 20)
    assert score.surface_dice_2px == score.surface_dice_4px == 1
    assert score.hausdorff95_px == 2


EMPTY, FULL = np.zeros((4, 4), bool), np.ones((4, 4), bool)


def test_both_empty_is_perfect() -> None:
    score = score_mask(EMPTY, EMPTY).as_dict()
    assert {score[name] for name in RATIOS} == {1}
    assert {score[name] for name in DISTANCES} == {0}


def test_one_empty() -> None:
    diagonal = math.hypot(4, 4)
    missed, invented = score_mask(EMPTY, FULL).as_dict(), score_mask(FULL, EMPTY).as_dict()
    # Of the pixels found, which are none, none was wrong; of those that are there, likewise.
    assert (missed["precision"], missed["recall"]) == (1, 0)
    assert (invented["precision"], invented["recall"]) == (0, 1)
    for score in (missed, invented):
        assert {score[name] for name in RATIOS if name not in {"precision", "recall"}} == {0}
        assert score["hausdorff95_px"] == diagonal
    assert invented["edge_error_px"] == diagonal
    assert missed["edge_error_px"] == pytest.approx(2 * 16 / 12)  # It has an edge: 4 sides of 3.


@given(PAIRS)
def test_properties(masks: tuple[np.ndarray, np.ndarray]) -> None:
    score, swapped = score_mask(*masks).as_dict(), score_mask(*masks[::-1]).as_dict()
    exchanged = {"precision": "recall", "false_positives": "false_negatives"}
    exchanged |= {second: first for first, second in exchanged.items()}
    for name, value in score.items():
        if name != "edge_error_px":  # Measured along the edge of the truth.
            assert swapped[exchanged.get(name, name)] == value
    assert all(0 <= score[name] <= 1 for name in RATIOS)
    assert all(0 <= score[name] < math.inf for name in DISTANCES)
    assert score["hausdorff95_px"] <= math.hypot(*masks[0].shape)
    assert score["iou"] <= score["dice"] == pytest.approx(2 * score["iou"] / (1 + score["iou"]))
    assert score["surface_dice_1px"] <= score["surface_dice_2px"] <= score["surface_dice_4px"]
    assert (score["dice"] == 1) == np.array_equal(*masks)


@given(MASKS)
def test_a_mask_against_itself(mask: np.ndarray) -> None:
    score = score_mask(mask, mask).as_dict()
    assert {score[name] for name in RATIOS} == {1}
    assert {value for name, value in score.items() if name not in RATIOS} == {0}


@given(PAIRS, st.integers(0, 3), st.integers(0, 3))
def test_empty_margins_change_nothing(
    masks: tuple[np.ndarray, np.ndarray], before: int, after: int
) -> None:
    """Where nothing is measured by the diagonal."""
    predicted, truth = masks
    if predicted.any() and perimeter(truth):
        wider = [np.pad(mask, (before, after)) for mask in masks]
        score, same = score_mask(*masks).as_dict(), score_mask(*wider).as_dict()
        for name in score.keys() - {"boundary_iou_diagonal"}:
            assert same[name] == score[name]


@given(PAIRS)
def test_overlap_agrees_with_scipy_and_with_sets_of_pixels(
    masks: tuple[np.ndarray, np.ndarray],
) -> None:
    predicted, truth = masks
    score = score_mask(predicted, truth)
    if predicted.any() or truth.any():
        flat = predicted.ravel(), truth.ravel()
        assert score.dice == pytest.approx(1 - scipy.spatial.distance.dice(*flat))
        assert score.iou == pytest.approx(1 - scipy.spatial.distance.jaccard(*flat))
    found, there = (set(np.flatnonzero(mask).tolist()) for mask in masks)
    assert (score.false_positives, score.false_negatives) == (
        len(found - there),
        len(there - found),
    )
    assert score.precision == (len(found & there) / len(found) if found else 1)
    assert score.recall == (len(found & there) / len(there) if there else 1)


def scipy_distances(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances between edge pixels, as MONAI defines them: mask minus its erosion."""
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (predicted, truth)]
    points = [np.argwhere(edge) for edge in edges]
    apart = scipy.spatial.distance.cdist(*points)
    return apart.min(axis=1), apart.min(axis=0)


@given(PAIRS)
def test_surfaces_agree_with_scipy(masks: tuple[np.ndarray, np.ndarray]) -> None:
    if not (masks[0].any() and masks[1].any()):
        return
    score = score_mask(*masks)
    distances = scipy_distances(*masks)
    everything = np.concatenate(distances)
    assert score.surface_dice_1px == pytest.approx(np.mean(everything <= 1))
    assert score.surface_dice_2px == pytest.approx(np.mean(everything <= 2))
    assert score.surface_dice_4px == pytest.approx(np.mean(everything <= 4))
    expected = max(np.percentile(one_way, 95) for one_way in distances)
    assert score.hausdorff95_px == pytest.approx(expected, abs=1e-5)


@given(PAIRS)
def test_plain_hausdorff_agrees_with_scikit_image(masks: tuple[np.ndarray, np.ndarray]) -> None:
    edges = [mask & ~skimage.morphology.erosion(mask, mode="min") for mask in masks]
    expected = skimage.metrics.hausdorff_distance(*edges)
    ours = hausdorff_distance(surface_distances(*masks), diagonal=math.inf)
    assert ours == pytest.approx(expected, abs=1e-5)


@given(PAIRS, st.integers(1, 5))
def test_boundary_iou_agrees_with_scipy(masks: tuple[np.ndarray, np.ndarray], width: int) -> None:
    """By repeated 3×3 erosion, as the paper's authors have it."""
    square = np.ones((3, 3), bool)
    bands = [mask & ~ndimage.binary_erosion(mask, square, iterations=width) for mask in masks]
    union = (bands[0] | bands[1]).sum()
    expected = (bands[0] & bands[1]).sum() / union if union else 1
    assert boundary_iou(*masks, width) == pytest.approx(expected)


def test_the_wide_band_is_two_percent_of_the_diagonal() -> None:
    truth, predicted = np.zeros((2, 300, 400), bool)  # Diagonal 500, so 10 pixels.
    truth[50:250, 100:300] = predicted[47:253, 97:303] = True
    bands, shared = (200**2 - 180**2) + (206**2 - 186**2), 200**2 - 186**2
    expected = shared / (bands - shared)
    assert score_mask(predicted, truth).boundary_iou_diagonal == pytest.approx(expected)


def surfaces_of_deepmind(predicted: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    return surface_distance.compute_surface_distances(truth, predicted, spacing_mm=(1, 1))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Of the package, on SciPy's old names.
class TestAgainstDeepMind:
    """The surface-distance package.

    Its surface elements lie on the corners between pixels, weighed by their length, where ours
    are the edge pixels: sets of points that are never more than √½ pixel apart. So distances of
    two masks may differ by √2 pixels and no more, and shares by a little.
    """

    @given(PAIRS)
    def test_dice_is_the_same(self, masks: tuple[np.ndarray, np.ndarray]) -> None:
        if masks[0].any() or masks[1].any():
            expected = surface_distance.compute_dice_coefficient(*masks)
            assert score_mask(*masks).dice == pytest.approx(expected)

    @given(PAIRS)
    def test_hausdorff_distance_within_the_bound(
        self, masks: tuple[np.ndarray, np.ndarray]
    ) -> None:
        if masks[0].any() and masks[1].any():
            theirs = surface_distance.compute_robust_hausdorff(surfaces_of_deepmind(*masks), 100)
            ours = hausdorff_distance(surface_distances(*masks), math.hypot(*masks[0].shape))
            assert abs(ours - theirs) <= math.sqrt(2) + 1e-5

    @pytest.mark.parametrize("shift", [1, 3, 8])
    def test_a_shifted_box_is_exactly_the_same_distance_away(self, shift: int) -> None:
        truth, predicted = np.zeros((2, 80, 120), bool)
        truth[20:60, 20:90] = predicted[20:60, 20 + shift : 90 + shift] = True
        theirs = surfaces_of_deepmind(predicted, truth)
        assert score_mask(predicted, truth).hausdorff95_px == shift
        assert surface_distance.compute_robust_hausdorff(theirs, 95) == shift

    @pytest.mark.parametrize(("radius", "shift"), [(60, 0), (62, 1), (63, 3), (66, 0)])
    def test_round_masks_score_alike(self, radius: float, shift: int) -> None:
        truth = disc_mask(200, 240, 62) & ~disc_mask(200, 240, 15)  # A disc with a hole.
        predicted = np.roll(disc_mask(200, 240, radius), (shift, 2 * shift), axis=(0, 1))
        theirs = surfaces_of_deepmind(predicted, truth)
        distances = surface_distances(predicted, truth)
        for tolerance in (1, 2, 4):
            expected = surface_distance.compute_surface_dice_at_tolerance(theirs, tolerance)
            # Where the discs are just a tolerance apart, half a pixel decides on many.
            low, high = (surface_dice(distances, tolerance + nudge) for nudge in (-0.5, 0.5))
            assert low - 0.02 <= expected <= high + 0.02
        expected = surface_distance.compute_robust_hausdorff(theirs, 95)
        assert hausdorff_distance(distances, 0, 95) == pytest.approx(expected, abs=1)


def test_dice_of_kaggles_run_lengths() -> None:
    """Pixels 1-3 and 10-14, the competition's own example, against 2-5 and 10-11."""
    truth, predicted = (decode_runs(runs, 3, 5) for runs in ("1 3 10 5", "2 4 10 2"))
    assert score_mask(predicted, truth).dice == pytest.approx(2 * 4 / (8 + 6))
    nothing = decode_runs("", 3, 5)
    assert score_mask(nothing, nothing).dice == 1
    assert score_mask(nothing, truth).dice == 0


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(4, 4\), truth has \(4, 5\)"):
        score_mask(EMPTY, np.zeros((4, 5), bool))


def test_perimeter_counts_holes() -> None:
    mask = np.zeros((20, 20), bool)
    mask[2:18, 2:18] = True
    assert perimeter(mask) == 4 * 15
    mask[8:12, 8:12] = False  # The hole's outline lies on the pixels around it: corners are cut.
    assert perimeter(mask) == pytest.approx(60 + 4 * 3 + 4 * math.sqrt(2))


def test_perimeter_of_a_disc() -> None:
    assert perimeter(disc_mask(200, 200, 80)) == pytest.approx(2 * math.pi * 80, rel=0.06)


def test_edge_error_of_a_disc_grown_by_two_pixels() -> None:
    truth, grown = disc_mask(400, 400, 150), disc_mask(400, 400, 152)
    assert score_mask(grown, truth).edge_error_px == pytest.approx(2, rel=0.1)


def test_edge_error_is_zero_for_a_perfect_mask() -> None:
    assert edge_error(1.0, EMPTY, diagonal=5) == 0


def test_edge_error_of_a_truth_without_outline_is_the_diagonal() -> None:
    speck = np.zeros((3, 4), bool)
    speck[1, 1] = True
    assert score_mask(np.ones((3, 4), bool), speck).edge_error_px == 5


def test_every_score_says_what_it_is() -> None:
    for name, score in SCORES.items():
        assert score.label and score.meaning.endswith("."), name
        assert format(0.5, score.format)
    less = [name for name, score in SCORES.items() if score.less_is_better]
    assert less == ["edge_error_px", "false_positives", "false_negatives", "hausdorff95_px"]
