"""Find the batch that fits into a device's memory."""

import logging
from collections.abc import Callable

from car_segmentation.core.errors import UserError

logger = logging.getLogger(__name__)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of any backend says that memory is short."""
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(
        words in text for words in ("resourceexhausted", "resource_exhausted", "out of memory")
    )


def fitting_batch(try_batch: Callable[[int], None], batch_size: int, multiple: int = 1) -> int:
    """Halve a batch until a step with it fits into memory.

    Args:
        try_batch: Takes one step with so many photos.
        batch_size: The number of photos to begin with.
        multiple: The result is a multiple of it: the number of devices.

    Returns:
        ``batch_size`` divided by 1, 2, 4, ….

    Raises:
        UserError: If no such batch fits.
    """
    size = batch_size
    while True:
        try:
            try_batch(size)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        else:
            return size
        if size % (2 * multiple):
            raise UserError(
                f"Not even a batch of {size} fits into memory (training.batch_size = {batch_size}, "
                f"devices: {multiple}): {reason}. Try a smaller image or network, or "
                "training.precision=mixed_bfloat16."
            )
        logger.warning("A batch of %d does not fit into memory (%s): trying half.", size, reason)
        size //= 2
