import threading

import numpy as np
import pytest

from car_segmentation.data.augmentation import Augmentation
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.parameters import Stage
from car_segmentation.training.batches import PhotoBatches

IDS = tuple("abcdefg")
PHOTOS = ImageStack(
    IDS, np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1) * np.ones((7, 8, 8, 3), np.uint8)
)
MASKS = ImageStack(IDS[::-1], np.full((7, 8, 8), 51, np.uint8))
VARIED = Augmentation(shift=0.2, scale=0.2, probability=1.0, flip_probability=0.5)


def test_without_augmentation_photos_come_as_they_are_in_order() -> None:
    batches = PhotoBatches(PHOTOS, MASKS, list("cdefg"), batch_size=2)
    assert len(batches) == 3
    photos, masks = batches[0]
    assert photos.shape == (2, 8, 8, 3) and photos.dtype == np.uint8
    assert masks.shape == (2, 8, 8, 1) and masks.dtype == np.float32
    assert [batch[0].max() for batch in (batches[0], batches[1], batches[2])] == [3, 5, 6]
    assert len(batches[2][0]) == 1
    assert np.unique(masks) == pytest.approx([0.2])


def test_every_photo_once_an_epoch_in_a_new_order() -> None:
    batches = PhotoBatches(PHOTOS, MASKS, list(IDS), 2, Augmentation(), seed=1)
    orders = []
    for _ in range(3):
        order = [photo.max() for i in range(len(batches)) for photo in batches[i][0]]
        assert sorted(order) == list(range(7))
        orders.append(tuple(order))
        batches.on_epoch_end()
    assert len(set(orders)) == 3


def test_the_same_seed_gives_the_same_batches_in_any_order_of_reading() -> None:
    rng = np.random.default_rng(0)
    photos = ImageStack(IDS, rng.integers(0, 256, (7, 16, 16, 3)).astype(np.uint8))
    masks = ImageStack(IDS, rng.integers(0, 256, (7, 16, 16)).astype(np.uint8))
    one, other = (PhotoBatches(photos, masks, list(IDS), 3, VARIED, seed=5) for _ in range(2))
    forwards = [one[i] for i in range(3)]
    backwards = [other[i] for i in (2, 1, 0)][::-1]
    for (photos_1, masks_1), (photos_2, masks_2) in zip(forwards, backwards, strict=True):
        assert np.array_equal(photos_1, photos_2)
        assert np.array_equal(masks_1, masks_2)
    one.on_epoch_end()
    assert not all(np.array_equal(one[i][0], forwards[i][0]) for i in range(3))


def test_an_epoch_may_be_a_part_of_all_photos() -> None:
    ids = [str(number) for number in range(5)]
    photos = ImageStack(tuple(ids), np.arange(5, dtype=np.uint8).repeat(12).reshape(5, 2, 2, 3))
    masks = ImageStack(tuple(ids), np.zeros((5, 2, 2), np.uint8))
    still = Augmentation(shift=0, scale=0, probability=0)
    batches = PhotoBatches(photos, masks, ids, 2, still, seed=3, photos_per_epoch=3)
    seen = []
    for _ in range(6):
        assert len(batches) == 2
        seen.append([int(photo.max()) for batch in range(2) for photo in batches[batch][0]])
        batches.on_epoch_end()
    assert all(len(set(epoch)) == 3 for epoch in seen)
    assert {photo for epoch in seen for photo in epoch} == set(range(5))


def test_an_epoch_can_be_begun_in_its_middle() -> None:
    batches = PhotoBatches(PHOTOS, MASKS, list(IDS), 2, VARIED, seed=5)
    batches.begin_epoch(3)
    whole = [batches[number] for number in range(len(batches))]
    other = PhotoBatches(PHOTOS, MASKS, list(IDS), 2, VARIED, seed=5)
    other.begin_epoch(3, done=2)
    assert (len(whole), len(other)) == (4, 2)
    for number in range(len(other)):
        for one, expected in zip(other[number], whole[number + 2], strict=True):
            assert np.array_equal(one, expected)
    other.on_epoch_end()
    assert (other.epoch, len(other)) == (4, len(whole))


@pytest.mark.parametrize("workers", [1, 2])
def test_stages_show_photos_in_other_sizes(workers: int) -> None:
    photos = ImageStack(IDS, np.zeros((7, 32, 32, 3), np.uint8))
    masks = ImageStack(IDS, np.zeros((7, 32, 32), np.uint8))
    batches = PhotoBatches(photos, masks, list(IDS), 2, VARIED, seed=5, workers=workers)
    stages = (
        Stage(end_fraction=0.5, mode="resize", height=16, width=24),
        Stage(end_fraction=0.75, mode="crop", height=24, width=16),
    )
    batches.set_stages(stages, epochs=4)
    sizes = []
    for _ in range(4):
        sizes.append(batches.shown_size)
        shown = [batches[number] for number in range(len(batches))]
        assert {photos.shape[1:3] for photos, _ in shown} == {batches.shown_size}
        assert {masks.shape[1:3] for _, masks in shown} == {batches.shown_size}
        batches.on_epoch_end()
    batches.close()
    assert sizes == [(16, 24), (16, 24), (24, 16), (32, 32)]


def test_devices_share_all_but_the_photos_that_are_too_many() -> None:
    whole = PhotoBatches(PHOTOS, MASKS, list(IDS), 4, VARIED, seed=5)
    shared = PhotoBatches(PHOTOS, MASKS, list(IDS), 4, VARIED, seed=5)
    shared.shard(2)
    assert [len(shared[number][0]) for number in range(len(shared))] == [4, 2]
    assert np.array_equal(shared[0][0], whole[0][0])
    assert np.array_equal(shared[1][0], whole[1][0][:2])


def test_processes_get_parts_that_make_the_whole_batch() -> None:
    whole = PhotoBatches(PHOTOS, MASKS, list(IDS), 4, VARIED, seed=5)
    parts = []
    for process in range(2):
        part = PhotoBatches(PHOTOS, MASKS, list(IDS), 4, VARIED, seed=5, workers=2)
        part.shard(2, process, 2)
        parts.append(part)
    for number, size in ((0, 4), (1, 2)):
        for position in (0, 1):
            together = np.concatenate([part[number][position] for part in parts])
            assert np.array_equal(together, whole[number][position][:size])


def test_a_weighted_mean_over_shared_batches_is_that_of_all_photos() -> None:
    """Seven photos for four devices: the eighth weighs nothing."""
    batches = PhotoBatches(PHOTOS, MASKS, list(IDS), 4)
    batches.shard(4)
    given = [batches[number] for number in range(len(batches))]
    assert [len(batch[0]) for batch in given] == [4, 4]
    brightness = np.concatenate([batch[0].mean((1, 2, 3)) for batch in given])
    weights = np.concatenate([batch[2] for batch in given])
    assert weights == pytest.approx([8 / 7] * 7 + [0])
    assert (brightness * weights).mean() == pytest.approx(np.arange(7).mean())


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_threads_that_work_ahead_change_nothing(workers: int) -> None:
    plain = PhotoBatches(PHOTOS, MASKS, list(IDS), 2, VARIED, seed=5)
    ahead = PhotoBatches(PHOTOS, MASKS, list(IDS), 2, VARIED, seed=5, workers=workers)
    before = set(threading.enumerate())
    for epoch, done in ((0, 0), (1, 2), (0, 0)):
        plain.begin_epoch(epoch, done)
        ahead.begin_epoch(epoch, done)
        # An epoch that is left in its middle leaves nothing behind.
        for number in (0, *range(len(plain) - epoch)):
            assert np.array_equal(ahead[number][0], plain[number][0])
    ahead.close()
    assert set(threading.enumerate()) <= before
    assert np.array_equal(ahead[0][0], plain[0][0])


def test_threads_are_no_more_batches_ahead_than_two_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of seven batches the first is asked for, and no other ever."""
    made = []
    batches = PhotoBatches(PHOTOS, MASKS, list(IDS), 1, workers=2)
    make = batches._make
    monkeypatch.setattr(batches, "_make", lambda *args: made.append(args[0]) or make(*args))
    batches[0]
    batches._pool.shutdown()
    assert sorted(made) == [0, 1, 2, 3]
