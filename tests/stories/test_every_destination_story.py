"""Every notifier that speaks HTTP at once, with destinations that say back all they were told, or
never stop talking: no secret comes out anywhere, and no memory goes."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.http import get, metric, post
from tests.programs import Request, body, eventually, recorder, router, write_config

pytestmark = pytest.mark.story

WORD = "SECRETWORD"
DELIVERY = {"min_backoff": "50ms", "max_backoff": "100ms", "hold_backoff": "100ms"}


def notifiers(url: str) -> list[dict[str, Any]]:
    """One of each, all their secrets with the word in them."""
    there = {type_: f"{url}/{type_}" for type_ in ("bot", "pagerduty", "ntfy", "telegram")}
    hook = f"{url}/%s/T{WORD}/B{WORD}?token=x{WORD}"
    found: list[dict[str, Any]] = [
        {"type": type_, "url": hook % type_}
        for type_ in ("slack", "teams", "googlechat", "discord", "mattermost")
    ]
    return [
        *found,
        {
            "type": "webhook",
            "url": hook % "webhook",
            "headers": {"X-Key": f"h{WORD}"},
            "bearer_token": f"b{WORD}",
        },
        {
            "type": "slack",
            "name": "bot",
            "bot_token": f"xoxb-{WORD}",
            "channel": "#alerts",
            "api_url": there["bot"],
        },
        {"type": "pagerduty", "routing_key": f"k{WORD}", "url": there["pagerduty"]},
        {"type": "ntfy", "topic": f"t{WORD}", "token": f"tk_{WORD}", "url": there["ntfy"]},
        {
            "type": "telegram",
            "bot_token": f"123:{WORD}",
            "chat_id": -100123,
            "api_url": there["telegram"],
        },
        {"type": "apprise", "url": (hook % "apprise").replace("http", "json", 1)},
    ]


def say_back(request: Request) -> web.Response:
    """All of a request in the answer, each time with another status."""
    said = json.dumps([request.path, *request.headers.values(), request.body.decode()])
    status = (500, 404, 400, 200)[len(said) % 4]
    return web.Response(status=status, text=said)


async def test_no_secret_is_told_anywhere_whatever_a_destination_says_back(tmp_path: Path) -> None:
    async with recorder() as destination:
        destination.answer = say_back
        made = [one | {"rate_limit": "100/s"} for one in notifiers(destination.url)]
        config = write_config(tmp_path, made, delivery=DELIVERY)
        async with router(config) as process:
            for number in range(8):
                await post(f"{process.url}/webhook", body(key=f"k{number}", n="x" * number))

            def all_were_tried() -> bool:
                tried = {request.path.split("/")[1] for request in destination.requests}
                return len(tried) == len(made) and len(destination.requests) > 8 * len(made) // 2

            await eventually(all_were_tried, "every destination to be tried")
            pages = ["/metrics", "/-/ready", "/api/v1/coverage"]
            told = [(await get(process.url + page))[1] for page in pages]
            told += [
                await asyncio.to_thread(command, config, *words)
                for words in (
                    ("deliveries", "list", "--output", "json"),
                    ("deliveries", "list"),
                    ("check",),
                )
            ]
            store = b"".join(path.read_bytes() for path in tmp_path.glob("alert-router.db*"))
        assert "misconfigured" in told[3]
        said = [request.path + str(request.headers) for request in destination.requests]
        assert any(WORD in text for text in said)
    assert WORD not in process.text()
    assert [text[:200] for text in told if WORD in text] == []
    assert WORD.encode() not in store


def command(config: Path, *words: str) -> str:
    """What a command says."""
    program = Path(sys.executable).with_name("alert-router")
    done = subprocess.run(
        [program, *words, "--config", config], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


async def test_answers_without_end_leave_memory_as_it_was(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async with recorder() as destination:
        destination.answer = lambda request: web.Response(body=endless())
        made = [{"type": "webhook", "url": destination.url, "rate_limit": "1000/s"}]
        async with router(write_config(tmp_path, made, delivery=DELIVERY)) as process:
            status = Path(f"/proc/{process.popen.pid}/status")

            async def resident_after(groups: int, first: int) -> int:
                for number in range(first, groups):
                    await post(f"{process.url}/webhook", body(key=f"k{number}"))
                sent = 'alert_router_deliveries_pending{notifier="webhook",receiver="oncall"}'

                async def nothing_waits() -> bool:
                    return await metric(process, sent) == 0

                await eventually(nothing_waits, "all to be sent")
                lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
                return int(lines["VmRSS"].split()[0]) * 1024

            few, many = await resident_after(20, 0), await resident_after(200, 20)
            # 180 answers of which 64 KiB are read each: kept, they would be 12 MB; all that is
            # offered, gigabytes.
            assert many - few < 10_000_000
