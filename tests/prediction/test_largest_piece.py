import numpy as np

from car_segmentation.prediction.largest_piece import keep_largest_piece


def test_smaller_pieces_are_forgotten_with_their_soft_edges() -> None:
    probability = np.zeros((40, 60), np.float32)
    probability[5:30, 5:30] = 0.9
    probability[10:20, 40:50] = 0.8
    probability[8:22, 38:52] = np.maximum(probability[8:22, 38:52], 0.4)
    kept = keep_largest_piece(probability, 0.5)
    assert not kept[:, 33:].any()
    assert np.array_equal(kept[:, :33], probability[:, :33])


def test_a_piece_that_touches_at_a_corner_is_no_other() -> None:
    probability = np.zeros((20, 20), np.float32)
    probability[2:8, 2:8] = probability[8:14, 8:14] = 0.7
    assert keep_largest_piece(probability, 0.5) is probability


def test_the_largest_keeps_its_own_soft_edge_beside_another() -> None:
    probability = np.full((20, 40), 0.1, np.float32)
    probability[:, :20] = 0.9
    probability[8:12, 22:26] = 0.9
    kept = keep_largest_piece(probability, 0.5)
    assert np.array_equal(kept[:, :20], probability[:, :20])
    assert (kept[:, 20:22] == np.float32(0.1)).all()
    assert not kept[8:12, 22:26].any()


def test_nothing_stays_nothing() -> None:
    nothing = np.zeros((5, 5), np.float32)
    assert keep_largest_piece(nothing, 0.5) is nothing
