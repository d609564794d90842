"""The file: who may open it, whether it is ours, and its tables brought up to date.

What happens in it afterwards is for `session`.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.sqlite.queries import MIGRATIONS

_APPLICATION = 0x416C5274  # "AlRt" in the file's header, for file(1) and for us
_BUSY_SECONDS = 5.0  # how long to wait for another process's transaction

# A size in KiB (negative, as SQLite wants it): enough for the inner pages of the indexes. More
# would be counted as this process's memory; the rest is in the system's cache anyway.
_CACHE = -8000

# The -wal file is written back after so many pages, 16 MiB: a page written often is written
# back once. So many bytes of it stay allocated between bursts.
_CHECKPOINT = 4000
_WAL_LIMIT = 32 * 1024 * 1024

_held: set[tuple[int, int]] = set()  # device and inode of each file this process has locked


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode on an existing file. Raises sqlite3.Error, and
    StoreUnavailable, the file untouched, if it is another program's."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        _check_ours(connection, path)
        # Only a file without tables heeds this one, and only before it is in WAL mode.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        connection.execute(f"PRAGMA cache_size = {_CACHE}")
    except BaseException:
        connection.close()
        raise
    return connection


def lock(path: Path) -> int:
    """Make the file if there is none, and hold it for this process alone among those that
    serve; the descriptor that holds it. Raises StoreUnavailable.

    The lock is flock's, on the store itself: it goes with the process, leaves nothing behind,
    and is apart from the POSIX locks that SQLite takes. Those, however, a process loses when
    it closes any descriptor of the file; so this one outlives every connection, and none is
    opened to a file that this process holds already.
    """
    if not path.parent.is_dir():
        raise StoreUnavailable(
            f"there is no directory {path.parent} to keep {path.name} in: make it, owned by the "
            "user that serves"
        )
    try:
        if path.exists() and _inode(path) in _held:
            raise _in_use(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StoreUnavailable(f"cannot open the store {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise _in_use(path) from None
        raise StoreUnavailable(f"cannot lock the store {path}: {error.strerror}") from error
    _held.add(_inode(path))
    return descriptor


def unlock(descriptor: int) -> None:
    """Let go of what `lock` took; every connection is closed before."""
    stat = os.fstat(descriptor)
    _held.discard((stat.st_dev, stat.st_ino))
    os.close(descriptor)


def check_guest(path: Path) -> None:
    """Whether a second process may use the file without leaving behind what its owner cannot
    write. Raises StoreUnavailable.

    SQLite makes -wal and -shm files where there are none, and gives them to the store's owner
    if it is root who does it; anyone else would leave files of their own.
    """
    try:
        owner = path.stat().st_uid
        in_use = all(path.with_name(path.name + end).exists() for end in ("-wal", "-shm"))
    except OSError as error:
        raise StoreUnavailable(f"cannot open the store {path}: {error.strerror}") from error
    if os.geteuid() not in (0, owner) and not in_use:
        raise StoreUnavailable(
            f"the store {path} belongs to user {owner}, who could not write what this user "
            "leaves beside it: run this as that user or as root"
        )


def prepare(connection: sqlite3.Connection, path: Path, *, may_change: bool) -> None:
    """Bring the tables up to date if `may_change`.

    Raises StoreUnavailable if they are of a newer version, or of an older one that must not be
    changed now; sqlite3.Error.
    """
    version = _number(connection, "PRAGMA user_version")
    if version > len(MIGRATIONS):
        raise StoreUnavailable(
            f"the store {path} was written by a newer version of this program: its tables are of "
            f"version {version}, this program knows those up to {len(MIGRATIONS)}"
        )
    if version == len(MIGRATIONS):
        return
    if not may_change:
        raise StoreUnavailable(
            f"the store {path} is of an older version: start the service once, which brings it "
            "up to date"
        )
    scripts = ";".join(MIGRATIONS[version:])
    connection.executescript(
        f"BEGIN IMMEDIATE;{scripts};PRAGMA application_id = {_APPLICATION};"
        f"PRAGMA user_version = {len(MIGRATIONS)};COMMIT;"
    )


def truncate_wal(run: Callable[[str], sqlite3.Cursor]) -> None:
    """Write the -wal file into the store and empty it, unless somebody reads it just now."""
    timeout = run("PRAGMA busy_timeout").fetchone()[0]
    run("PRAGMA busy_timeout = 0")
    try:
        run("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        run(f"PRAGMA busy_timeout = {timeout}")


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    tables = _number(connection, "SELECT count(*) FROM sqlite_master")
    if tables and _number(connection, "PRAGMA application_id") != _APPLICATION:
        raise StoreUnavailable(f"{path} is a SQLite file of another program")


def _in_use(path: Path) -> StoreUnavailable:
    return StoreUnavailable(
        f"the store {path} is in use by another running service: stop that one, or give this one "
        "a store of its own"
    )


def _inode(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def _number(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
