"""What came in is known afterwards: beside the running router, after a restart, after a kill."""

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from alert_router.outbox.model import Observation, day_of
from alert_router.runtime import read_runtime
from alert_router.server import running
from alert_router.server.tasks import tidy
from tests.http import get, metric, post
from tests.programs import Recorder, Router, body, eventually, recorder, write_config

pytestmark = pytest.mark.story

RUNBOOK = "alerts/high-error-rate"


async def observed(config: Path) -> dict[str, Any]:
    """What a second process tells from the store alone, by alert name."""
    command = [str(Path(sys.executable).parent / "alert-router"), "coverage", "--observed"]
    process = await asyncio.create_subprocess_exec(
        *command, "--config", str(config), "--output", "json", stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return {alert["alert"]: alert for alert in json.loads(out)["alerts"]}


def counts(found: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """(received, notified) by name."""
    return {name: (alert["received"], alert["woken"]) for name, alert in found.items()}


async def deliver(running: Router, destination: Recorder, payload: bytes, messages: int) -> None:
    """Post it and wait until so many messages were delivered in all."""
    assert (await post(f"{running.url}/webhook", payload))[1]["status"] == "accepted"

    async def delivered() -> bool:
        total = "alert_router_notifications_total{"
        return len(destination.requests) == messages == await metric(running, total)

    await eventually(delivered, f"{messages} messages")


async def test_what_came_in_is_told_beside_the_router_and_after_a_restart(tmp_path: Path) -> None:
    async with recorder() as destination:
        both = [{"type": "webhook", "name": name, "url": destination.url} for name in "ab"]
        config = write_config(tmp_path, both)
        running = await Router(config).started()
        try:
            await deliver(running, destination, body(), 2)
            _, again = await post(f"{running.url}/webhook", body())
            assert again["status"] == "duplicate"
            await deliver(running, destination, body(status="resolved"), 4)
            await deliver(running, destination, body("Unheard"), 6)
            expected = {"HighErrorRate": (1, 2), "Unheard": (1, 2)}

            async def written() -> bool:
                return counts(await observed(config)) == expected

            await eventually(written, "the tallies to be written")
            found = await observed(config)
            [choice] = found["HighErrorRate"]["choices"]
            assert (choice["runbook"], choice["way"]) == (RUNBOOK, "table")
            assert found["Unheard"]["state"] == "uncovered"

            # What was counted last is written at the stop.
            await deliver(running, destination, body("AtTheEnd"), 8)
            assert running.end() == 0
            expected |= {"AtTheEnd": (1, 2)}
            assert counts(await observed(config)) == expected
            running = await Router(config).started()
            _, answer = await get(f"{running.url}/api/v1/coverage")
            assert counts({it["alert"]: it for it in json.loads(answer)["alerts"]}) == expected
        finally:
            running.end(signal.SIGKILL)


async def test_what_is_older_than_30_days_is_forgotten_unless_the_clock_is_in_doubt(
    tmp_path: Path,
) -> None:
    now = time.time()
    today = day_of(now)
    days = [today - back for back in (0, 29, 30, 31, 400)]
    config = write_config(tmp_path, [{"type": "console"}])
    async with running(config, read_runtime(config)) as router:
        outbox, runtime, metrics = router.outbox, router.runtime, router.metrics
        await outbox.observe(
            [Observation(day, "A", "", "none", 1, 0, day * 86_400.0) for day in days]
        )
        await tidy(outbox, runtime, metrics, now, may_prune=False)
        assert [day for day in days if await outbox.observed(day)] == days
        await tidy(outbox, runtime, metrics, now)
        assert [day for day in days if await outbox.observed(day)] == [today, today - 29]


async def test_a_kill_loses_no_alert_and_of_the_tallies_the_last_seconds(tmp_path: Path) -> None:
    async with recorder() as destination:
        config = write_config(tmp_path, [{"type": "webhook", "url": destination.url}])
        running = await Router(config).started()
        try:
            await deliver(running, destination, body("Before"), 1)

            async def written() -> bool:
                return counts(await observed(config)) == {"Before": (1, 1)}

            await eventually(written, "the tallies to be written")
            await post(f"{running.url}/webhook", body("Last"))
            running.end(signal.SIGKILL)
            running = await Router(config).started()

            def told() -> bool:
                names = [it.json["alerts"][0]["labels"]["alertname"] for it in destination.requests]
                return "Last" in names

            await eventually(told, "the alert that came right before the kill")
            assert counts(await observed(config))["Before"] == (1, 1)
        finally:
            running.end(signal.SIGKILL)
