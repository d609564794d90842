"""Opening: from whatever lies at a store's path to a connection that can be relied upon.

The service's way looks at what an earlier process left, saves what can be saved of a store that is
damaged, deleted or replaced, and reports all of it as faults. A command's way changes nothing.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

import structlog

from alert_router.outbox.base import StoreRefused, StoreUnavailable
from alert_router.outbox.model import Fault
from alert_router.outbox.sqlite import database, files
from alert_router.outbox.sqlite.salvage import salvage, start_empty

log = structlog.get_logger(__name__)

# Seconds between two looks at the names of the open files. A look at each commit would slow the
# next one (by a tenth for one webhook at a time), since the system then records the time of each
# write more exactly. What is written in between is saved from the open files.
_LOOK_EVERY = 0.02

# Connections that were given up without closing them, which would remove the -wal file.
_abandoned: list[sqlite3.Connection] = []

# Called for each fault, on whatever thread, with how many rows of each table are lost.
OnFault = Callable[[Fault, dict[str, int]], None]


def ignore_fault(_: Fault, __: dict[str, int]) -> None:
    """An `OnFault` for those who read the log."""


class Moved(StoreUnavailable):
    """The file or its -wal file is not the one at the store's path any more."""


class Access(Protocol):
    """A way to the file. Every method may raise sqlite3.Error, OSError and StoreUnavailable."""

    def open(self, trouble: BaseException | None) -> sqlite3.Connection:
        """A connection to rely upon; after trouble with the one before, which is closed."""
        ...

    def check(self) -> None:
        """Raise Moved if what was written went elsewhere."""
        ...

    def close(self) -> None:
        """Let go of the file. Raises nothing."""
        ...


class _Places:
    """Which files a connection has open, by their names."""

    def __init__(self, path: Path) -> None:
        self._look_at = 0.0  # monotonic
        self._main, self._wal = str(path), str(files.wal_of(path))
        self._main_file, self._wal_file = database.inode(path), database.inode(files.wal_of(path))

    def check(self) -> None:
        """Raise Moved if the names are of other files now, or of none; looks now and then."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY
        if not (_is(self._main, self._main_file) and _is(self._wal, self._wal_file)):
            raise Moved(
                f"the store {self._main} or its -wal file was deleted or replaced while in use"
            )

    def has_main(self) -> bool:
        """Whether the store itself is in its place."""
        return _is(self._main, self._main_file)

    def has_wal(self) -> bool:
        """Whether the -wal file is in its place."""
        return _is(self._wal, self._wal_file)


def _is(name: str, inode: tuple[int, int]) -> bool:
    """Whether that is the name of that file."""
    try:
        found = os.stat(name)  # noqa: PTH116
    except FileNotFoundError:
        return False
    return found.st_ino == inode[1] and found.st_dev == inode[0]


class ServiceAccess:
    """The way of the one service that has the store: made if it is missing, brought up to date, and
    held against other services."""

    def __init__(self, path: Path, on_fault: OnFault) -> None:
        self._path = path
        self._on_fault = on_fault
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._places: _Places | None = None  # while it is open
        self._had_wal: bool | None = None  # at the start, once that was looked at
        self._is_checked = False
        self._damage: BaseException | None = None  # of what lies there, until it is salvaged
        self._end = ""  # why it cannot be opened again before a restart

    def open(self, trouble: BaseException | None) -> sqlite3.Connection:
        """As `Access.open`."""
        if self._end:
            raise StoreUnavailable(self._end)
        if self._connection is not None and self._places is not None:
            if not (self._places.has_main() and self._places.has_wal()):
                self._rescue(self._connection, self._places)
            elif not database.is_damage(trouble):
                return self._reconnect(self._connection)
        if database.is_damage(trouble):
            self._damage = trouble
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            if not database.is_damage(error):
                raise
            self._damage = error
        return self._open()

    def check(self) -> None:
        """As `Access.check`."""
        if self._places is not None:
            self._places.check()

    def close(self) -> None:
        """As `Access.close`."""
        try:
            if self._connection is not None and self._places is not None:
                if self._places.has_main():
                    database.mark(self._connection, is_open=False)
                    self._disconnect()
                else:
                    self._rescue(self._connection, self._places)
        except (sqlite3.Error, OSError, StoreUnavailable) as error:
            log.error("the store was not closed properly", path=str(self._path), error=str(error))
        if self._connection is not None:
            _abandoned.append(self._connection)
        if self._lock is not None:
            database.unlock(self._lock)
        self._connection = self._lock = None

    def _open(self) -> sqlite3.Connection:
        """Open what lies there. After an error that may pass it goes on with the same connection:
        closing it could remove the -wal file."""
        if self._lock is not None and not self._is_in_place(self._lock):
            self._disconnect()
            database.unlock(self._lock)
            self._lock = None
        if self._lock is None:
            self._lock = database.lock(self._path)
        if self._had_wal is None:
            self._had_wal = self._look_at_wal()
        if self._damage is not None:
            self._salvage(self._damage)
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        if not self._is_checked:
            if not self._had_wal and database.was_left_open(connection):
                self._report(
                    Fault.WAL_LOST,
                    "the store was not closed and its -wal file is missing: what was accepted last"
                    " may be lost, and what was delivered last may be delivered again",
                )
                self._had_wal = True  # said
            database.check_pages(connection)
            self._is_checked = True
        database.prepare(connection, self._path, may_change=True)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            database.mark(connection, is_open=True)
        # Into the file itself, so that it is known without the -wal file, too.
        database.checkpoint(connection, self._path)
        self._places = _Places(self._path)
        return connection

    def _is_in_place(self, lock: int) -> bool:
        try:
            return database.inode(self._path) == database.inode(lock)
        except FileNotFoundError:
            return False

    def _look_at_wal(self) -> bool:
        """Whether there is a -wal file, which is kept where SQLite would drop it or parts of it."""
        is_written = files.wal_is_written(self._path)
        if is_written and self._path.stat().st_size == 0:
            name = files.kept(self._path, "main-lost")
            files.keep_wal(self._path, name)
            self._report(
                Fault.MAIN_LOST,
                "the store is missing beside its -wal file, which is kept; starting with an empty"
                " store",
                kept=files.wal_of(name),
            )
            return True
        found = files.inspect_wal(self._path)
        if found.lost or not found.has_header:
            name = files.kept(self._path, "wal-damaged")
            files.copy_wal(self._path, name)
            self._report(
                Fault.WAL_DAMAGED,
                "the -wal file of the store is damaged: transactions in it cannot be read, what"
                " was accepted last may be lost; a copy is kept",
                kept=files.wal_of(name),
                transactions=f"{'at least' if found.has_header else 'up to'} {found.lost}",
            )
        return is_written

    def _connect(self) -> sqlite3.Connection:
        try:
            return database.connect(self._path)
        except sqlite3.DatabaseError as error:
            if database.is_damage(error) and not database.is_ours(self._path):
                raise StoreRefused(
                    f"cannot open the store {self._path}: {error}, and nothing in it is of a store:"
                    " move the file away, or set another path"
                ) from error
            raise

    def _reconnect(self, old: sqlite3.Connection) -> sqlite3.Connection:
        """A new connection to the same file, made before the old one is closed: the last one to be
        closed would remove the -wal file."""
        self._connection = database.connect(self._path)
        with suppress(sqlite3.Error):
            old.close()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection, self._places = self._connection, None, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _salvage(self, error: BaseException) -> None:
        """Replace a damaged store by a new one of what can be read."""
        log.error(
            "the store is damaged; saving what can be read", path=str(self._path), error=str(error)
        )
        self._disconnect()
        with files.temporary(self._path, "salvage") as new:
            try:
                counts = salvage(self._path, new)
            except (OSError, sqlite3.OperationalError):  # the disk's: again later
                raise
            except Exception:  # no defect of ours may end the intake for good
                log.exception("cannot salvage the store; starting with an empty one")
                counts = start_empty(new)
            name = self._put_in_place(new, "damaged")
        self._damage = None
        self._report(
            Fault.DAMAGED,
            "the store was damaged: it is kept, and what could be read is in a new one",
            {table: count.lost for table, count in counts.items()},
            kept=name,
            saved={table: count.saved for table, count in counts.items()},
            error=error,
        )

    def _rescue(self, connection: sqlite3.Connection, places: _Places) -> None:
        """Save what the open files hold that are not in their places any more. Where another store
        lies there, raises StoreUnavailable: which one is to be used is not for us to say."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if places.has_main():
            database.mark(connection, is_open=False)
            database.checkpoint(connection, self._path)
            files.keep_wal(self._path, files.kept(self._path, "replaced"))
            self._disconnect()
            self._report(
                Fault.DELETED,
                "the -wal file of the store was deleted or replaced; nothing is lost, all of it was"
                " written into the store",
            )
            return
        with files.temporary(self._path, "unlinked") as new:
            files.write(connection, new)
            if not self._path.exists():
                self._put_in_place(new, "deleted")
                self._disconnect()
                self._report(
                    Fault.DELETED,
                    "the store was deleted while in use; nothing is lost, it was written again",
                )
                return
            name = files.kept(self._path, "unlinked")
            new.rename(name)
            files.sync(name)
        if places.has_wal():  # ours, which must not be taken for that of the other store
            files.keep_wal(self._path, files.kept(self._path, "replaced"))
        self._disconnect()
        self._end = (
            f"the store {self._path} was replaced while in use; what it held is kept in {name}:"
            " restart to go on with the file that is there now, or stop, restore the kept one with"
            " `alert-router storage restore`, and start"
        )
        self._report(Fault.REPLACED, "the store was replaced while in use; restart", kept=name)
        raise StoreUnavailable(self._end)

    def _put_in_place(self, new: Path, why: str) -> Path:
        """Put a finished file in the store's place; where the old one is kept."""
        name, lock = files.replace(self._path, new, why)
        if self._lock is not None:
            database.unlock(self._lock)
        self._lock = lock
        return name

    def _report(
        self, fault: Fault, message: str, lost: dict[str, int] | None = None, **fields: object
    ) -> None:
        more = {
            name: str(value) if isinstance(value, Path) else value for name, value in fields.items()
        }
        if lost is not None:
            more["lost"] = lost
        log.error(message, fault=fault.value, path=str(self._path), **more)
        self._on_fault(fault, lost or {})


class CommandAccess:
    """The way of a command beside the service, or after it: the file must be there, up to date and
    closed properly, and stays the service's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None  # where no service has it
        self._connection: sqlite3.Connection | None = None
        self._places: _Places | None = None

    def open(self, trouble: BaseException | None) -> sqlite3.Connection:
        """As `Access.open`."""
        if self._connection is not None:
            self.check()
            old, self._connection = self._connection, database.connect(self._path)
            with suppress(sqlite3.Error):
                old.close()
            return self._connection
        database.check_guest(self._path)
        self._lock = database.lock_as_command(self._path)
        had_wal = files.wal_is_written(self._path)
        if self._lock is not None:
            self._refuse_damaged_wal(had_wal)
        self._connection = database.connect(self._path)
        if self._lock is not None and not had_wal and database.was_left_open(self._connection):
            raise self._left_damaged()
        database.prepare(self._connection, self._path, may_change=False)
        self._places = _Places(self._path)
        return self._connection

    def check(self) -> None:
        """As `Access.check`."""
        if self._places is not None:
            self._places.check()

    def close(self) -> None:
        """As `Access.close`."""
        if self._connection is not None:
            with suppress(sqlite3.Error, OSError):
                # The last one to close it removes the -wal file: no service shall miss it.
                if self._places is not None:
                    self._lock = self._lock or database.lock_as_command(self._path)
                    if self._lock is not None and database.was_left_open(self._connection):
                        database.mark(self._connection, is_open=False)
            with suppress(sqlite3.Error):
                self._connection.close()
        if self._lock is not None:
            database.unlock(self._lock)
        self._connection = self._lock = self._places = None

    def _refuse_damaged_wal(self, had_wal: bool) -> None:
        """SQLite would drop what it cannot read, which is for the service to save first."""
        if self._path.stat().st_size == 0 and had_wal:
            raise self._left_damaged()
        found = files.inspect_wal(self._path)
        if found.lost or not found.has_header:
            raise self._left_damaged()

    def _left_damaged(self) -> StoreRefused:
        return StoreRefused(
            f"the store {self._path} was not closed properly and its -wal file is damaged or"
            " missing: start the service once, which saves what can be saved"
        )


def back_up(path: Path, target: Path) -> None:
    """Write a copy of the store at `path`, which may be in use, into the new file `target`. Raises
    StoreUnavailable."""
    if target.exists():
        raise StoreRefused(f"{target} exists already: name a new file")
    access = CommandAccess(path)
    try:
        connection = access.open(None)
        with files.temporary(target, "part") as new:
            files.write(connection, new)
            with closing(sqlite3.connect(new)) as copy:
                database.check_pages(copy)
            files.take_after(path, new)
            new.rename(target)
        files.sync(target)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"cannot back up the store {path} to {target}: {error}") from error
    finally:
        access.close()
