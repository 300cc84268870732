"""Files as PyTorch wrote them before 1.6, written without PyTorch."""

import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C


class FloatStorage:
    pass


class LongStorage:
    pass


def _rebuild_tensor_v2(*parts: Any) -> None:
    """Only its name is written."""


@contextmanager
def _named_as_in_pytorch() -> Iterator[None]:
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    places = ((FloatStorage, torch), (LongStorage, torch), (_rebuild_tensor_v2, utils))
    for thing, module in places:
        thing.__module__ = module.__name__
        setattr(module, thing.__name__, thing)
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class _Storage:
    def __init__(self, key: str, kind: type, length: int) -> None:
        self.pid = ("storage", kind, key, "cpu", length, None)


class _Tensor:
    def __init__(self, storage: _Storage, offset: int, value: np.ndarray) -> None:
        strides = tuple(stride // value.itemsize for stride in value.strides)
        self.parts = (storage, offset, value.shape, strides, False, OrderedDict())

    def __reduce__(self) -> Any:
        return _rebuild_tensor_v2, self.parts


class _Pickler(pickle.Pickler):
    def persistent_id(self, thing: Any) -> Any:
        return thing.pid if isinstance(thing, _Storage) else None


def write_state_dict(path: Path, state: Mapping[str, np.ndarray], offset: int = 0) -> None:
    """Write arrays of float32 and int64, each in a storage of its own that begins earlier.

    Arrays in Fortran's order get its strides.
    """
    stream = BytesIO()
    tensors, storages = OrderedDict(), {}
    for number, (name, value) in enumerate(state.items()):
        kind = FloatStorage if value.dtype == np.float32 else LongStorage
        values = np.concatenate([np.zeros(offset, value.dtype), value.ravel(order="K")])
        storages[str(number)] = values
        tensors[name] = _Tensor(_Storage(str(number), kind, len(values)), offset, value)
    with _named_as_in_pytorch():
        for part in (MAGIC, 1001, {"little_endian": True}, tensors, list(storages)):
            _Pickler(stream, 2).dump(part)
    for values in storages.values():
        stream.write(struct.pack("<q", len(values)) + values.tobytes())
    path.write_bytes(stream.getvalue())
