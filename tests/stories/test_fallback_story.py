"""A destination that takes nothing: another is told, also over a restart, and says why."""

import signal
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.programs import Router, body, eventually, recorder, write_config

pytestmark = pytest.mark.story


async def post(router: Router, payload: bytes) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{router.url}/webhook", data=payload) as answer,
    ):
        assert answer.status == 200


def config(folder: Path, primary: str, backup: str) -> Path:
    receivers = [
        {
            "name": "oncall",
            "notifiers": [
                {
                    "type": "webhook",
                    "name": "chat",
                    "url": primary,
                    "fallback": "backup",
                    "fallback_after": "2s",
                }
            ],
        },
        {"name": "backup", "notifiers": [{"type": "webhook", "name": "mail", "url": backup}]},
    ]
    delivery = {"min_backoff": "100ms", "max_backoff": "500ms", "hold_backoff": "1h"}
    return write_config(folder, [], receivers=receivers, delivery=delivery)


async def test_what_waits_is_told_by_the_fallback_over_a_restart(tmp_path: Path) -> None:
    async with recorder() as primary, recorder() as backup:
        primary.answer = lambda request: web.Response(status=503)
        path = config(tmp_path, primary.url, backup.url)
        running = await Router(path).started()
        try:
            await post(running, body(key="one"))
            await eventually(lambda: primary.requests, "the first try")
            running.end(signal.SIGKILL)
            running = await Router(path).started()
            await eventually(lambda: backup.requests, "the fallback")
            told = backup.requests[0].json
            assert told["groupKey"] == "one"
            assert told["alert_router"]["notes"] == ["Sent here because oncall/chat is failing."]
            primary.answer = lambda request: web.Response()
            await eventually(lambda: primary.requests[-1].status == 200, "the recovery")
            await post(running, body(key="two"))
            await eventually(lambda: primary.requests[-1].json["groupKey"] == "two", "a new one")
        finally:
            running.end(signal.SIGKILL)
    assert [request.json["groupKey"] for request in backup.requests] == ["one"]
    assert {request.json["groupKey"] for request in primary.requests} == {"one", "two"}


async def test_a_destination_that_is_held_falls_back_with_all_that_waits(tmp_path: Path) -> None:
    async with recorder() as primary, recorder() as backup:
        primary.answer = lambda request: web.Response(status=404)
        running = await Router(config(tmp_path, primary.url, backup.url)).started()
        try:
            for number in range(20):
                await post(running, body(key=f"k{number}"))
            await eventually(lambda: len(backup.requests) == 20, "all of them")
            tries = len(primary.requests)
            assert tries < 10, "a held destination is not tried again and again"
        finally:
            running.end(signal.SIGKILL)
