"""The free space beside the store."""

import shutil
import time
from math import inf
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_SECONDS = 1.0  # how long an answer about free space is believed
_COST = 3  # bytes on disk for each byte of a body: the -wal file, the store, rows and indexes


class DiskReserve:
    """Asks the file system now and then, and counts what is stored in between."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._asked_at = -inf
        self._free = 0
        self._stored = 0  # bytes of bodies since the last look

    def has_room(self, *, reserve: int, coming: int) -> bool:
        """As `Outbox.has_room`; not where the disk does not say."""
        now = time.monotonic()
        if now - self._asked_at > _SECONDS:
            self._asked_at, self._stored = now, 0
            try:
                self._free = shutil.disk_usage(self._directory).free
            except OSError as error:
                log.error("cannot read free disk space; rejecting webhooks", error=str(error))
                self._free = 0
        return self._free - _COST * (self._stored + coming) > reserve

    def stored(self, size: int) -> None:
        """A body of so many bytes may have been stored just now."""
        self._stored += size
