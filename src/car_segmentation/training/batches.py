"""Batches of photos and masks, read from image stacks and augmented on the way."""

import hashlib
import math
from collections.abc import Generator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from car_segmentation.core.parallel import map_bounded
from car_segmentation.data.augmentation import Augmentation, draw_generator
from car_segmentation.data.image_stack import ImageStack
from car_segmentation.parameters import Stage
from car_segmentation.training.stages import apply_stage, stage_of

MASK_LEVELS = np.float32(255)

PHOTOS_IN_FINGERPRINT = 64
"""Photos whose pixels stand for all of them: reading all would take as long as an epoch's."""


class Batch(NamedTuple):
    """Input of one step; in one of several processes, the process's part of it.

    Attributes:
        photos: uint8 (batch, height, width, 3).
        masks: Soft, 0 to 1, float32 (batch, height, width, 1); with a second channel, how much of
            each pixel weighs nothing, where masks have pixels that are ignored.
        weights: float32 (batch,), of mean 1: the weight of photos that fill up a batch is 0. None
            where all photos count alike.
        size: How many photos count, in all processes together.
    """

    photos: Any
    masks: Any
    weights: Any
    size: int


class PhotoBatches:
    """The batches of each epoch of a training, or of each validation.

    With an augmentation the order of photos and the warp of each are drawn again every epoch,
    from seed, epoch and photo alone: the same whatever the number of workers. Without one,
    photos come as they are, in order. An epoch may be shorter than all photos: then each takes
    the first of its own order. Epochs may belong to stages that show photos in another size
    (`set_stages`).

    Several devices can share the batches (`shard`). Then each batch is a multiple of them: the
    photos that are too many for that are left out of an epoch with an augmentation; without one,
    the last batch is filled up with photos of weight 0.

    Args:
        photos: All photos.
        masks: Their masks.
        photo_ids: Those to give, in this order.
        batch_size: Photos in a batch; the last batch of an epoch may have fewer.
        augmentation: How they are varied; None leaves them as they are.
        seed: Decides about order and variation.
        photos_per_epoch: None for all.
        workers: Threads that make batches ahead, two each.
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
        self.photos = photos
        self.masks = masks
        self.photo_rows = photos.rows_of(photo_ids)
        self.mask_rows = masks.rows_of(photo_ids)
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.seed = seed
        self.photos_per_epoch = min(photos_per_epoch or len(photo_ids), len(photo_ids))
        self.workers = workers
        self.devices = 1
        self.process, self.processes = 0, 1
        self.stages: Sequence[Stage] = ()
        self.epochs = 1

    def shard(self, devices: int, process: int = 0, processes: int = 1) -> None:
        """Have several devices share each batch.

        Args:
            devices: How many. The batch size is a multiple.
            process: Which of the processes that drive them this is, from 0: it gets its part alone.
            processes: How many they are; each drives as many devices.
        """
        self.devices, self.process, self.processes = devices, process, processes

    def set_stages(self, stages: Sequence[Stage], epochs: int) -> None:
        """Show photos as the stages say, of a number of epochs; only with an augmentation."""
        self.stages, self.epochs = stages, epochs

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return math.ceil(self._photos_shared() / self.batch_size)

    def epoch(self, epoch: int = 0, start: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch.

        Args:
            epoch: From 0.
            start: The number of the first batch to give, from 0.
        """
        make = partial(self._make, epoch, self._draw_order(epoch))
        return map_bounded(make, range(start, len(self)), 2 * self.workers, self.workers)

    def size_in(self, epoch: int) -> tuple[int, int]:
        """Height and width in pixels of the photos that an epoch shows."""
        stage = stage_of(self.stages, epoch, self.epochs)
        height, width = self.photos.pixels.shape[1:3]
        return (stage.height, stage.width) if stage else (height, width)

    def fingerprint(self) -> dict[str, Any]:
        """Inputs that determine the batches of all epochs; pixels as a digest of some photos."""
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

    def _photos_shared(self) -> int:
        """Photos in an epoch: a multiple of the devices, fewer than there are, or more."""
        round_to = math.floor if self.augmentation else math.ceil
        return round_to(self.photos_per_epoch / self.devices) * self.devices

    def _draw_order(self, epoch: int) -> np.ndarray:
        photos = len(self.photo_rows)
        if self.augmentation is None:
            return np.resize(np.arange(self.photos_per_epoch), self._photos_shared())
        # No photo has the row after the last: its generator is free for the order.
        order = draw_generator(self.seed, epoch, photos).permutation(photos)
        return order[: self._photos_shared()]

    def _make(self, epoch: int, order: np.ndarray, batch: int) -> Batch:
        first = batch * self.batch_size
        numbers = np.arange(first, min(first + self.batch_size, len(order)))
        counting = numbers < self.photos_per_epoch
        weights = len(numbers) / counting.sum() * counting.astype(np.float32)
        share = len(numbers) // self.processes
        part = slice(self.process * share, (self.process + 1) * share)
        pairs = [self._pair(position, epoch) for position in order[numbers[part]]]
        photos = np.stack([photo for photo, _ in pairs])
        masks = np.stack([mask for _, mask in pairs])
        if masks.ndim == 3:
            masks = masks[..., np.newaxis]
        return Batch(
            photos,
            masks / MASK_LEVELS,
            weights[part] if self.devices > 1 and self.augmentation is None else None,
            int(counting.sum()),
        )

    def _pair(self, position: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        photo = self.photos.pixels[self.photo_rows[position]]
        mask = self.masks.pixels[self.mask_rows[position]]
        if self.augmentation is None:
            return photo, mask
        rng = draw_generator(self.seed, epoch, position)
        stage = stage_of(self.stages, epoch, self.epochs)
        return apply_stage(stage, photo, mask, self.augmentation, rng)
