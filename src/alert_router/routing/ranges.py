"""Sets of code points as ascending ranges, without the line break: no value that counts has one."""

from collections.abc import Sequence

LAST = 0x10FFFF
LINE_BREAK = 10

Ranges = tuple[tuple[int, int], ...]  # both ends in, ascending, apart

_DIGIT: Ranges = ((0x30, 0x39),)
_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Ranges = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
CONTROLS = {"t": 9, "f": 12, "r": 13, "v": 11, "a": 7}


def complement(ranges: Ranges) -> Ranges:
    """Every other code point but the line break."""
    found: list[tuple[int, int]] = []
    start = 0
    for low, high in merged((*ranges, (LINE_BREAK, LINE_BREAK))):
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        found.append((start, LAST))
    return tuple(found)


def merged(ranges: Sequence[tuple[int, int]]) -> Ranges:
    """The same code points, ascending and apart."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)
