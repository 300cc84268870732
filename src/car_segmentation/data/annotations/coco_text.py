"""COCO's compressed run lengths: numbers as text (rleToString of cocodataset/cocoapi, maskApi.c).

Each number, from the fourth on the difference to the one two before, is written in groups of five
bits, the lowest first, as characters from ``0`` on; a sixth bit says that more follow, and the last
group's highest bit is the sign. pycocotools reads and writes the same, but damaged text makes it
write past its memory, which ends the process: so it is what tests compare with.
"""

from collections.abc import Iterable

FIRST = ord("0")
BITS = 5
MORE, SIGN, VALUE = 1 << BITS, 1 << BITS - 1, (1 << BITS) - 1
LONGEST = 1 << 40
"""No run is longer; damaged text would give numbers without end."""


def unpack_counts(text: str) -> list[int]:
    """Read run lengths.

    Raises:
        ValueError: If the text is not one of run lengths.

    Example:
        >>> unpack_counts("52203")
        [5, 2, 2, 2, 5]
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - FIRST
        if not 0 <= group < 2 * MORE or shift > LONGEST.bit_length():
            raise ValueError("its run lengths are damaged")
        value |= (group & VALUE) << shift
        shift += BITS
        if not group & MORE:
            value -= (1 << shift) if group & SIGN else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("its run lengths are cut off")
    return counts


def pack_counts(counts: Iterable[int]) -> str:
    """Write run lengths; the reverse of `unpack_counts`.

    Example:
        >>> pack_counts([5, 2, 2, 2, 5])
        '52203'
    """
    counts = list(counts)
    text = []
    for place, count in enumerate(counts):
        value = count - (counts[place - 2] if place > 2 else 0)
        while True:
            group, value = value & VALUE, value >> BITS
            # Done when what is left is the sign that the group already shows.
            done = value == (-1 if group & SIGN else 0)
            text.append(chr(FIRST + (group if done else group | MORE)))
            if done:
                break
    return "".join(text)
