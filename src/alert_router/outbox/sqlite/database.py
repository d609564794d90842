"""The file: who may open it, whether it is ours, and its tables brought up to date.

What happens in it afterwards is for `writer`.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.session import SHARED, statements, text_of

# The statements of the operations, and this driver's own.
QUERIES = SHARED | statements(__package__, "queries.sql")

# One script for each version of the tables: the first makes them, each later one brings the
# tables of the version before it up to its own.
MIGRATIONS = tuple(
    text_of(__package__, name)
    for name in ("schema.sql", *(f"schema-{version}.sql" for version in range(2, 11)))
)

_APPLICATION = 0x416C5274  # "AlRt" in the file's header, for file(1) and for us
_BUSY_SECONDS = 5.0  # how long to wait for another process's transaction, or for a command's end

# A size in KiB (negative, as SQLite wants it): enough for the inner pages of the indexes. More
# would be counted as this process's memory; the rest is in the system's cache anyway.
_CACHE = -8000

# The -wal file is written back after so many pages, 16 MiB: a page written often is written
# back once. So many bytes of it stay allocated between bursts.
_CHECKPOINT = 4000
_WAL_LIMIT = 32 * 1024 * 1024

# Every store has it in its file, and other files do not.
_TRACE = b"CREATE TABLE alert_group"

_held: set[tuple[int, int]] = set()  # device and inode of each file this process has locked


def is_damage(error: BaseException | None) -> bool:
    """Whether an error says that what the file holds is not a sound database."""
    return isinstance(error, sqlite3.DatabaseError) and (
        getattr(error, "sqlite_errorcode", 0) & 0xFF
        in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    )


def connect(path: Path, name: Path | None = None) -> sqlite3.Connection:
    """A connection in autocommit mode on an existing file, called `name` in errors. Raises
    sqlite3.Error, and StoreRefused, the file untouched, if it is another program's."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        if not _has_our_tables(connection, name or path):
            # Heeded before there are tables only, and before it is in WAL mode.
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
    serve; the descriptor that holds it. Raises OSError, and StoreRefused where waiting would not
    help.

    The lock is flock's, on the store itself: it goes with the process, leaves nothing behind,
    and is apart from the POSIX locks that SQLite takes. Those, however, a process loses when
    it closes any descriptor of the file; so this one outlives every connection, and none is
    opened to a file that this process holds already.
    """
    if not path.parent.is_dir():
        raise StoreRefused(
            f"there is no directory {path.parent} to keep {path.name} in: make it, owned by the "
            "user that serves"
        )
    while True:
        if path.exists() and inode(path) in _held:
            raise _in_use(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            _take(descriptor, path)
            if inode(path) == inode(descriptor):
                _held.add(inode(descriptor))
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another file was put there meanwhile


def lock_new(path: Path) -> int:
    """As `lock`, for a file that this process has just made and nobody else knows."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _held.add(inode(descriptor))
    return descriptor


def lock_as_command(path: Path) -> int | None:
    """Keep services from starting on the file while a command uses it; None, and nothing is
    held, where a service has it already. Raises OSError."""
    if inode(path) in _held:
        return None
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def unlock(descriptor: int) -> None:
    """Let go of what one of the above took; every connection is closed before."""
    _held.discard(inode(descriptor))
    os.close(descriptor)


def inode(file: Path | int) -> tuple[int, int]:
    """Device and inode of a file. Raises OSError."""
    stat = os.stat(file)  # noqa: PTH116 (a descriptor, too)
    return stat.st_dev, stat.st_ino


def _take(descriptor: int, path: Path) -> None:
    """Lock it for a service. Raises StoreRefused; waits a little for commands, which are short."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _in_use(path) from None
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            if time.monotonic() > deadline:
                raise StoreRefused(
                    f"the store {path} is in use by a command: start again once it has ended"
                ) from None
            time.sleep(0.05)
        else:
            return


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

    Raises StoreRefused if they are of a newer version, or of an older one that must not be
    changed now; sqlite3.Error.
    """
    version = _number(connection, "PRAGMA user_version")
    if version > len(MIGRATIONS):
        raise StoreRefused(
            f"the store {path} was written by a newer version of this program: its tables are of "
            f"version {version}, this program knows those up to {len(MIGRATIONS)}"
        )
    if version == len(MIGRATIONS):
        return
    if not may_change:
        raise StoreRefused(
            f"the store {path} is of an older version: start the service once, which brings it "
            "up to date"
        )
    scripts = ";".join(MIGRATIONS[version:])
    connection.executescript(
        f"BEGIN IMMEDIATE;{scripts};PRAGMA application_id = {_APPLICATION};"
        f"PRAGMA user_version = {len(MIGRATIONS)};COMMIT;"
    )


def mark(connection: sqlite3.Connection, *, is_open: bool) -> None:
    """Write down whether a service has the store open."""
    connection.execute("UPDATE opened SET is_open = ?", (is_open,))


def was_left_open(connection: sqlite3.Connection) -> bool:
    """Whether the service that had the store last ended without closing it."""
    if not _number(connection, "SELECT count(*) FROM sqlite_master WHERE name = 'opened'"):
        return False  # of a version that did not write it down
    return bool(_number(connection, "SELECT max(is_open) FROM opened"))


def check_pages(connection: sqlite3.Connection) -> None:
    """Read all pages. Raises sqlite3.DatabaseError, for which `is_damage` holds, if one of them is
    not as it should be."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def checkpoint(connection: sqlite3.Connection, path: Path) -> None:
    """Write all of the -wal file into the store. Raises sqlite3.Error, and StoreUnavailable if
    somebody reads an old state all the time."""
    busy, frames, written = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    if busy or written < frames:
        raise StoreUnavailable(f"another process reads the store {path} and does not end")


def shorten_wal(run: Callable[[str], sqlite3.Cursor]) -> None:
    """Write the -wal file into the store, unless somebody reads it just now: the next transaction
    then cuts it. It is never emptied, so that one that is empty was not left by us."""
    timeout = run("PRAGMA busy_timeout").fetchone()[0]
    run("PRAGMA busy_timeout = 0")
    try:
        run("PRAGMA wal_checkpoint(RESTART)").fetchall()
    finally:
        run(f"PRAGMA busy_timeout = {timeout}")


def is_ours(path: Path) -> bool:
    """Whether a file that is no database any more was a store once. One full of zeros counts: a
    file system may leave that of a file after a power cut."""
    is_blank, rest = True, b""
    with path.open("rb") as file:
        while some := file.read(1 << 20):
            if _TRACE in rest + some:
                return True
            is_blank = is_blank and not some.strip(b"\0")
            rest = some[-len(_TRACE) :]
    return is_blank


def _has_our_tables(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether there are tables yet. Raises StoreRefused if they are another program's."""
    tables = _number(connection, "SELECT count(*) FROM sqlite_master")
    if tables and _number(connection, "PRAGMA application_id") != _APPLICATION:
        raise StoreRefused(f"{path} is a SQLite file of another program")
    return tables > 0


def _in_use(path: Path) -> StoreRefused:
    return StoreRefused(
        f"the store {path} is in use by another running service: stop that one, or give this one "
        "a store of its own"
    )


def _number(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
