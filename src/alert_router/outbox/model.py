"""The values that pass through a store: a group to accept, a claim and how it ended, a delivery as
it is listed, what people do about a group, and counts of received alerts.

They are plain and frozen. What a store does with them is the contract in `base`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, StrEnum, auto
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the store is: in a SQLite file, or with `url` in a PostgreSQL database, whose spool the
    file is then. `unsafe` allows a database that may lose what it has committed."""

    path: Path
    url: str = field(default="", repr=False)  # it may hold a password
    password_file: Path | None = None
    unsafe: bool = False

    @property
    def shown(self) -> str:
        """The URL, without a password and parameters."""
        return shown(self.url) if self.url else f"sqlite:///{self.path}"


def shown(url: str) -> str:
    """The URL of a store without its password and parameters, for messages."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    return urlunsplit((parts.scheme, f"{name}@{host}" if name else host, parts.path, "", ""))


def parse_storage(text: str, base: Path) -> Storage:
    """A store's URL as SQLAlchemy writes it, `sqlite:///relative.db` below `base` or
    `sqlite:////absolute.db`, or PostgreSQL's as libpq takes it. Raises ValueError."""
    scheme, _, rest = text.partition(":")
    if scheme in ("postgresql", "postgres"):
        return _parse_postgres(text, base)
    if scheme != "sqlite" or not rest.startswith("///"):
        raise ValueError(
            "expected sqlite:///FILE (a relative path), sqlite:////FILE (absolute) or "
            "postgresql://HOST/DATABASE"
        )
    path = rest[3:]
    if path in ("", ":memory:") or path.startswith("file:"):
        raise ValueError("the store must be a file: what is accepted has to outlive the process")
    if "?" in path:
        raise ValueError("the store's URL takes no parameters: remove what follows the `?`")
    return Storage(base / path)


def _parse_postgres(text: str, base: Path) -> Storage:
    parts = urlsplit(text)
    if not parts.netloc.rpartition("@")[2] or not parts.path.strip("/"):
        raise ValueError("expected a host and a database: postgresql://HOST/DATABASE")
    own = {"password_file": "", "spool": "alert-router-spool.db", "unsafe": "0"}
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    own |= {name: parameters.pop(name) for name in tuple(parameters) if name in own}
    if own["unsafe"] not in ("0", "1") or not own["spool"]:
        raise ValueError("expected unsafe=0 or unsafe=1, and the name of a file as spool")
    return Storage(
        base / own["spool"],
        urlunsplit(parts._replace(query=urlencode(parameters))),
        base / own["password_file"] if own["password_file"] else None,
        own["unsafe"] == "1",
    )


class Role(Enum):
    """What a store is opened for."""

    SERVICE = auto()  # it is made if it is missing, and brought up to date
    COMMAND = auto()  # it must be there and up to date, and stays the service's


class State(StrEnum):
    """Of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class Fault(StrEnum):
    """What was found wrong with a store that must not be."""

    DAMAGED = "damaged"  # its pages
    WAL_DAMAGED = "wal_damaged"
    WAL_LOST = "wal_lost"  # missing at the start though the store was not closed
    MAIN_LOST = "main_lost"  # missing at the start beside its -wal file
    DELETED = "deleted"  # while in use
    REPLACED = "replaced"  # while in use


@dataclass(frozen=True, slots=True)
class Destination:
    """The identity of a notifier in the store."""

    receiver: str
    notifier: str


@dataclass(frozen=True, slots=True)
class Target:
    """A delivery to be: where to, with which of the group's alerts, and how urgent (0 first).

    A group names each destination at most once."""

    destination: Destination
    fingerprints: tuple[str, ...]
    priority: int = 1


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group to accept. `identity` and `content` are digests: see `receive`."""

    id: str
    identity: bytes
    content: bytes
    body: bytes
    targets: tuple[Target, ...]
    accepted_at: float  # unix seconds
    is_repeat: bool = False  # a repeat is never a duplicate
    is_over: bool = False  # all its alerts are resolved


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to `accept`: the id of the group, or, for a duplicate, of the one it repeats."""

    id: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class WaitingGroup:
    """One delivery of a claim: the accepted group and which alerts of it were routed here, or,
    `instead_of` here, to a destination that is failing."""

    delivery: int
    group: str
    body: bytes
    fingerprints: tuple[str, ...]
    accepted_at: float
    instead_of: Destination | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch of one lane's deliveries, oldest first, leased to one worker. The lane is 0 if no
    store has it.

    `id` is the webhook id; it stays while the batch is in doubt. `attempt` counts from 1 for
    this batch's lane since its last success; `crashes` counts claims that nobody settled.
    `resent` says that an earlier attempt of exactly this batch may have arrived. `most_urgent` is
    the priority of the most urgent lane that was due at the destination, perhaps another one.
    `has_actions` if people ever did something about the group; with `only_change` nothing is
    pending, and `groups` are what the message that is there was made of.
    """

    id: str
    lane: int
    fence: int
    destination: Destination
    groups: tuple[WaitingGroup, ...]
    attempt: int
    crashes: int = 0
    resent: bool = False
    smaller: bool = False  # the last attempt was refused for its form: tell less
    reference: str | None = None
    most_urgent: int = 1
    has_actions: bool = False
    only_change: bool = False


class Probe(StrEnum):
    """Which lane an attempt at a failing destination takes."""

    URGENT = "urgent"  # the most urgent, then the oldest
    OTHER = "other"  # of the most urgent few the one tried least: one message may be the trouble


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a destination is failing, and when it is tried again. Times are unix seconds; without
    `failing_since` it is well."""

    failing_since: float = 0.0
    failures: int = 0  # in a row; of those at the same time one counts
    reason: str = ""
    message: str = ""
    next_at: float = 0.0  # no attempt before, unless something urgent comes
    asked_until: float = 0.0  # no attempt before at all: the destination said so

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt that says anything about the destination failed."""
        return self.failing_since > 0


HEALTHY = Health()


class Verdict(StrEnum):
    """How a claim ended."""

    DELIVERED = "delivered"
    DROPPED = "dropped"  # nothing to tell (send_resolved: false): done without a send
    RETRY = "retry"  # certainly not delivered: fold again at `due_at`
    DOUBT = "doubt"  # may be there: exactly this batch again at `due_at`
    DEAD = "dead"
    RELEASED = "released"  # not tried (shutdown): as if never claimed


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a claim. Times are Unix seconds; `reason` is a code, `message` is for people.
    A `due_at` that is not after `now` makes the lane ready. `health` is how its destination is
    since this attempt; None: as before, and well after a delivery."""

    verdict: Verdict
    now: float
    due_at: float = 0.0
    reason: str = ""
    message: str = ""
    reference: str | None = None
    smaller: bool = False
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as lists show it.

    While it waits, `attempts`, `reason` and `message` are those of its lane since the last
    success, and `due_at` is None while it is being sent. Where its destination rests for longer
    than that, `due_at` is the end of the pause, and `message` says why unless the lane does.
    `message` of a dead one that was replayed says so.
    """

    id: int
    group: str
    destination: Destination
    state: State
    accepted_at: float
    settled_at: float | None
    attempts: int
    due_at: float | None
    reason: str
    message: str
    fingerprints: tuple[str, ...]


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


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are meant; what is empty or None restricts nothing. `since` (included) and
    `until` (excluded) are of when they were accepted, Unix seconds."""

    state: State | None = None
    receiver: str = ""
    notifier: str = ""
    reason: str = ""
    since: float | None = None
    until: float | None = None


ALL_DELIVERIES = DeliveryFilter()

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


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery as a store's tables have it, to be moved or copied into another store. Its ids
    are that store's."""

    id: int
    group: str
    body: bytes
    group_accepted_at: float
    group_since: float  # as `KeptGroup.since`
    destination: Destination
    state: int
    priority: int
    accepted_at: float
    settled_at: float | None
    attempts: int
    reason: str
    message: str
    fingerprints: str
    batch: str | None  # of a batch in doubt or being sent that it belongs to
    replayed_as: int | None
    is_diverted: bool  # others are sent instead of it, too
    instead_of: Destination | None


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """Everything that a store has of an identity, deliveries and actions in their order. Without
    deliveries, `accepted_at` is 0 where nothing else is known of it. `next_since` is as in
    `lanes.follow`."""

    digest: bytes
    content: bytes
    group: str
    accepted_at: float
    next_since: float | None
    deliveries: tuple[StoredDelivery, ...]
    # Of messages that are updated; when that is due because of actions, when it last was, and when
    # something of the lane was last settled.
    references: tuple[tuple[Destination, str, float, float, float], ...]
    actions: tuple[Action, ...]
    is_being_sent: bool


@dataclass(frozen=True, slots=True)
class HeartbeatState:
    """When a heartbeat was last received, Unix seconds; while people know that it is missing,
    `missing_since` is the last time before."""

    name: str
    seen_at: float
    missing_since: float = 0.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits and what is dead for one destination, for metrics and `ready`. A dead letter
    that was replayed counts no more."""

    destination: Destination
    waiting: int
    oldest_accepted_at: float | None
    dead: int
    health: Health = HEALTHY


DAY = 86_400  # seconds
KEPT_DAYS = 30  # today among them

# Names come from alerts: whoever can post may make up any number of them.
MOST_A_DAY = 2000  # counts: one for each name, or several if its alerts had several runbooks
OTHERS = "(others)"  # the name under which all that comes after is counted


@dataclass(frozen=True, slots=True)
class Observation:
    """How often an alert was received firing, and how often a notification reported it, on one
    day (days since 1970-01-01, UTC), with one runbook ("" for none), found by one way.

    `seen_at` is when it last was, in unix seconds."""

    day: int
    alert: str
    runbook: str
    way: str
    received: int
    notified: int
    seen_at: float


def day_of(moment: float) -> int:
    """The day of a moment in unix seconds, UTC."""
    return int(moment // DAY)
