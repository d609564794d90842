"""How deliveries look: as rows of a table, and one in full."""

import json
from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from alert_router.cli.output import clean_lines, join, styled, table
from alert_router.outbox.as_json import iso
from alert_router.outbox.model import DeliveryRow, State

_COLOURS = {State.WAITING: "yellow", State.DELIVERED: "green", State.DEAD: "bold red"}


def deliveries_table(rows: Iterable[DeliveryRow], now: float) -> Table:
    """The deliveries, one a line; ages as of `now`, unix seconds."""
    columns = ("ID", "State", "Receiver", "Notifier", "Alerts", "Accepted", "Attempts", "Why")
    return table(
        *columns,
        rows=[
            (
                str(row.id),
                styled(row.state.value, _COLOURS[row.state]),
                row.destination.receiver,
                row.destination.notifier,
                str(len(row.fingerprints)),
                _ago(row.accepted_at, now),
                str(row.attempts),
                _why(row),
            )
            for row in rows
        ],
    )


def details(row: DeliveryRow, now: float) -> Text:
    """Everything about a delivery, a line each."""
    parts: dict[str, str | Text] = {
        "delivery": str(row.id),
        "state": styled(row.state.value, _COLOURS[row.state]),
        "receiver": row.destination.receiver,
        "notifier": row.destination.notifier,
        "group": row.group,
        "alerts": ", ".join(row.fingerprints),
        "accepted": _moment(row.accepted_at, now),
        "settled": _moment(row.settled_at, now),
        "next attempt": _moment(row.due_at, now),
        "attempts": str(row.attempts),
        "why": _why(row),
    }
    shown = [join((f"{name:<13}", "bold"), value) for name, value in parts.items() if value]
    return Text("\n").join(shown)


def body_text(body: bytes, *, parsed: bool) -> Any:
    """The body of a group: parsed for JSON output, else pretty for people; text where it is no
    JSON."""
    text = body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
        return data if parsed else clean_lines(json.dumps(data, indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return text if parsed else clean_lines(text)


def _why(row: DeliveryRow) -> str:
    return ": ".join(part for part in (row.reason, row.message) if part)


def _moment(moment: float | None, now: float) -> str:
    return f"{iso(moment)} ({_ago(moment, now)})" if moment is not None else ""


def _ago(moment: float, now: float) -> str:
    """`5m ago`, or `in 5m`."""
    seconds = abs(now - moment)
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            amount = f"{seconds / size:.0f}{letter}"
            break
    else:
        amount = f"{seconds:.0f}s"
    return f"{amount} ago" if moment <= now else f"in {amount}"
