"""How fast models predict on this processor, whichever processor they were trained on.

    python benchmarks/prediction.py PHOTOS MODEL [MODEL …]

PHOTOS is a folder of photos. A photo's time is that from its file to the mask at native size, in
batches of 4; the fastest of three passes counts. Each model computes in its own precision (float32
where that is bfloat16 and slow) and with `prediction.precision: auto`; of the latter's masks, the
pixels that differ are counted. ONEDNN_MAX_CPU_ISA=AVX2, before the command, holds a newer processor
to AVX2.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from car_segmentation.core.console import suppress_native_stderr
from car_segmentation.data.images import read_photo

BATCH = 4
PASSES = 3


def main() -> None:
    """Print seconds a photo of each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--number", type=int, default=64, help="of photos")
    arguments = parser.parse_args()
    photos = sorted(arguments.photos.glob("*.jpg"))[: arguments.number]
    if not photos:
        sys.exit(f"Skipped: there are no photos in {arguments.photos}.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with suppress_native_stderr():
        import numpy as np

        from car_segmentation.networks.model_file import read_model
        from car_segmentation.networks.precision import computes_in_half
        from car_segmentation.parameters import PredictionOptions
        from car_segmentation.prediction.segmenter import Segmenter

    for path in arguments.models:
        model = read_model(path)
        segmenters = {
            name: Segmenter.from_options(
                model, PredictionOptions(precision=precision, batch_size=BATCH)
            )
            for name, precision in (("own", None), ("auto", "auto"))
        }
        computed = {
            name: "bfloat16" if computes_in_half(segmenter.predictor) else "float32"
            for name, segmenter in segmenters.items()
        }
        if computed["own"] == computed["auto"]:
            del segmenters["auto"]
        seconds: dict[str, list[float]] = {name: [] for name in segmenters}
        masks: dict[str, list[np.ndarray]] = {}
        for _ in range(PASSES):
            for name, segmenter in segmenters.items():
                start = time.perf_counter()
                maps = segmenter.probabilities(read_photo(photo) for photo in photos)
                masks[name] = [np.packbits(map_ >= segmenter.threshold) for map_ in maps]
                seconds[name].append((time.perf_counter() - start) / len(photos))
        for name in segmenters:
            fastest = min(seconds[name])
            print(f"{path}, {name}: {fastest:.4f} s a photo, in {computed[name]}", flush=True)
        if "auto" in segmenters:
            pairs = zip(masks["own"], masks["auto"], strict=True)
            differ = [1e6 * np.unpackbits(one ^ two).mean() for one, two in pairs]
            print(
                f"pixels of a million that differ: {np.mean(differ):.0f} in the mean, "
                f"{max(differ):.0f} in the worst photo"
            )


if __name__ == "__main__":
    main()
