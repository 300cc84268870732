"""The part of `peers.py` that runs in PyTorch's environment: one network, one kind of work.

It takes a job as JSON, prints the result as JSON, and imports nothing of this project.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

SMP_SIZE = (960, 640)
"""Width and height for segmentation_models.pytorch, which has no default; multiples of 32."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue, 0 to 1, as torchvision's encoders want photos normalised."""


class Peer(Protocol):
    """A network with the training and the prediction that its authors give it."""

    network: torch.nn.Module
    what: str

    def step_times(self, photos: list[Path], steps: int) -> list[float]:
        """Seconds of so many training steps after the first."""

    def mask(self, photo: Image.Image) -> np.ndarray:
        """The mask of a photo at its native size."""


def main() -> None:
    """Do a job, and print its seconds."""
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    peer = Milesial(job["milesial"]) if job["peer"] == "milesial" else Smp(job["peer"])
    photos = [Path(photo) for photo in job["photos"]]
    if job["work"] == "training":
        seconds = statistics.median(peer.step_times(photos, job["steps"]))
    else:
        seconds = seconds_per_mask(peer, photos)
    result = {
        "what": peer.what,
        "parameters": sum(part.numel() for part in peer.network.parameters()),
        "photos": 1,
        "seconds": seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    print(json.dumps(result))


class Milesial:
    """milesial/Pytorch-UNet: its own `train_model` and `predict_img`, without options."""

    what = "1 × 959×640, float32, RMSprop, cross-entropy + Dice"

    def __init__(self, clone: str) -> None:
        sys.path.insert(0, clone)
        from unet import UNet

        self.network = UNet(n_channels=3, n_classes=2)

    def step_times(self, photos: list[Path], steps: int) -> list[float]:
        """Seconds between what the training logs of its steps; its loader works meanwhile."""
        stopwatch = _Stopwatch(steps)
        wandb: Any = ModuleType("wandb")
        wandb.init = lambda **_: SimpleNamespace(config={}, log=stopwatch)
        wandb.Histogram = wandb.Image = lambda *_: None
        sys.modules["wandb"] = wandb
        import train

        with TemporaryDirectory() as folder:
            train.dir_img, train.dir_mask = Path(folder, "imgs"), Path(folder, "masks")
            for target in (train.dir_img, train.dir_mask):
                target.mkdir()
            for photo in photos:
                (train.dir_img / photo.name).symlink_to(photo)
                (train.dir_mask / _mask_of(photo).name).symlink_to(_mask_of(photo))
            network = self.network.to(memory_format=torch.channels_last)  # As train.py has it.
            with suppress(_EnoughStepsError):
                train.train_model(network, torch.device("cpu"), save_checkpoint=False)
        return stopwatch.times()

    def mask(self, photo: Image.Image) -> np.ndarray:
        """See `Peer`."""
        from predict import predict_img

        return predict_img(self.network, photo, torch.device("cpu"), scale_factor=0.5)


class _EnoughStepsError(Exception):
    pass


class _Stopwatch:
    """Stands where the training logs to Weights & Biases; ends it after enough steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.moments: list[float] = []

    def __call__(self, logged: dict[str, Any]) -> None:
        if "train loss" not in logged:
            return
        self.moments.append(time.perf_counter())
        if len(self.moments) == self.steps + 1:
            raise _EnoughStepsError

    def times(self) -> list[float]:
        return np.diff(self.moments).tolist()


class Smp:
    """U-Net of segmentation_models.pytorch, with loss and optimiser of its binary example."""

    what = f"1 × {SMP_SIZE[0]}×{SMP_SIZE[1]}, float32, Adam, Dice"

    def __init__(self, encoder: str) -> None:
        import segmentation_models_pytorch as smp

        # As fast as with ImageNet's weights, which would have to be downloaded.
        self.network = smp.Unet(encoder, encoder_weights=None)
        self.loss = smp.losses.DiceLoss(smp.losses.BINARY_MODE, from_logits=True)

    def step_times(self, photos: list[Path], steps: int) -> list[float]:
        """Of steps alone: photos are in memory."""
        self.network.train()
        optimizer = torch.optim.Adam(self.network.parameters(), lr=2e-4)
        chosen = [photos[step % len(photos)] for step in range(steps + 1)]
        pairs = {photo: self._pair(photo) for photo in set(chosen)}

        def step(photo: Path) -> None:
            pixels, truth = pairs[photo]
            loss = self.loss(self.network(pixels), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return [_timed(lambda photo=photo: step(photo)) for photo in chosen][1:]

    def mask(self, photo: Image.Image) -> np.ndarray:
        """See `Peer`."""
        scores = self.network.predict(self._pixels(photo))
        native = functional.interpolate(scores, (photo.height, photo.width), mode="bilinear")
        return (native[0, 0] > 0).numpy()

    def _pair(self, photo: Path) -> tuple[torch.Tensor, torch.Tensor]:
        mask = Image.open(_mask_of(photo)).resize(SMP_SIZE, Image.Resampling.NEAREST)
        truth = np.asarray(mask)[np.newaxis, np.newaxis] > 0
        return self._pixels(Image.open(photo)), torch.as_tensor(truth).float()

    def _pixels(self, photo: Image.Image) -> torch.Tensor:
        resized = np.asarray(photo.resize(SMP_SIZE, Image.Resampling.BILINEAR)) / 255
        normalised = (resized - IMAGENET_MEAN) / IMAGENET_STD
        return torch.as_tensor(normalised.transpose(2, 0, 1)[np.newaxis]).float()


def seconds_per_mask(peer: Peer, photos: list[Path]) -> float:
    """Mean seconds from a photo's file to its mask, after a first one."""
    peer.mask(Image.open(photos[0]))
    return _timed(lambda: [peer.mask(Image.open(photo)) for photo in photos]) / len(photos)


def _mask_of(photo: Path) -> Path:
    return photo.parents[1] / "train_masks" / f"{photo.stem}_mask.gif"


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
