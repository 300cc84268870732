import keras
import numpy as np
import pytest

from car_segmentation.networks.max_unpooling import MaxPoolingWithPositions, Unpooling


def maps(*rows: list[float]) -> np.ndarray:
    """One map of one photo: (1, height, width, 1)."""
    return np.array(rows, np.float32)[np.newaxis, ..., np.newaxis]


def pool(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    maxima, positions = MaxPoolingWithPositions()(x)
    return keras.ops.convert_to_numpy(maxima), keras.ops.convert_to_numpy(positions)


def unpool(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(Unpooling()([values, positions]))


def test_maxima_go_back_to_where_they_were() -> None:
    maxima, positions = pool(
        maps(
            [1, 2, 0, -1],
            [4, 3, 5, -2],
            [-4, -3, 7, 6],
            [-1, -2, 0, 8],
        )
    )
    np.testing.assert_array_equal(maxima, maps([4, 5], [-1, 8]))
    np.testing.assert_array_equal(positions, maps([2, 2], [2, 3]))
    expected = maps(
        [0, 0, 0, 0],
        [10, 0, 20, 0],
        [0, 0, 0, 0],
        [30, 0, 0, 40],
    )
    np.testing.assert_array_equal(unpool(maps([10, 20], [30, 40]), positions), expected)


@pytest.mark.parametrize(
    ("window", "position"),
    [
        (([5, 5], [5, 5]), 0),
        (([0, 5], [5, 5]), 1),
        (([0, 1], [5, 5]), 2),
        (([5, 0], [0, 5]), 0),
        (([0, 0], [0, 0]), 0),  # What ReLU leaves most.
        (([-1, -1], [-1, 0]), 3),
    ],
)
def test_among_equal_maxima_the_first_wins(
    window: tuple[list[float], list[float]], position: int
) -> None:
    _, positions = pool(maps(*window))
    assert positions.item() == position


def test_channels_and_photos_keep_apart() -> None:
    x = np.random.default_rng(0).integers(0, 4, (3, 6, 4, 5)).astype(np.float32)
    maxima, positions = pool(x)
    assert maxima.shape == positions.shape == (3, 3, 2, 5)
    assert positions.dtype == np.uint8
    windows = x.reshape(3, 3, 2, 2, 2, 5).transpose(0, 1, 3, 5, 2, 4).reshape(3, 3, 2, 5, 4)
    np.testing.assert_array_equal(positions, windows.argmax(axis=-1))
    unpooled = unpool(maxima, positions)
    np.testing.assert_array_equal(unpooled, np.where(unpooled, x, 0))
    np.testing.assert_array_equal(pool(unpooled)[0], maxima)


def test_windows_must_fit() -> None:
    with pytest.raises(ValueError, match="even, not 3 and 4"):
        MaxPoolingWithPositions()(np.zeros((1, 3, 4, 1), np.float32))
