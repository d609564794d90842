"""The course of an alert group: when it fired, what was sent, and what people did about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from alert_router.deliver.progress import Episode
from alert_router.outbox.model import Action, ActionKind, DeliveryRow, History, State

MOST_EVENTS = 200


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the timeline: when, in Unix seconds, what, and how it looks."""

    at: float
    text: str
    tone: str = ""

    @property
    def time(self) -> str:
        """`2026-11-23 10:04:12`."""
        return clock(self.at)

    @property
    def iso(self) -> str:
        """For machines."""
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")


def clock(at: float) -> str:
    """Unix seconds as `2026-11-23 10:04:12`, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def timeline(episode: Episode, history: History, actions: Sequence[Action]) -> list[Event]:
    """What happened in an episode, oldest first."""
    events = list(_firing(episode))
    ids = {moment.id for moment in episode.moments}
    events += [_sent(row) for row in history.deliveries if row.group in ids]
    events += [Event(action.at, _said(action)) for action in actions]
    return sorted(events, key=lambda event: event.at)[-MOST_EVENTS:]


def _firing(episode: Episode) -> list[Event]:
    events = []
    before = None
    for moment in episode.moments:
        group = moment.group
        if group is None:
            counts, text, tone = None, "Received", ""
        else:
            counts = (len(group.firing), len(group.resolved))
            text = f"{counts[0]} firing" + (f", {counts[1]} resolved" if counts[1] else "")
            tone = "bad" if group.firing else "good"
            if not group.firing:
                text = "Resolved"
        if counts is None or counts != before:
            events.append(Event(moment.at, text, tone))
        before = counts
    return events


def _sent(row: DeliveryRow) -> Event:
    where = f"{row.destination.receiver}/{row.destination.notifier}"
    why = ": ".join(filter(None, (row.reason, row.message)))
    more = f" ({why})" if why else ""
    tries = f", {row.attempts} attempts" if row.attempts > 1 else ""
    at = row.settled_at or row.accepted_at
    match row.state:
        case State.DELIVERED if row.reason:  # nothing was to be sent
            return Event(at, f"Not sent to {where}{more}")
        case State.DELIVERED:
            return Event(at, f"Sent to {where}{tries}{more}", "good")
        case State.DEAD:
            return Event(at, f"Could not be sent to {where}{tries}{more}", "bad")
        case State.WAITING:
            return Event(at, f"Pending for {where}{tries}{more}", "warn")


def _said(action: Action) -> str:
    match action.kind:
        case ActionKind.TICK:
            return f"{action.who} did: {action.title}"
        case ActionKind.UNTICK:
            return f"{action.who} took back: {action.title}"
        case ActionKind.TAKE:
            return f"{action.who} has it"
        case ActionKind.RELEASE:
            return f"{action.who} no longer has it"
        case ActionKind.HELPED:
            step = f", most of all: {action.title}" if action.title else ""
            return f"{action.who}: the runbook {action.runbook} helped{step}"
        case ActionKind.NOT_HELPED:
            return f"{action.who}: the runbook {action.runbook} did not help"
