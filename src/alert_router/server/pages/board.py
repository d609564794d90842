"""The alert groups that fire, read from the store as they come in and kept in memory."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from operator import methodcaller

from alert_router.aside import Aside
from alert_router.model import AlertGroup, PayloadError
from alert_router.notification import Notification
from alert_router.notify import wording
from alert_router.outbox.model import LatestGroup
from alert_router.runtime import Runtime
from alert_router.server.context import Site

_AT_ONCE = 200  # groups of one question to the store
_PATIENCE = 1.0  # seconds that a page waits for what is read
_OVERLAP = 200  # of a shared store, whose groups do not become visible in order
_MOST = 20_000  # groups in memory
_MOST_HOURS = 50_000  # groups of which the hours are kept
HOURS = 24
_ALL_HOURS = (1 << HOURS) - 1


@dataclass(frozen=True, slots=True)
class FiringHours:
    """In which hours a group fired: the lowest of `bits` is the hour `last`, counted from 1970, the
    next one the hour before. `seq` is that of the latest group; it `fires` or is resolved."""

    seq: int
    last: int
    bits: int
    fires: bool

    def until(self, hour: int) -> "FiringHours":
        """As it is in a later hour if nothing is received until then."""
        passed = max(0, hour - self.last)
        between = (1 << min(passed, HOURS)) - 1 if self.fires else 0
        bits = (self.bits << min(passed, HOURS) | between) & _ALL_HOURS
        return replace(self, last=self.last + passed, bits=bits)

    def then(self, seq: int, hour: int, fires: bool) -> "FiringHours":
        """As it is after a group in that hour."""
        now = self.until(hour)
        return FiringHours(seq, now.last, now.bits | fires, fires)


@dataclass(frozen=True, slots=True)
class FiringGroup:
    """A group that fires: the latest id, since when, when it was last received (Unix seconds), what
    is shown of it, and the rank of its worst severity, 0 the worst."""

    identity: bytes
    seq: int
    id: str
    began: float
    at: float
    title: str
    subject: str
    severity: str
    level: str
    rank: int
    runbook: str


@dataclass(slots=True)
class Board:
    """All groups that fire, by identity; with `outage`, those in the spool beside a shared store in
    the outage of that number."""

    outage: int | None = None
    groups: dict[bytes, FiringGroup] = field(default_factory=dict)
    hours: dict[bytes, FiringHours] = field(default_factory=dict)  # also of resolved groups
    read_at: float = 0.0  # Unix seconds
    _seq: int = 0
    _hour: int = 0
    _reading: "asyncio.Task[None] | None" = None
    _reads: int = 0  # that were begun

    async def catch_up(self, site: Site, aside: Aside) -> bool:
        """Read what was accepted since the last time; False while that takes longer, as after a
        start. Raises StoreUnavailable."""
        before = self._reads  # one that was begun before may have passed what is accepted by now
        while True:
            if self._reading is None or self._reading.done():
                self._reads += 1
                self._reading = asyncio.create_task(self._read(site, aside))
                self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
            number, task = self._reads, self._reading
            if not (await asyncio.wait({task}, timeout=_PATIENCE))[0]:
                return False
            task.result()
            if number > before:
                return True

    def with_later(self, other: "Board") -> "Board":
        """Both, where what the other one knows of a group is later: it says how the group is, this
        one since when."""
        groups = {key: it for key, it in self.groups.items() if key not in other.hours}
        for key, it in other.groups.items():
            began = self.groups.get(key, it).began
            groups[key] = replace(it, began=min(began, it.began))
        hours = self.hours | other.hours
        for key in self.hours.keys() & other.hours.keys():
            known, later = self.hours[key], other.hours[key]
            last = max(known.last, later.last)
            bits = known.until(last).bits | later.until(last).bits
            hours[key] = replace(later, last=last, bits=bits)
        return Board(groups=groups, hours=hours)

    def only(self, identities: Collection[bytes]) -> "Board":
        """What it has of these."""
        groups = {key: it for key, it in self.groups.items() if key in identities}
        hours = {key: it for key, it in self.hours.items() if key in identities}
        return Board(groups=groups, hours=hours)

    def close(self) -> None:
        """Read nothing more."""
        if self._reading is not None:
            self._reading.cancel()

    async def _read(self, site: Site, aside: Aside) -> None:
        after = max(0, self._seq - (_OVERLAP if site.outbox.is_shared else 0))
        latest = "latest" if self.outage is None else "latest_spooled"
        while rows := await site.ask(methodcaller(latest, after, _AT_ONCE)):
            after = rows[-1].seq
            self._seq = max(self._seq, after)
            await aside.run(self._take, rows, site.runtime())
        now = self.read_at = site.outbox.now()
        if self.outage is None:  # else they say what is resolved of what the shared store has
            self._forget_hours(hour_of(now))
        oldest = now - site.runtime().config.delivery.keep_delivered
        for identity in [key for key, it in self.groups.items() if it.at < oldest]:
            del self.groups[identity]

    def _take(self, rows: Sequence[LatestGroup], runtime: Runtime) -> None:
        for row in rows:
            known, hours = self.groups.get(row.identity), self.hours.get(row.identity)
            if any(it is not None and it.seq >= row.seq for it in (known, hours)):
                continue
            try:
                group = AlertGroup.within(runtime.limits, row.body)[0]
            except PayloadError:  # of an earlier version
                continue
            self.groups.pop(row.identity, None)
            self._note_hour(row, bool(group.firing))
            if group.firing:
                made = _firing(row, group, runtime)
                if known is not None and not row.since:
                    made = replace(made, began=known.began)
                self.groups[row.identity] = made
        while len(self.groups) > _MOST:
            del self.groups[next(iter(self.groups))]

    def _note_hour(self, row: LatestGroup, fires: bool) -> None:
        hour = hour_of(row.accepted_at)
        known = self.hours.pop(row.identity, None) or FiringHours(0, hour, 0, fires=False)
        self.hours[row.identity] = known.then(row.seq, hour, fires)
        if len(self.hours) > _MOST_HOURS:
            del self.hours[next(iter(self.hours))]

    def _forget_hours(self, hour: int) -> None:
        """Once an hour: of what has not fired for a day."""
        if hour > self._hour:
            self._hour = hour
            self.hours = {key: it for key, it in self.hours.items() if it.until(hour).bits}

    def ordered(self) -> list[FiringGroup]:
        """The worst first, then the oldest."""
        return sorted(self.groups.values(), key=lambda it: (it.rank, it.began))


def hour_of(at: float) -> int:
    """The hour of a time in Unix seconds, counted from 1970."""
    return int(at // 3600)


def _firing(row: LatestGroup, group: AlertGroup, runtime: Runtime) -> FiringGroup:
    bare = Notification("", (), "", "", group, scale=runtime.scale)
    grade = wording.grade(bare)
    first = group.firing[0]
    return FiringGroup(
        identity=row.identity,
        seq=row.seq,
        id=row.id,
        began=row.since or row.accepted_at,
        at=row.accepted_at,
        title=wording.one_line(wording.title(bare), 200),
        subject=wording.subject(first, bare, 3),
        severity=grade.word,
        level=grade.level,
        rank=min(map(runtime.scale.rank, group.firing)),
        runbook=runtime.choose(first).runbook or "",
    )
