"""Start Keras without its chatter."""

import sys

from car_segmentation.core.console import suppress_native_stderr


def start_keras() -> None:
    """Import Keras, and have it look for GPUs: what it writes meanwhile is kept off the console."""
    if "keras" in sys.modules:  # Other threads may write to the console by now.
        return
    with suppress_native_stderr():
        import keras

        keras.ops.zeros(())  # The first operation looks for GPUs.
