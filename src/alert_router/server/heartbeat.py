"""Alerts that always fire, one from each Alertmanager: when one is missing for its time, a receiver
is notified, and again when it is back.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from alert_router.config.model import Heartbeat
from alert_router.metrics import Metrics
from alert_router.model import AlertGroup
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import NewGroup
from alert_router.receive import Source, to_store
from alert_router.runtime import Runtime

log = structlog.get_logger(__name__)

ALERT = "AlertRouterHeartbeatMissing"
_EVERY = 1.0  # seconds between looks


class Heartbeats:
    """When each heartbeat was last received, and which are missing.

    Which are missing, with the time (Unix seconds) each was last received, is kept in a file, so
    that a restart neither repeats a notification nor forgets that it is back. The time of a
    heartbeat that is not missing begins again at a start: while the router was down, none could
    arrive.
    """

    def __init__(
        self,
        file: Path,
        metrics: Metrics,
        *,
        runtime: Callable[[], Runtime],
        store: Callable[[NewGroup], Awaitable[None]],
        steady: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`store` makes a notification durable; it raises StoreUnavailable."""
        self._file = file
        self._metrics = metrics
        self._runtime = runtime
        self._store = store
        self._steady = steady
        self._wall = wall
        self._seen: dict[str, float] = {}  # monotonic
        self._missing: dict[str, float] = {}

    @property
    def missing(self) -> Mapping[str, float]:
        """When each one that is missing was last received, Unix seconds."""
        return self._missing

    def note(self, group: AlertGroup, source: str) -> None:
        """A group was received from a source: its firing alerts may be heartbeats."""
        for heartbeat in self._runtime().config.heartbeats:
            if heartbeat.source not in ("", source):
                continue
            if any(heartbeat.matches(alert.labels) for alert in group.firing):
                self._seen[heartbeat.name] = self._steady()

    async def watch(self) -> None:
        """Look again and again, for as long as the router runs."""
        self._missing = await asyncio.to_thread(_read, self._file)
        while True:
            try:
                await self.look()
            except (StoreUnavailable, OSError) as error:
                log.error("cannot notify of a heartbeat; trying again", error=str(error))
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Notify of what is missing, and of what is back. Raises StoreUnavailable or OSError."""
        runtime, now = self._runtime(), self._steady()
        names = {heartbeat.name for heartbeat in runtime.config.heartbeats}
        for gone in (self._seen.keys() | self._missing.keys()) - names:
            self._seen.pop(gone, None)
            self._missing.pop(gone, None)
            self._metrics.forget_heartbeat(gone)
        for heartbeat in runtime.config.heartbeats:
            name = heartbeat.name
            if name in self._missing and name not in self._seen:
                age = max(0.0, self._wall() - self._missing[name])  # since before the start
            else:
                age = now - self._seen.setdefault(name, now)
                if (age > heartbeat.timeout) != (name in self._missing):
                    await self._change(heartbeat, age, runtime)
            self._metrics.heartbeat_age.labels(name).set(age)
            self._metrics.heartbeat_missing.labels(name).set(name in self._missing)

    async def _change(self, heartbeat: Heartbeat, age: float, runtime: Runtime) -> None:
        name, now = heartbeat.name, self._wall()
        is_back = name in self._missing
        last = self._missing[name] if is_back else now - age
        raw = _notification(heartbeat, last, now if is_back else None)
        group = AlertGroup.from_bytes(raw)
        await self._store(to_store(group, raw, Source(heartbeat.receiver, ""), runtime, now))
        if is_back:
            del self._missing[name]
            log.info("heartbeat is back", heartbeat=name)
        else:
            self._missing[name] = last
            log.error("heartbeat is missing", heartbeat=name, seconds=round(age))
        await asyncio.to_thread(_write, self._file, self._missing)


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


def _read(file: Path) -> dict[str, float]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): float(moment) for name, moment in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        log.error("cannot read which heartbeats were missing", file=str(file), error=str(error))
        return {}


def _write(file: Path, missing: dict[str, float]) -> None:
    fresh = file.with_name(f"{file.name}.new")
    with fresh.open("w", encoding="utf-8") as stream:
        json.dump(missing, stream)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
