"""A delivery as JSON, the same on the command line and over HTTP."""

from datetime import UTC, datetime
from typing import Any

from alert_router.outbox.model import DeliveryRow


def row_as_json(row: DeliveryRow) -> dict[str, Any]:
    """The delivery for machines; keys are stable, times RFC 3339 in UTC."""
    return {
        "id": row.id,
        "group": row.group,
        "receiver": row.destination.receiver,
        "notifier": row.destination.notifier,
        "state": row.state.value,
        "accepted_at": iso(row.accepted_at),
        "settled_at": iso(row.settled_at),
        "due_at": iso(row.due_at),
        "attempts": row.attempts,
        "reason": row.reason,
        "message": row.message,
        "fingerprints": list(row.fingerprints),
    }


def iso(moment: float | None) -> str | None:
    """Unix seconds as `2026-11-23T03:02:14.318Z`."""
    if moment is None:
        return None
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
