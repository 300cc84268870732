"""Label Studio's brush masks: RGBA pixels, packed as github.com/thi-ng/umbrella's rle-pack does.

A header of bits (number of values, bits of a value, bits of four kinds of lengths), then runs: a
bit whether one value is repeated, two for the kind of length, the length less one, and the value or
the values. Label Studio's own code for it, label_studio_sdk.converter.brush, demands one version of
OpenCV and cannot be installed together with this project; tests compare with what it writes.
"""

import numpy as np

LENGTH_BITS = (3, 4, 8, 16)
"""Values that the SDK writes; others are read."""
VALUE_BITS = 8
CHANNELS = 4


def decode_brush(packed: bytes, height: int, width: int) -> np.ndarray:
    """Unpack a brush mask: its alpha channel, uint8 (height, width).

    Raises:
        ValueError: If it is damaged, or not of a photo of that size.
    """
    bits = (np.unpackbits(np.frombuffer(packed, np.uint8)) + ord("0")).tobytes()
    position = 0

    def read(size: int) -> int:
        nonlocal position
        position += size
        if position > len(bits):
            raise ValueError("its brush mask is cut off")
        return int(bits[position - size : position], 2)

    number, value_bits = read(32), read(5) + 1
    length_bits = [read(4) + 1 for _ in range(4)]
    if value_bits != VALUE_BITS or number != height * width * CHANNELS:
        raise ValueError(f"its brush mask is not one of {width}×{height} RGBA pixels")
    values = np.empty(number, np.uint8)
    done = 0
    while done < number:
        is_run = read(1)
        end = min(done + 1 + read(length_bits[read(2)]), number)
        if is_run:
            values[done:end] = read(VALUE_BITS)
        else:
            for place in range(done, end):
                values[place] = read(VALUE_BITS)
        done = end
    return values.reshape(height, width, CHANNELS)[..., -1]


def encode_brush(mask: np.ndarray) -> bytes:
    """Pack a mask, bool (height, width), as opaque white on transparent black."""
    values = np.repeat(mask.ravel().astype(np.uint8) * np.uint8(255), CHANNELS)
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    lengths = np.diff(starts, append=values.size)
    longest = 2 ** LENGTH_BITS[-1]
    pieces = [f"{values.size:032b}{VALUE_BITS - 1:05b}"]
    pieces += [f"{bits - 1:04b}" for bits in LENGTH_BITS]
    for value, length in zip(values[starts].tolist(), lengths.tolist(), strict=True):
        for done in range(0, length, longest):
            part = min(length - done, longest)
            kind, bits = next(it for it in enumerate(LENGTH_BITS) if part <= 2 ** it[1])
            pieces.append(f"1{kind:02b}{part - 1:0{bits}b}{value:08b}")
    text = "".join(pieces).encode()
    return np.packbits(np.frombuffer(text, np.uint8) - ord("0")).tobytes()
