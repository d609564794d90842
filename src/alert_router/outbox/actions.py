"""What people do about an alert group, and what the group's page is made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from alert_router.outbox.model import DeliveryRow

KEPT_SECONDS = 90 * 86_400.0  # actions are forgotten after that
CHANGES_APART = 5.0  # seconds between two changes of a message because of actions
MOST_ACTIONS = 1_000  # of one group while it fires


class ActionKind(StrEnum):
    """What somebody did."""

    TICK = "tick"
    UNTICK = "untick"
    TAKE = "take"
    RELEASE = "release"
    HELPED = "helped"
    NOT_HELPED = "not_helped"


# Of these the latest counts.
_OPPOSITE = {
    kind: pair
    for pair in (
        (ActionKind.TICK, ActionKind.UNTICK),
        (ActionKind.TAKE, ActionKind.RELEASE),
        (ActionKind.HELPED, ActionKind.NOT_HELPED),
    )
    for kind in pair
}


@dataclass(frozen=True, slots=True)
class Action:
    """What `who` did, and when. `since` is when the group began to fire; both are Unix seconds.
    `step` is the step's key and `title` its title; these and `runbook` are empty where it is about
    none. `revision` is that of the runbook."""

    kind: ActionKind
    who: str
    at: float
    since: float
    runbook: str = ""
    revision: str = ""
    step: str = ""
    title: str = ""

    def is_news_to(self, earlier: Iterable["Action"]) -> bool:
        """Whether it changes anything after `earlier`, oldest first."""
        pair = _OPPOSITE[self.kind]
        is_opinion = ActionKind.HELPED in pair
        last = None
        for other in earlier:
            if other.kind in pair and (other.runbook, other.step) == (self.runbook, self.step):
                last = other if not is_opinion or other.who == self.who else last
        if last is None:
            return self.kind not in (ActionKind.UNTICK, ActionKind.RELEASE)
        return last.kind is not self.kind or (self.kind is ActionKind.TAKE and last.who != self.who)


@dataclass(frozen=True, slots=True)
class KeptGroup:
    """An accepted group that is still kept. `since` is when the first group was accepted of those
    that belong together until all is resolved, 0 where that is not known. `body` is None where all
    would be too large."""

    id: str
    accepted_at: float
    since: float
    body: bytes | None


@dataclass(frozen=True, slots=True)
class History:
    """What is kept of a group: its identity's digest, the latest groups of it with the one that was
    asked for, the latest of their deliveries, and all actions about it, each oldest first."""

    identity: bytes
    groups: tuple[KeptGroup, ...]
    deliveries: tuple[DeliveryRow, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class LatestGroup:
    """An accepted group as `latest` gives it: `seq` grows with each, `identity` is the same for
    all of one alert group, `since` is as in `KeptGroup`."""

    seq: int
    identity: bytes
    id: str
    accepted_at: float
    since: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """How often something was done: a step ticked, or an answer given about a runbook. `after` is
    the mean time in seconds from when the group began to fire, `last_at` is in Unix seconds."""

    revision: str
    step: str
    title: str
    kind: ActionKind
    count: int
    after: float
    last_at: float
