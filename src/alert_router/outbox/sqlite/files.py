"""The files of a store: copies, kept beside it when it cannot be used any more, put in its place,
backed up and restored; and what SQLite will silently leave out of a -wal file.

At opening, SQLite reads a -wal file up to the first frame that is not as it should be, and takes
the rest for what a process left that was killed while it wrote.
"""

import os
import shutil
import sqlite3
import struct
import time
from array import array
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from sys import byteorder
from typing import NamedTuple

from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.sqlite import database

_HEADER, _FRAME = 32, 24  # bytes
_MAGIC = (0x377F0682, 0x377F0683)  # the second: checksums over big-endian numbers
_MASK = 0xFFFFFFFF
_PAGES = 1000  # copied at a time; between them an interrupt is noticed


class Wal(NamedTuple):
    """`lost` is how many committed transactions, at least, cannot be read; where the header
    itself is damaged, how many there may have been."""

    has_header: bool
    lost: int


def wal_of(path: Path) -> Path:
    """The -wal file of the store at `path`."""
    return path.with_name(path.name + "-wal")


def wal_is_written(path: Path) -> bool:
    """Whether the store at `path` has a -wal file that was ever written to. Raises OSError."""
    try:
        return wal_of(path).stat().st_size >= _HEADER
    except FileNotFoundError:
        return False


def inspect_wal(path: Path) -> Wal:
    """The -wal file of the store at `path`; one that was never written to is good. Raises OSError.

    The last transaction does not count as lost: a process that is killed, or a machine that loses
    power, may leave it half written, and then nobody got an answer that it is on disk.
    """
    if not wal_is_written(path):
        return Wal(has_header=True, lost=0)
    with wal_of(path).open("rb") as file:
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
    with wal_of(path).open("rb") as file:
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


def kept(path: Path, why: str) -> Path:
    """A name beside `path`, with why and when, that neither a file nor a -wal file has."""
    stem = f"{path.name}.{why}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    name, number = path.with_name(stem), 1
    while name.exists() or wal_of(name).exists():
        number += 1
        name = path.with_name(f"{stem}-{number}")
    return name


def keep_wal(path: Path, name: Path) -> None:
    """Move the -wal file of `path`, if there is one, beside `name`. Raises OSError."""
    with suppress(FileNotFoundError):
        wal_of(path).rename(wal_of(name))


def sync(path: Path) -> None:
    """Have a file and its name on disk. Raises OSError."""
    for one, flags in ((path, os.O_RDWR), (path.parent, os.O_RDONLY)):
        descriptor = os.open(one, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def copy_wal(path: Path, name: Path) -> None:
    """Copy the -wal file of `path` beside `name`, durably. Raises OSError."""
    try:
        shutil.copy2(wal_of(path), wal_of(name))
        sync(wal_of(name))
    except OSError:
        wal_of(name).unlink(missing_ok=True)
        raise


@contextmanager
def temporary(path: Path, what: str) -> Iterator[Path]:
    """A name beside `path` for a file that is being made, removed if it is still there at the
    end."""
    name = path.with_name(f"{path.name}.{what}")
    beside = [name.with_name(name.name + end) for end in ("-journal", "-wal", "-shm")]
    for one in (name, *beside):
        one.unlink(missing_ok=True)
    try:
        yield name
    finally:
        with suppress(OSError):
            for one in (name, *beside):
                one.unlink(missing_ok=True)


def write(source: sqlite3.Connection, target: Path) -> None:
    """Write what `source` reads now into the new file `target`, as one that was closed, durably.
    Raises sqlite3.Error and OSError.

    One transaction reads it all: otherwise each commit of another process would start it again.
    """
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    os.close(descriptor)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        source.execute("BEGIN")
        try:
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(copy, pages=_PAGES, sleep=0)
        finally:
            source.execute("ROLLBACK")
        finish(copy)
    sync(target)


def finish(copy: sqlite3.Connection) -> None:
    """Make a store of one file, without a -wal file, that counts as closed."""
    copy.execute("PRAGMA journal_mode = DELETE")
    database.mark(copy, is_open=False)


def replace(path: Path, new: Path, why: str) -> tuple[Path, int]:
    """Put the finished file `new` in the place of the store at `path`, locked for this process:
    the name under which the old one is kept with its -wal file, and the lock. Raises OSError.

    There is a store at `path` at every moment, and the old one has its other name before.
    """
    take_after(path, new)
    lock = database.lock_new(new)
    try:
        name = kept(path, why)
        with suppress(FileNotFoundError):
            _link(path, name)
        keep_wal(path, name)
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        new.rename(path)
        sync(path)
    except BaseException:
        database.unlock(lock)
        raise
    return name, lock


def _link(path: Path, name: Path) -> None:
    try:
        os.link(path, name)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without such links
        path.rename(name)


def take_after(path: Path, new: Path) -> None:
    """Give a new file the mode and, as root, the owner of the old one; or of the directory where
    there is none. Raises OSError."""
    has_old = path.exists() and path.stat().st_size > 0
    if has_old:
        new.chmod(path.stat().st_mode & 0o777)
    if os.geteuid() == 0:
        owner = (path if has_old else path.parent).stat()
        os.chown(new, owner.st_uid, owner.st_gid)


def restore(path: Path, source: Path) -> Path | None:
    """Put a copy of the store `source` in the place of the one at `path`, which no service may
    have open; the name under which the present one is kept, if there was one. Raises
    StoreUnavailable."""
    if not source.is_file():
        raise StoreRefused(f"there is no file {source}")
    was_there = path.exists() and path.stat().st_size > 0
    try:
        lock = database.lock(path)
        try:
            if path.samefile(source):
                raise StoreRefused(f"{source} is the store itself")
            with temporary(path, "restore") as new:
                _read(source, new)
                name, new_lock = replace(path, new, "before-restore")
            database.unlock(new_lock)
        except BaseException:
            if not was_there:
                path.unlink()
            raise
        finally:
            database.unlock(lock)
    except OSError as error:
        raise StoreUnavailable(f"cannot restore the store {path}: {error}") from error
    if was_there:
        return name
    name.unlink()
    return None


def _read(source: Path, new: Path) -> None:
    """Copy a store, with its -wal file if it has one, into the one file `new` if it is sound."""
    shutil.copyfile(source, new)
    if wal_of(source).exists():
        shutil.copyfile(wal_of(source), wal_of(new))
    try:
        with closing(database.connect(new, source)) as copy:
            (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            if not copy.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise StoreRefused(f"{source} is empty")
            database.prepare(copy, source, may_change=True)
            finish(copy)
        sync(new)
    except sqlite3.Error as error:
        raise StoreRefused(f"{source} is damaged or is not a store: {error}") from error
