"""What became of a posted group: asked of the router until every delivery has its answer.

The router answers with `deliveries list`'s own rows; what they look like is said here.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import aiohttp
from pydantic import BaseModel, TypeAdapter, ValidationError
from rich.text import Text

from alert_router.cli.output import join, styled
from alert_router.cli.send_http import ask
from alert_router.cli.unwanted import UNWANTED
from alert_router.outbox.model import State

_EVERY = 0.2  # seconds between questions


class CannotFollow(Exception):
    """The router does not tell; the message says why."""


class Row(BaseModel):
    """A delivery as the router tells of it."""

    receiver: str
    notifier: str
    state: State
    attempts: int
    due_at: datetime | None
    reason: str
    message: str

    @property
    def is_sent(self) -> bool:
        """Whether the destination has it."""
        return self.state is State.DELIVERED and not self.is_unwanted

    @property
    def is_unwanted(self) -> bool:
        """Whether the notifier is to be sent nothing of the kind."""
        return self.state is State.DELIVERED and bool(self.reason)

    def due_in(self, now: float) -> float | None:
        """Seconds until the next attempt; None while one runs or none will come."""
        return self.due_at.timestamp() - now if self.due_at else None


class _Answer(BaseModel):
    deliveries: list[Row]


_ANSWER = TypeAdapter(_Answer)


@dataclass(frozen=True, slots=True)
class Followed:
    """The deliveries when they were last asked for, and the answer as it came."""

    rows: tuple[Row, ...]
    seconds: float  # waited at most

    def is_good(self, receiver: str | None) -> bool:
        """Whether every notifier has it that wants it, one at least, of the receiver asked for."""
        wanting = [row for row in self.rows if not row.is_unwanted]
        theirs = receiver is None or any(row.receiver == receiver for row in self.rows)
        return theirs and bool(wanting) and all(row.is_sent for row in wanting)

    def as_json(self) -> list[dict[str, object]]:
        """The deliveries for machines."""
        return [row.model_dump(mode="json") for row in self.rows]


async def follow(base: str, id_: str, headers: dict[str, str], seconds: float) -> Followed:
    """The deliveries of the group once each has its answer, or after so many seconds. One whose
    next attempt is due later than that is not waited for. Raises CannotFollow."""
    url = f"{base}/api/v1/groups/{id_}"
    deadline = time.time() + seconds
    while True:
        rows = await _ask(url, headers)
        if time.time() >= deadline or all(_is_over(row, deadline) for row in rows):
            return Followed(rows, seconds)
        await asyncio.sleep(_EVERY)


def _is_over(row: Row, deadline: float) -> bool:
    due_in = row.due_in(deadline)
    return row.state is not State.WAITING or (due_in is not None and due_in > 0)


async def _ask(url: str, headers: dict[str, str]) -> tuple[Row, ...]:
    try:
        status, answer = await ask("GET", url, headers)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        raise CannotFollow(f"cannot ask {url}: {why}") from None
    if status == 404:
        raise CannotFollow(
            "the router knows no deliveries of it: its receiver may have no notifier, or the "
            "router is older than this command"
        )
    if status != 200:
        raise CannotFollow(f"asked what became of it, the router answered {status}: {answer}")
    try:
        return tuple(_ANSWER.validate_json(answer).deliveries)
    except ValidationError:
        raise CannotFollow(f"{url} answered with something else than deliveries") from None


def told(rows: Sequence[Row], seconds: float, now: float) -> list[Text]:
    """A line for each delivery: where to, what became of it, and the destination's words."""
    names = [f"{row.receiver}/{row.notifier}" for row in rows]
    width = max(map(len, names), default=0)
    return [
        join((f"{name:<{width}}", "bold"), "  ", _word(row), _details(row, seconds, now))
        for name, row in zip(names, rows, strict=True)
    ]


def _word(row: Row) -> Text:
    if row.is_sent:
        return styled("delivered", "bold green")
    if row.is_unwanted:
        return styled("not sent", "yellow")
    if row.state is State.DEAD or row.reason:
        return styled("failed", "bold red")
    return styled("still waiting", "bold yellow")


def _details(row: Row, seconds: float, now: float) -> str:
    if row.is_unwanted:
        return f": it wants {UNWANTED.get(row.reason, row.reason)}"
    parts = [part for part in (row.reason, row.message) if part]
    said = ": " + ": ".join(parts) if parts else ""
    if row.state is not State.WAITING:
        return said
    due_in = row.due_in(now)
    if due_in is None:
        return f"{said}; being sent, no answer within {seconds:g} s"
    if due_in <= 0:
        return said
    comes = "tried again in" if row.attempts else "the destination rests for"
    return f"{said}; {comes} {due_in:.0f} s"
