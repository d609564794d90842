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


async def test_every_destination_took_it(running: Router, destination: Recorder) -> None:
    result = await send(running, "alertname=Test", "--to", "oncall")

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[2:] == [
        "oncall/hook     delivered",
        "oncall/console  delivered",
    ]
    assert destination.requests[0].json["alerts"][0]["labels"]["alertname"] == "Test"


async def test_what_each_destination_answered_is_told(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "mixed", "--wait", "3")

    assert result.exit_code == 1
    good, gone, picky = result.stdout.splitlines()[2:]
    assert good == "mixed/good   delivered"
    assert gone.startswith("mixed/gone   failed: misconfigured: HTTP 410: this hook was deleted; ")
    assert "; tried again in " in gone
    assert picky.startswith("mixed/picky  failed: rejected: HTTP 400")
    assert "\x1b" not in result.output

    again = await send(running, "alertname=Other", "--to", "mixed", "--wait", "1")
    held = again.stdout.splitlines()[3]
    assert held.startswith("mixed/gone   still waiting: HTTP 410: this hook was deleted; ")
    assert "the destination rests for " in held


async def test_what_is_tried_again_in_time_is_waited_for(
    running: Router, destination: Recorder
) -> None:
    def later(request: Request) -> web.Response:
        return answer(request) if len(destination.requests) == 1 else web.Response(text="ok")

    destination.answer = later
    result = await send(running, "alertname=Test", "--to", "busy", "--wait", "60")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[2:] == ["busy/hook  delivered"]


async def test_who_still_waits_is_told_with_the_last_answer(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "busy", "--wait", "1.5")

    assert result.exit_code == 1
    line = result.stdout.splitlines()[2]
    assert line.startswith("busy/hook  failed: server_error: HTTP 503: come back")


async def test_a_resolved_alert_is_followed_too(running: Router, destination: Recorder) -> None:
    result = await send(running, "alertname=Test", "--resolved", "--to", "oncall")

    assert result.exit_code == 0
    assert destination.requests[0].json["status"] == "resolved"


async def test_where_nothing_is_wanted_nothing_was_tested(running: Router) -> None:
    result = await send(running, "alertname=Test", "--resolved", "--to", "firing")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[2] == (
        "firing/hook  not sent: it wants no resolved alerts (send_resolved: false)"
    )


async def test_a_receiver_without_notifiers_is_said_to_be_one(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "nobody")

    assert result.exit_code == 1
    assert "its receiver may have no notifier" in result.stderr


async def test_a_receiver_the_router_does_not_have_is_no_success(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "oncal")

    assert result.exit_code == 1
    assert "'oncal' is not configured there" in result.stderr
    assert "oncall/hook" in result.stdout


async def test_a_duplicate_is_followed_to_what_it_repeats(running: Router) -> None:
    for _ in range(2):
        result = await send(running, "-", "--to", "oncall", input=body())

    assert result.exit_code == 0
    assert "nothing new is sent" in result.stdout
    assert "oncall/hook     delivered" in result.stdout


async def test_machines_get_the_deliveries(running: Router) -> None:
    result = await send(running, "alertname=Test", "--to", "mixed", "--output", "json")

    assert result.exit_code == 1
    found = json.loads(result.stdout)["deliveries"]
    assert [(one["notifier"], one["state"], one["reason"]) for one in found] == [
        ("good", "delivered", ""),
        ("gone", "waiting", "misconfigured"),
        ("picky", "dead", "rejected"),
    ]


async def test_the_router_tells_nobody_without_credentials(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame\n")
    http = {"listen": "127.0.0.1:0", "auth": {"bearer_token_file": "token"}}
    async with router(write_config(tmp_path, [{"type": "console"}], http=http)) as process:
        path = "/api/v1/groups/00000000-0000-4000-8000-000000000000"
        status, _ = await get(process.url + path)
        assert status == 401
        with_token = {"Authorization": "Bearer sesame"}
        status, text = await get(process.url + path, headers=with_token)
        assert (status, json.loads(text)["status"]) == (404, "unknown")
