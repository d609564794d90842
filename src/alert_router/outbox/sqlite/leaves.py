"""Rows of a table read from the pages of its file, without the inner pages that lead to them.

SQLite finds a row through inner pages, each of which leads to some hundred others: with one of
them all of these are lost to it. Which table a page belongs to is known from the pointer map of a
file with incremental vacuum. The format is described at https://sqlite.org/fileformat2.html.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

Value = int | float | str | bytes | None

_LEAF = 13  # the first byte of a page with a table's rows
_IN_TREE = 5  # in the pointer map: a page with an inner page above it
_DEEPEST = 20  # a tree of pages
_PENDING = 0x40000000  # no page is used that has this byte
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # bytes by the code of the value


def rows(path: Path, roots: dict[int, str]) -> Iterator[tuple[str, int, list[Value]]]:
    """Table, number and values of every row that can be read on the pages of some tables, given by
    their root pages. Raises OSError."""
    with path.open("rb") as file:
        pages = _Pages(file)
        for number in range(2, pages.count + 1):
            content = pages.read(number)
            if content[:1] != bytes([_LEAF]):
                continue
            table = _owner(pages, number, roots)
            if table is None:
                continue
            for at in range(8, 8 + 2 * int.from_bytes(content[3:5]), 2):
                try:
                    row, values = _row(pages, content, int.from_bytes(content[at : at + 2]))
                except (IndexError, ValueError, struct.error):
                    continue  # damaged
                yield table, row, values


class _Pages:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = int.from_bytes(file.read(18)[16:]) or 4096
        self.count = file.seek(0, 2) // self.size

    def read(self, number: int) -> bytes:
        self._file.seek((number - 1) * self.size)
        return self._file.read(self.size)


def _owner(pages: _Pages, number: int, roots: dict[int, str]) -> str | None:
    """The table that a page belongs to, as far as the pointer map knows."""
    for _ in range(_DEEPEST):
        if number in roots:
            return roots[number]
        if not 2 < number <= pages.count:
            return None
        covered = pages.size // 5 + 1  # by a page of the map, itself included
        start = (number - 2) // covered * covered + 2
        start += start == _PENDING // pages.size + 1
        at = 5 * (number - start - 1)
        entry = pages.read(start)[at : at + 5] if at >= 0 else b""
        if entry[:1] != bytes([_IN_TREE]):
            return None
        number = int.from_bytes(entry[1:])
    return None


def _row(pages: _Pages, content: bytes, at: int) -> tuple[int, list[Value]]:
    """The row that begins there on a page."""
    length, at = _varint(content, at)
    number, at = _varint(content, at)
    most = pages.size - 35
    here = length
    if length > most:
        least = (pages.size - 12) * 32 // 255 - 23
        here = least + (length - least) % (pages.size - 4)
        here = here if here <= most else least
    record = content[at : at + here]
    following = int.from_bytes(content[at + here : at + here + 4]) if here < length else 0
    while len(record) < length:
        if not 2 < following <= pages.count:
            raise ValueError("the chain of pages ends early")
        more = pages.read(following)
        following = int.from_bytes(more[:4])
        record += more[4 : 4 + length - len(record)]
    return number, list(_values(record))


def _values(record: bytes) -> Iterator[Value]:
    end, at = _varint(record, 0)
    start = end
    while at < end:
        code, at = _varint(record, at)
        size = _INTEGERS.get(code, 8 if code == 7 else 0)
        if code >= 12:
            size = (code - 12) // 2
        data = record[start : start + size]
        if len(data) < size or code in (10, 11):
            raise ValueError("a value ends early")
        start += size
        if code == 0:
            yield None
        elif code == 7:
            yield float(struct.unpack(">d", data)[0])
        elif code in (8, 9):
            yield code - 8
        elif code >= 12:
            yield data.decode() if code % 2 else data
        else:
            yield int.from_bytes(data, signed=True)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9
