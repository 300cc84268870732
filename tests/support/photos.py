"""Small photos with discs for cars, in memory and on disk."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (48, 64)
"""Height and width of the small photos, in pixels."""


def disc_mask(height: int = SIZE[0], width: int = SIZE[1], radius: float = 15.0) -> np.ndarray:
    """A disc in the middle; bool (height, width)."""
    y, x = np.mgrid[:height, :width]
    return (y - height / 2) ** 2 + (x - width / 2) ** 2 <= radius**2


def photo_of(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """A photo on which the mask's object is dark red and the rest light grey; uint8 RGB."""
    rng = np.random.default_rng(seed)
    photo = np.where(mask[..., np.newaxis], (150, 30, 30), (200, 200, 200))
    return np.clip(photo + rng.normal(0, 6, photo.shape), 0, 255).astype(np.uint8)


def write_pair(
    raw: Path, photo_id: str, mask: np.ndarray | None = None, photo: np.ndarray | None = None
) -> tuple[Path, Path]:
    """Write a photo and its mask in Kaggle's layout; return both paths."""
    mask = disc_mask() if mask is None else mask
    photo = photo_of(mask) if photo is None else photo
    photo_path = raw / "train" / f"{photo_id}.jpg"
    mask_path = raw / "train_masks" / f"{photo_id}_mask.gif"
    for path in (photo_path, mask_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(photo_path, quality=95)
    Image.fromarray(mask.astype(np.uint8) * 255).save(mask_path)
    return photo_path, mask_path


def write_cars(raw: Path, cars: int, views: int = 2) -> None:
    """Write a raw data folder with discs of several sizes, as views of several cars."""
    for car in range(cars):
        for view in range(1, views + 1):
            mask = disc_mask(radius=10 + car + view)
            write_pair(raw, f"{car:012x}_{view:02d}", mask, photo_of(mask, seed=car * 100 + view))


def write_discs(photos: Path, number: int) -> None:
    photos.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        mask = disc_mask(radius=8 + index % 10)
        Image.fromarray(photo_of(mask, seed=index)).save(photos / f"{index:03d}.png")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
