"""The whole function as one MLflow model: the bytes of a photo in, the PNG of its mask out.

MLflow keeps this file beside the network and runs it where the model is loaded ("models from
code"): nothing is pickled, and none of the project's modules may be imported here but those that
are kept beside it (`serving.packaging.CODE_FILES`). The rest is a copy, on purpose, of what
`prediction.segmenter` does, and a test compares the two.
"""

import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

import cv2
import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel

if TYPE_CHECKING:
    from car_segmentation.core.processor import multiplies_bfloat16
    from car_segmentation.data.image_files import Limits, UnusableImage, open_image
    from car_segmentation.networks.folding import fold_batch_norm
    from car_segmentation.networks.precision import computes_in_half, in_float32
else:
    try:  # The copies that are kept beside this file.
        from folding import fold_batch_norm
        from image_files import Limits, UnusableImage, open_image
        from precision import computes_in_half, in_float32
        from processor import multiplies_bfloat16
    except ImportError:  # While it is saved.
        from car_segmentation.core.processor import multiplies_bfloat16
        from car_segmentation.data.image_files import Limits, UnusableImage, open_image
        from car_segmentation.networks.folding import fold_batch_norm
        from car_segmentation.networks.precision import computes_in_half, in_float32

MAX_PHOTOS = 16
"""Photos in one request."""
PHOTOS_AT_ONCE = 2
"""Photos in memory at native size, however many requests there are: one for the network, and one
that is decoded or encoded meanwhile."""


class Refused(Exception):
    """A photo that cannot be answered with a mask; the message is the reason."""


class MaskModel(PythonModel):
    """Photo bytes → decode, resize by area, network, enlarge, cut at the threshold → PNG.

    ``model_config`` holds ``threshold`` (probability from which a pixel is car),
    ``max_megapixels`` (of a photo), ``max_megabytes`` (of its file) and ``layers`` (modules beside
    this one that register the network's own layers).
    """

    def load_context(self, context: Any) -> None:
        """Load the network, and run it once: the first run compiles."""
        import keras

        config = context.model_config
        self._threshold = float(config["threshold"])
        self._max_megapixels = float(config["max_megapixels"])
        self._max_megabytes = float(config["max_megabytes"])
        for module in config["layers"]:
            import_module(module)
        network = context.artifacts["network"]
        network = keras.saving.load_model(network, compile=False, safe_mode=True)
        slow = computes_in_half(network) and not multiplies_bfloat16()
        self._network = fold_batch_norm(in_float32(network) if slow else network)
        self._size = self._network.input_shape[1:3]
        self._places = threading.BoundedSemaphore(PHOTOS_AT_ONCE)
        self._network_is_free = threading.Lock()
        self._probability(np.zeros((*self._size, 3), np.uint8))

    # MLflow remarks on every type hint but a table's, and on none.
    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Answer each photo, in order.

        Args:
            context: MLflow's; not needed.
            model_input: Column ``photo``: the bytes of an image file in each row.
            params: None is known.

        Returns:
            ``mask`` (the bytes of a PNG, 8 bits, 0 or 255 on the car, at the photo's native size,
            upright), ``height`` and ``width`` (pixels), ``foreground_share`` (0 to 1).

        Raises:
            MlflowException: If a photo is refused, which MLflow's server answers with status 400.
        """
        if not isinstance(model_input, pd.DataFrame) or "photo" not in model_input:
            raise _bad_request("a request needs a column photo, with base64 of an image in it")
        photos = model_input["photo"].tolist()
        if not 1 <= len(photos) <= MAX_PHOTOS:
            raise _bad_request(f"a request takes 1 to {MAX_PHOTOS} photos, not {len(photos)}")
        return pd.DataFrame([self._answer(row, content) for row, content in enumerate(photos)])

    def _answer(self, row: int, content: Any) -> dict[str, Any]:
        try:
            with self._places:
                return self._mask_of(content)
        except Refused as reason:
            raise _bad_request(f"photo {row} {reason}") from None
        except Exception as error:  # A server tells no client how it is made.
            print(f"photo {row}: {error!r}", file=sys.stderr)  # noqa: T201
            raise _bad_request(f"photo {row} cannot be read") from None

    def _mask_of(self, content: Any) -> dict[str, Any]:
        photo = self._read(content)
        height, width = photo.shape[:2]
        probability = self._probability(
            cv2.resize(photo, self._size[::-1], interpolation=cv2.INTER_AREA)
        )
        native = cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)
        mask = native >= self._threshold
        _, png = cv2.imencode(".png", mask.view(np.uint8) * np.uint8(255))
        return {
            "mask": png.tobytes(),
            "height": height,
            "width": width,
            "foreground_share": np.count_nonzero(mask) / mask.size,
        }

    def _probability(self, photo: np.ndarray) -> np.ndarray:
        """The network's answer, float32 (height, width), with the 16 bits that scores have."""
        with self._network_is_free:
            answer = np.asarray(self._network.predict_on_batch(photo[np.newaxis]))
        return answer[0, ..., 0].astype(np.float16).astype(np.float32)

    def _read(self, content: Any) -> np.ndarray:
        """Decode a photo to uint8 sRGB (height, width, 3), upright; nothing before its checks."""
        if not isinstance(content, bytes):
            raise Refused("is not bytes")
        if not content:
            raise Refused("is empty or not base64")
        try:
            return open_image(content, Limits(self._max_megapixels, self._max_megabytes)).rgb()
        except UnusableImage as problem:
            raise Refused(str(problem)) from None


def _bad_request(reason: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(f"{reason[0].upper()}{reason[1:]}.")


if not __package__:  # MLflow runs this file; the project imports it.
    mlflow.models.set_model(MaskModel())
