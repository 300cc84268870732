"""The error that is shown to the user, and the errors that mean out of memory."""


class UserError(Exception):
    """A mistake that the user can fix.

    The user sees the message alone, without a traceback: it names the file or the value, and says
    what to do.
    """


OUT_OF_MEMORY = (
    *("resourceexhausted", "resource_exhausted", "out of memory"),  # TensorFlow, JAX, CUDA
    *("insufficient memory", "bad_alloc", "failed to allocate"),  # OpenCV and other C++
    *("can't start new thread", "cannot allocate memory"),  # Python, the operating system
    "failed to map segment",  # of a library that is imported
    "a worker process managed by the executor was unexpectedly terminated",  # joblib
)
"""In the message of an error, or in its type's name, in lower case."""


def is_out_of_memory(error: BaseException) -> bool:
    """True if an error of any library means out of memory."""
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY)
