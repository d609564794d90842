"""The store on SQLite: one file, one writer thread, group commit."""

from alert_router.outbox.sqlite.outbox import SqliteOutbox

__all__ = ["SqliteOutbox"]
