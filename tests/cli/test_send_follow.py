"""`alert-router send --to`: a receiver tested end to end, with a running router."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from alert_router.cli import main
from tests.http import get
from tests.programs import Recorder, Request, Router, body, recorder, router, write_config

ANSWERS = {
    "/gone": (410, "this hook was deleted"),
    "/no": (400, "no such \x1b[31mfield"),
    "/busy": (503, "come back"),
    "/ok": (200, "ok"),
}


def answer(request: Request) -> web.Response:
    status, text = ANSWERS[request.path]
    return web.Response(status=status, text=text)


@pytest.fixture
async def destination() -> AsyncIterator[Recorder]:
    async with recorder() as made:
        made.answer = answer
        yield made


@pytest.fixture
async def running(tmp_path: Path, destination: Recorder) -> AsyncIterator[Router]:
    def hook(path: str, **more: Any) -> dict[str, Any]:
        name = more.pop("name", "hook")
        return {"type": "webhook", "name": name, "url": destination.url + path, **more}

    receivers = {
        "oncall": [hook("/ok"), {"type": "console"}],
        "mixed": [hook("/ok", name="good"), hook("/gone", name="gone"), hook("/no", name="picky")],
        "busy": [hook("/busy")],
        "firing": [hook("/ok", send_resolved=False)],
        "nobody": [],
    }
    config = write_config(
        tmp_path,
        [],
        receivers=[{"name": name, "notifiers": made} for name, made in receivers.items()],
    )
    async with router(config) as process:
        yield process


async def send(running: Router, *arguments: str, **options: Any) -> Result:
    words = ["send", *arguments, "--url", running.url]
    return await asyncio.to_thread(CliRunner().invoke, main, words, **options)


async def test_all_destinations_deliver(running: Router, destination: Recorder) -> None:
    result = await send(running, "alertname=Test", "--to", "oncall")

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[2:] == [
        "oncall/hook     delivered",
        "oncall/console  delivered",
    ]
    assert destination.requests[0].json["alerts"][0]["labels"]["alertname"] == "Test"


async def test_each_destination_s_answer_is_reported(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "mixed", "--wait", "3")

    assert result.exit_code == 1
    good, gone, picky = result.stdout.splitlines()[2:]
    assert good == "mixed/good   delivered"
    assert gone.startswith("mixed/gone   failed: misconfigured: HTTP 410: this hook was deleted; ")
    assert "; retry in " in gone
    assert picky.startswith("mixed/picky  failed: rejected: HTTP 400")
    assert "; kept as a dead letter: alert-router deliveries replay " in picky
    assert "\x1b" not in result.output

    again = await send(running, "alertname=Other", "--to", "mixed", "--wait", "1")
    held = again.stdout.splitlines()[3]
    assert held.startswith("mixed/gone   still pending: HTTP 410: this hook was deleted; ")
    assert "the destination is paused for " in held


async def test_a_retry_within_the_time_is_waited_for(
    running: Router, destination: Recorder
) -> None:
    def later(request: Request) -> web.Response:
        return answer(request) if len(destination.requests) == 1 else web.Response(text="ok")

    destination.answer = later
    result = await send(running, "alertname=Test", "--to", "busy", "--wait", "60")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[2:] == ["busy/hook  delivered"]


async def test_a_pending_delivery_is_reported_with_its_last_answer(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "busy", "--wait", "1.5")

    assert result.exit_code == 1
    line = result.stdout.splitlines()[2]
    assert line.startswith("busy/hook  failed: server_error: HTTP 503: come back")


async def test_a_resolved_alert_is_followed_too(running: Router, destination: Recorder) -> None:
    result = await send(running, "alertname=Test", "--resolved", "--to", "oncall")

    assert result.exit_code == 0
    assert destination.requests[0].json["status"] == "resolved"


async def test_a_receiver_that_skips_the_alert_is_a_failure(running: Router) -> None:
    result = await send(running, "alertname=Test", "--resolved", "--to", "firing")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[2] == ("firing/hook  skipped: `send_resolved` is false")


async def test_a_receiver_without_notifiers_is_a_failure(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "nobody")

    assert result.exit_code == 1
    assert "its receiver may have no notifier" in result.stderr


async def test_a_receiver_unknown_to_the_router_is_a_failure(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "oncal")

    assert result.exit_code == 1
    assert "'oncal' is not configured there" in result.stderr
    assert "oncall/hook" in result.stdout


async def test_a_duplicate_shows_the_deliveries_of_the_accepted_group(running: Router) -> None:
    for _ in range(2):
        result = await send(running, "-", "--to", "oncall", input=body())

    assert result.exit_code == 0
    assert "duplicate: nothing new is sent" in result.stdout
    assert "oncall/hook     delivered" in result.stdout


async def test_json_has_the_deliveries(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "mixed", "--output", "json")

    assert result.exit_code == 1
    found = json.loads(result.stdout)["deliveries"]
    assert [(one["notifier"], one["state"], one["reason"]) for one in found] == [
        ("good", "delivered", ""),
        ("gone", "waiting", "misconfigured"),
        ("picky", "dead", "rejected"),
    ]


async def test_the_deliveries_of_a_group_require_credentials(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame\n")
    http = {"listen": "127.0.0.1:0", "auth": {"bearer_token_file": "token"}}
    async with router(write_config(tmp_path, [{"type": "console"}], http=http)) as process:
        path = "/api/v1/groups/00000000-0000-4000-8000-000000000000"
        status, _ = await get(process.url + path)
        assert status == 401
        with_token = {"Authorization": "Bearer sesame"}
        status, text = await get(process.url + path, headers=with_token)
        assert (status, json.loads(text)["status"]) == (404, "unknown")
