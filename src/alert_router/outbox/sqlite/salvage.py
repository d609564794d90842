"""Salvage: what can be read of a damaged store, row by row, into a new file.

Rows are read by their number, never by an index; damaged pages are skipped. What other rows need
and an index still holds (a destination's names, a lane) is restored from that.

SQLite finds a row through inner pages, each of which leads to some hundred others, so a damaged one
hides them all. Behind a gap, pages are therefore read by themselves; the pointer map of a file with
incremental vacuum says to which table each belongs (https://sqlite.org/fileformat2.html).
"""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from alert_router.outbox.sqlite import database, files
from alert_router.outbox.sqlite.database import QUERIES

# ruff: noqa: S608 (names of tables and columns are those of our own schema)


_Row = tuple[Any, ...]
_Kind = tuple[tuple[type, ...], bool]  # the types of a column's values, and whether one is needed

_LAST = 2**63 - 1  # the greatest number of a row
_MOST = 2**48  # greater numbers are damage, and the next one could not be given any more
_AT_ONCE = 500  # rows written by a call
_FINE = 256  # over a gap, rows are looked for in steps of so small a part of its length

_TYPES: dict[str, tuple[type, ...]] = {
    "INTEGER": (int,),
    "REAL": (int, float),
    "TEXT": (str,),
    "BLOB": (bytes,),
}


class _Table(NamedTuple):
    name: str
    number: str  # the column that is the row's number
    entries: str = ""  # the index that has one for every row
    known: str = ""  # columns of that index, from which a row can be made again
    make_again: str = ""  # the INSERT that does


# Parents first.
_TABLES = (
    _Table(
        "destination", "id", "sqlite_autoindex_destination_1",
        "id, receiver, notifier", QUERIES["make_destination_again"],
    ),
    _Table(
        "identity", "id", "sqlite_autoindex_identity_1",
        "id, digest", QUERIES["make_identity_again"],
    ),
    _Table("alert_group", "seq"),
    _Table(
        "lane", "id", "sqlite_autoindex_lane_1",
        "id, identity, destination", QUERIES["make_lane_again"],
    ),
    _Table("delivery", "id", "delivery_lane", "id"),
    _Table("action", "id"),
    _Table("heartbeat", "id"),
)  # fmt: skip

# In this order.
_REPAIRS = (
    QUERIES["drop_unsound_lanes"],
    QUERIES["make_lanes_up"],
    QUERIES["idle_lanes"],
    QUERIES["drop_empty_lanes"],
    QUERIES["make_identities_up"],
    QUERIES["wake_lanes"],
    QUERIES["forget_batches"],
    QUERIES["drop_idle_identities"],
)


class Count(NamedTuple):
    """Of the rows of a table: how many were saved, and how many at least were lost."""

    saved: int
    lost: int


def salvage(path: Path, new: Path) -> dict[str, Count]:
    """Write what can be read of the store at `path` into the new file `new`; how many rows, by
    table. Raises sqlite3.Error and OSError where `new` cannot be written."""
    new.touch(0o640)
    with closing(database.connect(new)) as target:
        database.prepare(target, new, may_change=True)
        target.execute("PRAGMA synchronous = OFF")  # it is synced as a whole in the end
        target.execute("BEGIN")
        with closing(_open_damaged(path)) as source:
            gaps = {table.name: _copy(source, target, table) for table in _TABLES}
            roots = _roots(source)
        # With no connection open: to close the file would take the locks of one away.
        _copy_leaves(path, target, {page: name for page, name in roots.items() if gaps.get(name)})
        with closing(_open_damaged(path)) as source:
            lost = {
                table.name: _make_again(source, target, table, gaps[table.name])
                for table in _TABLES
            }
            _copy_counts(source, target)
            _copy_secrets(source, target)
            _copy_sequence(source, target)
        (lost["alert_group"],) = target.execute(QUERIES["groups_missing"]).fetchone()
        lost["delivery"] += target.execute(QUERIES["drop_orphans"]).rowcount
        target.execute(QUERIES["repair_deliveries"])
        target.execute(QUERIES["drop_idle_groups"])
        for statement in _REPAIRS:
            target.execute(statement)
        counts = {
            table.name: Count(
                target.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0],
                lost[table.name],
            )
            for table in _TABLES
        }
        target.execute("COMMIT")
        files.finish(target)
    files.sync(new)
    return counts


def start_empty(new: Path) -> dict[str, Count]:
    """Make the new file an empty store. How many rows are lost is not known. Raises sqlite3.Error
    and OSError."""
    new.unlink(missing_ok=True)
    new.touch(0o640)
    with closing(database.connect(new)) as target:
        database.prepare(target, new, may_change=True)
        files.finish(target)
    files.sync(new)
    return {table.name: Count(0, 0) for table in _TABLES}


def _open_damaged(path: Path) -> sqlite3.Connection:
    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    source.text_factory = lambda raw: raw.decode(errors="replace")
    with suppress(sqlite3.DatabaseError):
        source.execute("PRAGMA writable_schema = ON")  # what is readable of the schema suffices
    return source


def _roots(source: sqlite3.Connection) -> dict[int, str]:
    """The first page of each table, and its name."""
    statement = "SELECT rootpage, name FROM sqlite_master WHERE type = 'table'"
    return dict(_readable(source, statement))


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: _Table) -> int:
    """Copy the readable rows; how many gaps they have, behind each of which are lost rows."""
    wanted = _wanted(target, table)
    try:
        columns = [row[1] for row in _columns(source, table.name) if row[1] in wanted]
    except sqlite3.DatabaseError:
        columns = []
    if table.number not in columns:  # nothing is known of the table any more
        return 1
    reader = _Reader(source, table, ", ".join(columns))
    kinds = [wanted[name] for name in columns]
    rows = (row for row in reader if all(map(_is_sound, row, kinds)))
    target.executemany(_insert(table, columns), rows)
    return reader.gaps


def _copy_leaves(path: Path, target: sqlite3.Connection, roots: dict[int, str]) -> None:
    """Copy the rows of tables with gaps that SQLite has no way to any more."""
    if not roots:
        return
    tables = {table.name: table for table in _TABLES}
    wanted = {name: _wanted(target, table) for name, table in tables.items()}
    for name, number, values in _leaf_rows(path, roots):
        table, kinds = tables[name], wanted[name]
        # A row ends early if it was written before the last columns were added.
        columns = [*kinds][: len(values)]
        if table.number not in columns or len(values) > len(kinds):
            continue  # damaged
        at = columns.index(table.number)
        row = [*values[:at], number, *values[at + 1 :]]
        if all(map(_is_sound, row, (kinds[one] for one in columns))):
            target.execute(_insert(table, columns), row)


def _wanted(target: sqlite3.Connection, table: _Table) -> dict[str, _Kind]:
    """The columns of a table, in order, and what may be in them."""
    return {row[1]: (_TYPES[row[2]], bool(row[3])) for row in _columns(target, table.name)}


def _insert(table: _Table, columns: list[str]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT OR IGNORE INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"


def _is_sound(value: Any, wanted: _Kind) -> bool:
    """Whether a value is of its column's kind: a page may hold what belongs to another table."""
    kinds, is_needed = wanted
    if isinstance(value, int) and abs(value) > _MOST:
        return False
    return isinstance(value, kinds) or (value is None and not is_needed)


def _columns(connection: sqlite3.Connection, table: str) -> list[_Row]:
    return connection.execute(f"PRAGMA table_info({table})").fetchall()


class _Reader:
    """The readable rows of a table, in order."""

    def __init__(self, source: sqlite3.Connection, table: _Table, columns: str) -> None:
        self.gaps = 0
        self._source = source
        number = table.number
        self._from = (
            f"SELECT {number}, {columns} FROM {table.name} NOT INDEXED WHERE {number} >= ?"
            f" ORDER BY {number}"
        )

    def __iter__(self) -> Iterator[_Row]:
        last = 0
        while last < _LAST - 1:
            try:
                for number, *row in self._source.execute(self._from, (last + 1,)):
                    if number <= last:
                        break
                    last = number
                    yield tuple(row)
                else:
                    return
            except sqlite3.DatabaseError:
                pass
            # The cursor looks one row ahead, and has withheld a good one before the bad.
            with suppress(sqlite3.DatabaseError):
                while found := self._one(last + 1):
                    last, *row = found
                    yield tuple(row)
                return
            self.gaps += 1
            last = self._after_gap(last) - 1

    def _one(self, number: int) -> _Row | None:
        """The first row from that number on, None at the end. Raises sqlite3.DatabaseError also for
        a row that a damaged page has out of order: it would be read again and again."""
        row: _Row | None = self._source.execute(f"{self._from} LIMIT 1", (number,)).fetchone()
        if row is not None and row[0] < number:
            raise sqlite3.DatabaseError("a row is out of order")
        return row

    def _after_gap(self, last: int) -> int:
        """The first number after `last` from which rows can be read again."""
        bad, good = last, last + 1
        while good < _LAST and not self._is_readable(good):
            bad = good
            good = min(_LAST, good + max(1, (good - last) // _FINE))
        while good - bad > 1:
            middle = (good + bad) // 2
            if self._is_readable(middle):
                good = middle
            else:
                bad = middle
        return good

    def _is_readable(self, number: int) -> bool:
        try:
            self._one(number)
        except sqlite3.DatabaseError:
            return False
        return True


def _make_again(
    source: sqlite3.Connection, target: sqlite3.Connection, table: _Table, gaps: int
) -> int:
    """Make missing rows again from what the index knows of them; how many cannot be, at least."""
    lost = 0
    if not table.entries:
        return lost
    there = f"SELECT 1 FROM {table.name} WHERE {table.number} = ?"
    entries = f"SELECT {table.known} FROM {table.name} INDEXED BY {table.entries}"
    try:
        for row in source.execute(entries):
            if not target.execute(there, row[:1]).fetchone():
                made = table.make_again and target.execute(table.make_again, row).rowcount
                lost += not made
    except sqlite3.DatabaseError as error:
        if not database.is_damage(error) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise  # the new file's
        lost = max(lost, gaps)
    return lost


def _copy_counts(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy the counts, from both ends up to what cannot be read."""
    names = ", ".join(row[1] for row in _columns(target, "observed"))
    marks = names.count(",") * "?, " + "?"
    for order in ("ASC", "DESC"):
        rows = _readable(source, f"SELECT {names} FROM observed ORDER BY day {order}")
        target.executemany(f"INSERT OR IGNORE INTO observed ({names}) VALUES ({marks})", rows)


def _copy_secrets(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy what signs links that were sent."""
    for name, value in _readable(source, "SELECT name, value FROM secret"):
        if isinstance(name, str) and isinstance(value, bytes):
            target.execute("INSERT OR IGNORE INTO secret VALUES (?, ?)", (name, value))


def _copy_sequence(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Have no delivery get a number that another ever had."""
    for row in _readable(source, "SELECT seq FROM sqlite_sequence WHERE name = 'delivery'"):
        if _is_sound(row[0], ((int,), True)):
            statement = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'delivery'"
            target.execute(statement, row)


def _readable(source: sqlite3.Connection, statement: str) -> Iterator[_Row]:
    """The rows up to the first that cannot be read."""
    with suppress(sqlite3.DatabaseError):
        yield from source.execute(statement)


Value = int | float | str | bytes | None

_LEAF = 13  # the first byte of a page with a table's rows
_IN_TREE = 5  # in the pointer map: a page with an inner page above it
_DEEPEST = 20  # a tree of pages
_PENDING = 0x40000000  # no page is used that has this byte
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # bytes by the code of the value


def _leaf_rows(path: Path, roots: dict[int, str]) -> Iterator[tuple[str, int, list[Value]]]:
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
    if not 0 < number <= _MOST or length > pages.size * pages.count:
        raise ValueError("no row is so large")
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
