"""GET /api/v1/coverage: the answer, its bounds, and names that are anything but friendly."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.http import get, metric, post
from tests.programs import Router, body, eventually, router, write_config

API = "/api/v1/coverage"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Router]:
    config = write_config(tmp_path, [{"type": "console"}])
    routing = json.loads((tmp_path / "routing.yaml").read_text())
    routing["runbooks"].append({"matchers": ['alertname="Watchdog"'], "runbook": None})
    (tmp_path / "routing.yaml").write_text(json.dumps(routing))
    async with router(config) as process:
        yield process


async def receive(running: Router, *names: str) -> None:
    """Alerts of these names, delivered."""
    before = await metric(running, "alert_router_notifications_total{")
    for name in names:
        status, _ = await post(f"{running.url}/webhook", body(name))
        assert status == 200

    async def delivered() -> bool:
        total = await metric(running, "alert_router_notifications_total{")
        return total == before + len(names)

    await eventually(delivered, "the notifications")


async def observed(running: Router, query: str = "") -> dict[str, Any]:
    status, text = await get(f"{running.url}{API}{query}")
    assert status == 200, text
    return json.loads(text)


async def test_nothing_came_in_yet(running: Router) -> None:
    answer = await observed(running)
    assert (answer["alerts"], answer["days"], answer["totals"]["percent"]) == ([], 30, 100.0)


async def test_what_came_in_is_told_at_once_with_its_runbook_and_totals(running: Router) -> None:
    await receive(running, "HighErrorRate", "Unheard", "Watchdog")
    answer = await observed(running, "?days=1")
    assert {alert["alert"]: alert["state"] for alert in answer["alerts"]} == {
        "HighErrorRate": "covered",
        "Unheard": "uncovered",
        "Watchdog": "none-wanted",
    }
    first = answer["alerts"][0]
    assert (first["rank"], first["woken"], first["received"]) == (1, 1, 1)
    assert answer["totals"] == {
        "alerts": 3,
        "woken": 3,
        "received": 3,
        "covered": 1,
        "uncovered": 1,
        "none_wanted": 1,
        "percent": 50.0,
    }
    for state in ("covered", "uncovered", "none-wanted"):
        series = f'alert_router_firing_alerts_received_total{{coverage="{state}"}}'
        assert await metric(running, series) == 1, state


async def test_each_alert_of_a_group_counts_and_a_notification_wakes_once(running: Router) -> None:
    group = json.loads(body())
    [alert] = group["alerts"]
    over = alert | {"status": "resolved", "endsAt": "2026-11-23T04:00:00Z"}
    group["alerts"] = [
        kind | {"labels": alert["labels"] | {"pod": pod}}
        for pod, kind in (("a", alert), ("b", alert), ("c", over))
    ]
    await post(f"{running.url}/webhook", json.dumps(group).encode())

    async def told() -> list[tuple[str, int, int]]:
        found = (await observed(running))["alerts"]
        return [(it["alert"], it["received"], it["woken"]) for it in found]

    async def right() -> bool:
        return await told() == [("HighErrorRate", 2, 1)]

    await eventually(right, "the tallies")


@pytest.mark.parametrize("days", ["0", "31", "-1", "1.5", "", "x", "٣", "9" * 5000])
async def test_days_out_of_bounds_are_400_as_json(running: Router, days: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(running.url + API, params={"days": days}) as answer:
            assert answer.status == 400
            assert answer.content_type == "application/json"
            assert await answer.json() == {
                "status": "refused",
                "error": "days: expected a whole number from 1 to 30",
            }


async def test_names_may_hold_any_text_and_stay_data(running: Router) -> None:
    names = ["<script>alert(1)</script>", "\x1b[2J\r\n", "\u202e", "x" * 5000, "{{ 7*7 }}", ""]
    await receive(running, *names)
    async with aiohttp.ClientSession() as session:
        async with session.get(running.url + API) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            raw = await answer.read()
    assert raw.isascii()
    found = {alert["alert"] for alert in json.loads(raw)["alerts"]}
    assert found == {name if len(name) <= 200 else "x" * 200 + "…" for name in names}


async def test_it_is_open_where_the_intake_is_guarded(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame\n")
    http = {"listen": "127.0.0.1:0", "auth": {"bearer_token_file": "token"}}
    async with router(write_config(tmp_path, [{"type": "console"}], http=http)) as process:
        assert (await observed(process))["alerts"] == []
