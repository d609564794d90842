"""Alerts that always fire, one from each Alertmanager: when one is missing for its time, a receiver
is notified, and again when it is back.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from math import inf

import structlog

from alert_router.config.model import Heartbeat
from alert_router.metrics import Metrics
from alert_router.model import AlertGroup
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import Destination, HeartbeatState
from alert_router.receive import Source, to_store
from alert_router.runtime import Runtime

log = structlog.get_logger(__name__)

ALERT = "AlertRouterHeartbeatMissing"
_EVERY = 1.0  # seconds between looks


class Heartbeats:
    """When each heartbeat was last received, and which are missing: kept in the store, so that
    routers that share one notify once, and a restart repeats nothing.

    How long one is missing is measured by this process's clock, from when it saw the time in the
    store change: a clock that is set makes no difference. So the time begins again at a start, and
    when a shared store cannot be used any more and when it can be again: what the others receive
    meanwhile is not known. Until then a router misses only what it has itself received, from a
    heartbeat's time before on.
    """

    def __init__(
        self,
        outbox: Outbox,
        metrics: Metrics,
        *,
        runtime: Callable[[], Runtime],
        wake: Callable[[Destination, int], None],
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wake` is called for each delivery of a notification."""
        self._outbox = outbox
        self._metrics = metrics
        self._runtime = runtime
        self._wake = wake
        self._steady = steady
        self._received: set[str] = set()  # and not yet written
        self._heard: dict[str, float] = {}  # when this router last received each, monotonic
        self._is_spooling = False  # at the last look
        self._seen: dict[str, tuple[float, float]] = {}  # as stored, and since when (monotonic)
        self.missing: dict[str, float] = {}  # when each was last received, Unix seconds

    def note(self, group: AlertGroup, source: str) -> None:
        """A group was received from a source: its firing alerts may be heartbeats."""
        for heartbeat in self._runtime().config.heartbeats:
            if heartbeat.source not in ("", source):
                continue
            if any(heartbeat.matches(alert.labels) for alert in group.firing):
                self._received.add(heartbeat.name)
                self._heard[heartbeat.name] = self._steady()

    async def watch(self) -> None:
        """Look again and again, for as long as the router runs."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                log.error("cannot read or write heartbeats; trying again", error=str(error))
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Notify of what is missing, and of what is back. Raises StoreUnavailable."""
        runtime, outbox = self._runtime(), self._outbox
        configured = {heartbeat.name: heartbeat for heartbeat in runtime.config.heartbeats}
        await self._follow_store(configured.values())
        if not self._is_spooling:
            await self._forget(self._seen.keys() - configured.keys())
        if not configured:
            return
        received = self._received & configured.keys()
        if received:
            await outbox.beat(received, outbox.now())
            self._received -= received
        for state in await outbox.heartbeats(list(configured), outbox.now()):
            await self._judge(configured[state.name], state, runtime)

    async def _follow_store(self, configured: Iterable[Heartbeat]) -> None:
        """Begin again where another store is in use than at the last look."""
        is_spooling = self._outbox.is_spooling
        if is_spooling == self._is_spooling:
            return
        if is_spooling:  # those that come here can be missed here
            for heartbeat in configured:
                name = heartbeat.name
                age = self._steady() - self._heard.get(name, -inf)
                if age <= heartbeat.timeout:
                    stored_at, _ = self._seen.get(name, (0.0, 0.0))
                    await self._outbox.beat([name], max(stored_at, self._outbox.now() - age))
        self._seen = dict.fromkeys(self._seen, (-1.0, 0.0))
        self._is_spooling = is_spooling

    async def _forget(self, gone: Iterable[str]) -> None:
        for name in gone:
            await self._outbox.forget_heartbeat(name)
            del self._seen[name]
            self._heard.pop(name, None)
            self.missing.pop(name, None)
            self._metrics.forget_heartbeat(name)

    async def _judge(self, heartbeat: Heartbeat, state: HeartbeatState, runtime: Runtime) -> None:
        name, now = state.name, self._steady()
        if self._seen.get(name, (None,))[0] != state.seen_at:
            self._seen[name] = state.seen_at, now
        age = now - self._seen[name][1]
        # What a router received just before an outage, unknown to one that missed it then, is old.
        is_recent = self._outbox.now() - state.seen_at <= heartbeat.timeout
        is_back = is_recent and state.missing_since not in (0.0, state.seen_at)
        if is_back:
            state = await self._change(heartbeat, state, 0.0, runtime)
        elif not state.missing_since and age > heartbeat.timeout:
            state = await self._change(heartbeat, state, state.seen_at, runtime)
        if state.missing_since:
            self.missing[name] = max(state.missing_since, state.seen_at)
            age = max(age, self._outbox.now() - state.seen_at)  # since before the start
        else:
            self.missing.pop(name, None)
        self._metrics.heartbeat_age.labels(name).set(age)
        self._metrics.heartbeat_missing.labels(name).set(bool(state.missing_since))

    async def _change(
        self, heartbeat: Heartbeat, before: HeartbeatState, missing_since: float, runtime: Runtime
    ) -> HeartbeatState:
        """Notify that it is missing, or with 0 that it is back, unless another router has."""
        back_at = None if missing_since else before.seen_at
        raw = _notification(heartbeat, missing_since or before.missing_since, back_at)
        source, now = Source(heartbeat.receiver, ""), self._outbox.now()
        group = to_store(AlertGroup.from_bytes(raw), raw, source, runtime, now)
        if not await self._outbox.change_heartbeat(before, missing_since, group):
            return before
        for target in group.targets:
            self._wake(target.destination, target.priority)
        if missing_since:
            log.error("heartbeat is missing", heartbeat=before.name, group_id=group.id)
        else:
            log.info("heartbeat is back", heartbeat=before.name, group_id=group.id)
        return replace(before, missing_since=missing_since)


def _notification(heartbeat: Heartbeat, last: float, back_at: float | None) -> bytes:
    """The body of a group with the one alert, as Alertmanager would send it."""
    labels = {"alertname": ALERT, "heartbeat": heartbeat.name, "severity": heartbeat.severity}
    annotations = {
        "summary": f"No heartbeat from Alertmanager {heartbeat.name}",
        "description": f"The last one was received at {_time(last)}. Alerts may be missing since.",
    }
    status = "firing" if back_at is None else "resolved"
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": _time(last),
        "endsAt": _time(back_at or 0),
        "fingerprint": f"heartbeat/{heartbeat.name}",
    }
    group = {
        "groupKey": f"heartbeat/{heartbeat.name}",
        "status": status,
        "receiver": heartbeat.receiver,
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "alerts": [alert],
    }
    return json.dumps(group).encode()


def _time(moment: float) -> str:
    return datetime.fromtimestamp(round(moment), UTC).isoformat().replace("+00:00", "Z")
