"""The alert groups that fire, read from the store as they come in and kept in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import methodcaller

from alert_router.aside import Aside
from alert_router.model import AlertGroup, PayloadError
from alert_router.notification import Notification
from alert_router.notify import wording
from alert_router.outbox.actions import LatestGroup
from alert_router.runtime import Runtime
from alert_router.server.context import Site

_AT_ONCE = 500  # groups of one question to the store
_OVERLAP = 200  # of a shared store, whose groups do not become visible in order
_MOST = 20_000  # groups in memory


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
    """All groups that fire, by identity."""

    groups: dict[bytes, FiringGroup] = field(default_factory=dict)
    _seq: int = 0
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def catch_up(self, site: Site, aside: Aside) -> None:
        """Read what was accepted since the last time. Raises StoreUnavailable."""
        async with self._reading:
            after = max(0, self._seq - (_OVERLAP if site.outbox.is_shared else 0))
            while True:
                rows = await site.ask(methodcaller("latest", after, _AT_ONCE))
                if not rows:
                    break
                after = rows[-1].seq
                self._seq = max(self._seq, after)
                await aside.run(self._take, rows, site.runtime())
            oldest = site.outbox.now() - site.runtime().config.delivery.keep_delivered
            for identity in [key for key, it in self.groups.items() if it.at < oldest]:
                del self.groups[identity]

    def _take(self, rows: Sequence[LatestGroup], runtime: Runtime) -> None:
        for row in rows:
            known = self.groups.get(row.identity)
            if known is not None and known.seq >= row.seq:
                continue
            try:
                group = AlertGroup.within(runtime.limits, row.body)[0]
            except PayloadError:  # of an earlier version
                continue
            self.groups.pop(row.identity, None)
            if group.firing:
                made = _firing(row, group, runtime)
                began = made.began if known is None else known.began
                self.groups[row.identity] = replace(made, began=began)
        while len(self.groups) > _MOST:
            del self.groups[next(iter(self.groups))]

    def ordered(self) -> list[FiringGroup]:
        """The worst first, then the oldest."""
        return sorted(self.groups.values(), key=lambda it: (it.rank, it.began))


def _firing(row: LatestGroup, group: AlertGroup, runtime: Runtime) -> FiringGroup:
    bare = Notification("", (), "", "", group, scale=runtime.scale)
    grade = wording.grade(bare)
    first = group.firing[0]
    return FiringGroup(
        identity=row.identity,
        seq=row.seq,
        id=row.id,
        began=row.accepted_at,
        at=row.accepted_at,
        title=wording.one_line(wording.title(bare), 200),
        subject=wording.subject(first, bare, 3),
        severity=grade.word,
        level=grade.level,
        rank=min(map(runtime.scale.rank, group.firing)),
        runbook=runtime.choose(first).runbook or "",
    )
