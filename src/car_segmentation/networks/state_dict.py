"""Weights that PyTorch saved, read without PyTorch and without running anything from the file.

The format is that of ``torch.save`` before PyTorch 1.6 (torch/serialization.py, ``_legacy_save``):
pickles of a magic number, the format's version, the machine's sizes, the dictionary, whose tensors
are views of storages, and the storages' keys; then each storage in the order of the keys, its
length (int64) before its values.
"""

import io
import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from car_segmentation.core.errors import UserError

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides count values. What else PyTorch says is left out."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool = False
    hooks: Any = field(default=None, repr=False)


class _Unpickler(pickle.Unpickler):
    """Knows four names; any other could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: tuple[Any, ...]) -> _Storage:
        _, dtype, key, *_ = pid
        return _Storage(key, dtype)


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Read a model's weights by name from a file of PyTorch's.

    Args:
        path: Written by ``torch.save(model.state_dict())`` before PyTorch 1.6, or with
            ``_use_new_zipfile_serialization=False``; values of float32 and int64.

    Raises:
        UserError: If the file is not such a one, or damaged.
    """
    content = path.read_bytes()
    try:
        return _parse(content)
    except Exception as error:  # Damaged pickles raise anything.
        raise UserError(
            f"network.weights = {str(path)!r}: is not a state dict in the format that PyTorch "
            f"wrote before 1.6 ({error})."
        ) from error


def _parse(content: bytes) -> dict[str, np.ndarray]:
    stream = io.BytesIO(content)
    magic, version, _, tensors, keys = (_Unpickler(stream).load() for _ in range(5))
    if (magic, version) != (MAGIC, VERSION):
        raise ValueError("it begins otherwise")
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    starts = {}
    for key in keys:
        (length,) = struct.unpack("<q", stream.read(8))
        starts[key] = stream.tell()
        stream.seek(length * storages[key].dtype.itemsize, io.SEEK_CUR)
    return {name: _array(tensor, content, starts) for name, tensor in tensors.items()}


def _array(tensor: _Tensor, content: bytes, starts: dict[str, int]) -> np.ndarray:
    """A tensor's values; NumPy refuses views that leave the file."""
    dtype = tensor.storage.dtype
    view = np.ndarray(
        tensor.shape,
        dtype,
        buffer=content,
        offset=starts[tensor.storage.key] + tensor.offset * dtype.itemsize,
        strides=tuple(stride * dtype.itemsize for stride in tensor.strides),
    )
    return view.copy(order="C")
