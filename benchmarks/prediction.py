"""How fast models predict on this processor, whichever processor they were trained on.

    python benchmarks/prediction.py PHOTOS MODEL [MODEL …]

PHOTOS is a folder of photos. A photo's time is that from its file to the mask at native size, in
batches of 4; the fastest of three passes counts. ONEDNN_MAX_CPU_ISA=AVX2, before the command, holds
a newer processor to AVX2, where models that were trained in bfloat16 compute in float32.
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
        from car_segmentation.networks.model_file import read_model
        from car_segmentation.prediction.segmenter import Segmenter

    for path in arguments.models:
        model = read_model(path)
        segmenter = Segmenter(model, batch_size=BATCH)
        seconds = []
        for _ in range(PASSES):
            start = time.perf_counter()
            for probability in segmenter.probabilities(read_photo(photo) for photo in photos):
                _ = probability >= segmenter.threshold
            seconds.append((time.perf_counter() - start) / len(photos))
        precisions = {layer.compute_dtype for layer in model.layers}
        computed = "bfloat16" if "bfloat16" in precisions else "float32"
        print(f"{path}: {min(seconds):.4f} s a photo, in {computed}", flush=True)


if __name__ == "__main__":
    main()
