"""Batches of photos and masks for Keras, read from image stacks and augmented on the way."""

import hashlib
import math
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from car_segmentation.augmentation import Augmentation, augment_pair, draw_generator
from car_segmentation.stacks import ImageStack

MASK_LEVELS = np.float32(255)

PHOTOS_IN_FINGERPRINT = 64
"""Photos whose pixels stand for all of them: reading all would take as long as an epoch's."""


class PhotoBatches(keras.utils.PyDataset):
    """Photos (batch, height, width, 3) uint8 with soft masks (batch, height, width, 1) float32.

    With an augmentation the order of photos and the warp of each are drawn afresh every epoch,
    from seed, epoch and photo alone: the same whatever the number of workers. Without one,
    photos come as they are, in order. An epoch may be shorter than all photos: then each takes
    the first of its own order.
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
        **workers: Any,
    ) -> None:
        super().__init__(**workers)
        self.photos = photos
        self.masks = masks
        self.photo_rows = photos.rows_of(photo_ids)
        self.mask_rows = masks.rows_of(photo_ids)
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.seed = seed
        self.photos_per_epoch = photos_per_epoch or len(photo_ids)
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int, done: int = 0) -> None:
        """Give the batches of an epoch from now on, without the first ones that are done.

        Args:
            epoch: From 0.
            done: How many of its batches to leave out.
        """
        self.epoch = epoch
        self.done = done
        self.order = self._draw_order()

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.batch_size) - self.done

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        batch += self.done
        chosen = self.order[batch * self.batch_size : (batch + 1) * self.batch_size]
        pairs = [self._pair(position) for position in chosen]
        photos = np.stack([photo for photo, _ in pairs])
        masks = np.stack([mask for _, mask in pairs])
        return photos, (masks / MASK_LEVELS)[..., np.newaxis]

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

    def _draw_order(self) -> np.ndarray:
        photos = len(self.photo_rows)
        if self.augmentation is None:
            return np.arange(photos)[: self.photos_per_epoch]
        # No photo has the row after the last: its generator is free for the order.
        order = draw_generator(self.seed, self.epoch, photos).permutation(photos)
        return order[: self.photos_per_epoch]

    def _pair(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        photo = self.photos.pixels[self.photo_rows[position]]
        mask = self.masks.pixels[self.mask_rows[position]]
        if self.augmentation is None:
            return photo, mask
        rng = draw_generator(self.seed, self.epoch, position)
        return augment_pair(photo, mask, self.augmentation, rng)
