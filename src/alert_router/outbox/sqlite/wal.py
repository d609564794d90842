"""The -wal file as it lies on disk: what SQLite will silently leave out of it.

At opening, SQLite reads a -wal file up to the first frame that is not as it should be, and takes
the rest for what a process left that was killed while it wrote.
"""

import struct
from array import array
from pathlib import Path
from sys import byteorder
from typing import NamedTuple

_HEADER, _FRAME = 32, 24  # bytes
_MAGIC = (0x377F0682, 0x377F0683)  # the second: checksums over big-endian numbers
_MASK = 0xFFFFFFFF


class Wal(NamedTuple):
    """`lost` is how many committed transactions, at least, cannot be read; where the header
    itself is damaged, how many there may have been."""

    has_header: bool
    lost: int


def beside(path: Path) -> Path:
    """The -wal file of the store at `path`."""
    return path.with_name(path.name + "-wal")


def is_written(path: Path) -> bool:
    """Whether the store at `path` has a -wal file that was ever written to. Raises OSError."""
    try:
        return beside(path).stat().st_size >= _HEADER
    except FileNotFoundError:
        return False


def inspect(path: Path) -> Wal:
    """The -wal file of the store at `path`; one that was never written to is good. Raises OSError.

    The last transaction does not count as lost: a process that is killed, or a machine that loses
    power, may leave it half written, and then nobody got an answer that it is on disk.
    """
    if not is_written(path):
        return Wal(has_header=True, lost=0)
    with beside(path).open("rb") as file:
        header = file.read(_HEADER)
        magic, _, page = struct.unpack(">3I", header[:12])
        big_endian = magic == _MAGIC[1]
        sums = _checksum(header[:24], (0, 0), big_endian)
        if magic not in _MAGIC or sums != struct.unpack(">2I", header[24:]):
            return Wal(has_header=False, lost=_transactions(path))
        salts, is_read, unread = header[16:24], True, 0
        while len(frame := file.read(_FRAME + page)) == _FRAME + page:
            if frame[8:16] != salts:  # of an earlier round, or overwritten
                is_read = False
                continue
            if is_read:
                sums = _checksum(frame[:8], sums, big_endian)
                sums = _checksum(frame[_FRAME:], sums, big_endian)
                is_read = sums == struct.unpack(">2I", frame[16:24])
            if not is_read:
                unread += frame[4:8] != bytes(4)  # the last frame of a transaction
    return Wal(has_header=True, lost=max(0, unread - 1))


def _transactions(path: Path, page: int = 4096) -> int:
    """How many transactions the frames hold that are of one round with the first."""
    found = 0
    with beside(path).open("rb") as file:
        file.seek(_HEADER)
        salts = None
        while len(frame := file.read(_FRAME + page)) == _FRAME + page:
            salts = salts or frame[8:16]
            if frame[8:16] == salts:
                found += frame[4:8] != bytes(4)
    return found


def _checksum(data: bytes, sums: tuple[int, int], big_endian: bool) -> tuple[int, int]:
    """SQLite's checksum of `data`, continued from `sums`."""
    words = array("I", data)
    if big_endian != (byteorder == "big"):
        words.byteswap()
    first, second = sums
    pairs = iter(words)
    for one, other in zip(pairs, pairs, strict=True):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
