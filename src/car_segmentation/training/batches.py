"""Batches of photos and masks for Keras, read from image stacks and augmented on the way."""

import hashlib
import math
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from car_segmentation.data.augmentation import Augmentation, draw_generator
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.parameters import Stage
from car_segmentation.training.stages import apply_stage, stage_of

MASK_LEVELS = np.float32(255)

PHOTOS_IN_FINGERPRINT = 64
"""Photos whose pixels stand for all of them: reading all would take as long as an epoch's."""


Batch = tuple[np.ndarray, ...]


class PhotoBatches(keras.utils.PyDataset):
    """Photos (batch, height, width, 3) uint8 with soft masks (batch, height, width, 1) float32.

    With an augmentation the order of photos and the warp of each are drawn afresh every epoch,
    from seed, epoch and photo alone: the same whatever the number of workers. Without one,
    photos come as they are, in order. An epoch may be shorter than all photos: then each takes
    the first of its own order. Epochs may belong to stages that show photos in another size
    (`set_stages`).

    Several devices can share the batches (`shard`). Then each batch is a multiple of them: the
    photos that are too many for that are left out of an epoch with an augmentation; without one,
    the last batch is filled up with photos that weigh nothing, and a batch has weights, (batch,)
    float32, whose mean over all batches is 1.

    Batches are made ahead by threads of our own, until `close`: those that Keras starts for
    ``workers`` carry batches over from one epoch to the next on JAX (Keras 3.15).
    """

    def __init__(
        self,
        photos: ImageStack,
        masks: ImageStack,
        photo_ids: list[str],
        batch_size: int,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        photos_per_epoch: int | None = None,
        workers: int = 1,
    ) -> None:
        super().__init__()
        self.photos = photos
        self.masks = masks
        self.photo_rows = photos.rows_of(photo_ids)
        self.mask_rows = masks.rows_of(photo_ids)
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.seed = seed
        self.photos_per_epoch = photos_per_epoch or len(photo_ids)
        self.threads = workers
        self.devices = 1
        self.process, self.processes = 0, 1
        self.stages: Sequence[Stage] = ()
        self.epochs = 1
        self._pool: ThreadPoolExecutor | None = None
        self._ahead: dict[int, Future[Batch]] = {}
        self._lock = threading.Lock()
        self.begin_epoch(0)

    def shard(self, devices: int, process: int = 0, processes: int = 1) -> None:
        """Have several devices share the batches from now on.

        Args:
            devices: How many. The batch size is a multiple.
            process: Which of the processes that drive them this is, from 0: it gets its part alone.
            processes: How many they are; each drives as many devices.
        """
        self.devices, self.process, self.processes = devices, process, processes
        self.begin_epoch(self.epoch, self.done)

    def set_stages(self, stages: Sequence[Stage], epochs: int) -> None:
        """Show photos as stages of so many epochs do, from now on; only with an augmentation."""
        self.stages, self.epochs = stages, epochs
        self.begin_epoch(self.epoch, self.done)

    def begin_epoch(self, epoch: int, done: int = 0) -> None:
        """Give the batches of an epoch from now on, without the first ones that are done.

        Args:
            epoch: From 0.
            done: How many of its batches to leave out.
        """
        order = _to_multiple(self._draw_order(epoch), self.devices, self.augmentation is None)
        with self._lock:
            self.epoch, self.done, self.order = epoch, done, order
            for unused in self._ahead.values():
                unused.cancel()
            self._ahead.clear()
            if self._pool is None and self.threads > 1:
                self._pool = ThreadPoolExecutor(self.threads, "photo_batches")

    def close(self) -> None:
        """End the threads, until an epoch is begun."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._ahead.clear()
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    @property
    def shown_size(self) -> tuple[int, int]:
        """Height and width of what this epoch shows."""
        stage = stage_of(self.stages, self.epoch, self.epochs)
        height, width = self.photos.pixels.shape[1:3]
        return (stage.height, stage.width) if stage else (height, width)

    @property
    def batches_per_epoch(self) -> int:
        """How many batches a whole epoch has."""
        return math.ceil(len(self.order) / self.batch_size)

    def __len__(self) -> int:
        return self.batches_per_epoch - self.done

    def __getitem__(self, batch: int) -> Batch:
        with self._lock:
            state = self.epoch, self.done, self.order
            made = self._made_ahead(batch, self._pool, *state) if self._pool else None
        return made.result() if made else self._make(batch, *state)

    def _made_ahead(self, batch: int, pool: ThreadPoolExecutor, *state: Any) -> Future[Batch]:
        """A batch, and have the threads make the next ones while it is used."""
        for number in (batch, *range(batch + 1, min(batch + 2 * self.threads, len(self)))):
            if number not in self._ahead:
                self._ahead[number] = pool.submit(self._make, number, *state)
        return self._ahead.pop(batch)

    def _make(self, batch: int, epoch: int, done: int, order: np.ndarray) -> Batch:
        first = (batch + done) * self.batch_size
        numbers = np.arange(first, min(first + self.batch_size, len(order)))
        share = len(numbers) // self.processes
        numbers = numbers[self.process * share : (self.process + 1) * share]
        pairs = [self._pair(position, epoch) for position in order[numbers]]
        photos = np.stack([photo for photo, _ in pairs])
        masks = np.stack([mask for _, mask in pairs])
        soft = (masks / MASK_LEVELS)[..., np.newaxis]
        if self.devices == 1 or self.augmentation is not None:
            return photos, soft
        real = min(self.photos_per_epoch, len(self.photo_rows))
        weights = np.where(numbers < real, len(order) / real, 0)
        return photos, soft, weights.astype(np.float32)

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's order and warps."""
        self.begin_epoch(self.epoch + 1)

    def fingerprint(self) -> dict[str, Any]:
        """What decides about all batches of all epochs; pixels as a digest of some photos."""
        digest = hashlib.sha256()
        step = math.ceil(len(self.photo_rows) / PHOTOS_IN_FINGERPRINT)
        for position in range(0, len(self.photo_rows), step):
            digest.update(self.photos.pixels[self.photo_rows[position]].tobytes())
            digest.update(self.masks.pixels[self.mask_rows[position]].tobytes())
        ids = [self.photos.ids[row] for row in self.photo_rows]
        return {
            "photos": ids,
            "masks": {photo_id: dict(self.masks.notes.get(photo_id, {})) for photo_id in ids},
            "pixels": digest.hexdigest(),
            "batch_size": self.batch_size,
            "photos_per_epoch": self.photos_per_epoch,
            "augmentation": asdict(self.augmentation) if self.augmentation else None,
            "seed": self.seed,
        }

    def _draw_order(self, epoch: int) -> np.ndarray:
        photos = len(self.photo_rows)
        if self.augmentation is None:
            return np.arange(photos)[: self.photos_per_epoch]
        # No photo has the row after the last: its generator is free for the order.
        order = draw_generator(self.seed, epoch, photos).permutation(photos)
        return order[: self.photos_per_epoch]

    def _pair(self, position: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        photo = self.photos.pixels[self.photo_rows[position]]
        mask = self.masks.pixels[self.mask_rows[position]]
        if self.augmentation is None:
            return photo, mask
        rng = draw_generator(self.seed, epoch, position)
        stage = stage_of(self.stages, epoch, self.epochs)
        return apply_stage(stage, photo, mask, self.augmentation, rng)


def _to_multiple(order: np.ndarray, devices: int, fill_up: bool) -> np.ndarray:
    """As many photos as devices can share, or, where some would be left over, a few more."""
    if fill_up:
        return np.resize(order, math.ceil(len(order) / devices) * devices)
    return order[: len(order) // devices * devices]
