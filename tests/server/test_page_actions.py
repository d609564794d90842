"""What people do on the page of a group: kept once, and only if they mean it."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.http import get
from tests.postgres import server
from tests.programs import (
    PATIENCE,
    Router,
    eventually,
    patched,
    recorder,
    router,
    write_config,
)
from tests.replicas import is_up, proxy, replicas
from tests.server.test_group_page import alerts, send


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Router]:
    async with router(write_config(tmp_path, [{"type": "console"}])) as process:
        yield process


class Tab:
    """A browser's tab on a page, without JavaScript."""

    def __init__(self, session: aiohttp.ClientSession, url: str, name: str) -> None:
        self.session, self.url, self.name = session, url, name
        self.text, self.status = "", 0

    async def load(self) -> str:
        async with self.session.get(self.url) as answer:
            self.text, self.status = await answer.text(), answer.status
        return self.text

    async def press(self, value: str, **fields: str) -> str:
        """Press the button of that value; the page that follows."""
        action = re.search(r'<form id="act"[^>]*action="([^"]+)"', self.text)[1]
        token = re.search(r'name="token" value="([^"]+)"', self.text)[1]
        data = {"token": token, "who": self.name, "do": value, **fields}
        url = str(URL(self.url).join(URL(action)))
        async with self.session.post(url, data=data) as answer:
            self.text, self.status = await answer.text(), answer.status
        return self.text

    def button(self, words: str, number: int = 0) -> str:
        """The value of a button of the page."""
        found = re.findall(rf'<button[^>]*value="([^"]*)"[^>]*>{words}', self.text)
        return found[number]


@asynccontextmanager
async def tab(running: Router, id_: str, name: str = "", **headers: str) -> AsyncIterator[Tab]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as session:
        made = Tab(session, f"{running.url}/groups/{id_}", name)
        await made.load()
        yield made


async def test_a_step_that_one_ticks_is_ticked_for_everybody_until_it_is_taken_back(running):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "Ana") as ana, tab(running, id_, "Ben") as ben:
        assert "0 of 4 done" in ana.text
        assert "1 of 4 done" in await ana.press(ana.button("☐"))
        assert "Done by Ana" in await ben.load()
        assert re.search(r"Ana did: Look at the share", ben.text)
        assert "0 of 4 done" in await ben.press(ben.button("☑"))
        assert "Ben took back: Look at the share" in await ana.load()


async def test_who_has_it_is_shown_and_can_change(running):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "Ana") as ana, tab(running, id_, "Ben") as ben:
        assert "Nobody has it yet" in ana.text
        assert "<strong>Ana has it</strong>" in await ana.press("take")
        assert "<strong>Ben has it</strong>" in await ben.press("take")
        assert "Nobody has it yet" in await ben.press("release")


async def test_a_name_is_asked_once(running):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "  Ana\n\t<b>  ") as ana:
        await ana.press("name")
        assert 'name="who" value="Ana &lt;b&gt;"' in await ana.load()
        ana.name = ""
        assert "Ana &lt;b&gt; has it" in await ana.press("take")


async def test_without_a_name_nothing_is_done(running):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_) as nobody:
        assert "Write your name first" in await nobody.press("take")
        assert nobody.status == 403
        assert "Nobody has it yet" in await nobody.load()


async def test_after_the_end_people_say_whether_the_runbook_helped_and_usage_counts_it(running):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "Ana") as ana:
        assert "It helped" not in ana.text
        await ana.press(ana.button("☐", 1))
        await send(running, alerts("cart-1", status="resolved"))
        await ana.load()
        await ana.press(ana.button("It helped"))
        assert "Ana: helped" in ana.text
        await ana.press(ana.button("This did it", 1))
        url = f"{running.url}/api/v1/runbooks/alerts/high-error-rate/usage"
        async with ana.session.get(url) as answer:
            usage = await answer.json()
    counts = {(row["step"] != "", row["kind"]): row["count"] for row in usage["counts"]}
    assert counts == {(True, "tick"): 1, (False, "helped"): 1, (True, "helped"): 1}
    assert all(re.fullmatch("[0-9a-f]{8}", row["revision"]) for row in usage["counts"])


async def test_ticks_belong_to_the_time_that_the_group_fires(running):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "Ana") as ana:
        await ana.press(ana.button("☐"))
        await send(running, alerts("cart-1", status="resolved"))
    again = await send(running, alerts("cart-1", startsAt="2026-11-24T03:00:00Z"))
    async with tab(running, again, "Ana") as ana:
        assert "0 of 4 done" in ana.text
        assert ": Look at the share of errors." in ana.text  # of the earlier time


async def test_who_has_it_is_known_for_the_whole_incident_however_many_notifications(running):
    first = await send(running, alerts("cart-1"))
    async with tab(running, first, "Ana") as ana:
        await ana.press("take")
        await ana.press(ana.button("☐"))
    for number in range(204):
        last = await send(running, alerts("cart-1", f"cart-{number}"))
    for id_ in (first, last):
        async with tab(running, id_, "Ben") as ben:
            assert "<strong>Ana has it</strong>" in ben.text
            assert "1 of 4 done" in ben.text
    _, now = await get(f"{running.url}/")
    assert "Ana has it, 1 of 4 done" in now


async def test_what_was_done_is_there_after_the_router_was_killed(tmp_path):
    config = write_config(tmp_path, [{"type": "console"}])
    async with router(config) as first:
        id_ = await send(first, alerts("cart-1"))
        async with tab(first, id_, "Ana") as ana:
            await ana.press(ana.button("☐"))
            first.end(signal.SIGKILL)
    async with router(config) as second, tab(second, id_, "Ana") as ana:
        assert "1 of 4 done" in ana.text
        assert ana.text.count("Ana did: ") == 1


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"Origin": "https://evil.example.org"}, {}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
        ({}, {"token": ""}),
        ({}, {"token": "0" * 32}),
        ({"Content-Type": "text/plain"}, {}),
    ],
)
async def test_a_form_of_another_site_does_nothing(running, headers, fields):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "Ana") as ana:
        token = re.search(r'name="token" value="([^"]+)"', ana.text)[1]
        data = aiohttp.FormData({"token": token, "who": "Ana", "do": "take"} | fields)()._value
        more = {"Content-Type": "application/x-www-form-urlencoded"} | headers
        async with ana.session.post(f"{ana.url}/actions", data=data, headers=more) as answer:
            assert answer.status == 403
        assert "Nobody has it yet" in await ana.load()


async def test_the_token_of_another_browser_does_not_help(running):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "Ana") as ana, tab(running, id_, "Eve") as eve:
        theirs = re.search(r'name="token" value="([^"]+)"', eve.text)[1]
        await ana.press("take", token=theirs)
        assert ana.status == 403


@pytest.mark.parametrize(
    "do", ["", "tick", "tick 0000", "helped nothing/like/it", "take more", "drop table", "tick \0"]
)
async def test_what_is_no_button_of_the_page_does_nothing(running, do):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "Ana") as ana:
        before = re.sub(r"Sent to.*|Pending.*", "", re.sub(r"data-hash=\S+", "", ana.text))
        await ana.press(do)
        assert ana.status == 403
        assert len(await ana.load()) >= len(before) - 100
        assert "Ana" not in ana.text.replace('value="Ana"', "")


async def test_acting_can_be_protected_apart_from_reading(tmp_path):
    auth = {"basic": {"username": "ana", "password": "s3cret"}, "protect": ["actions"]}
    http = {"listen": "127.0.0.1:0", "auth": auth}
    async with router(write_config(tmp_path, [{"type": "console"}], http=http)) as process:
        id_ = await send(process, alerts("cart-1"))
        async with tab(process, id_, "Ana") as ana:
            assert ana.status == 200
            await ana.press("take")
            assert ana.status == 401
        basic = aiohttp.encode_basic_auth("ana", "s3cret")
        async with tab(process, id_, "Ana", Authorization=basic) as ana:
            assert "Ana has it" in await ana.press("take")


@pytest.mark.parametrize("network", ["127.0.0.0/8", "10.0.0.0/8"])
async def test_a_proxy_says_who_it_is_and_only_one_that_is_listed(tmp_path, network):
    people = {"header": "X-Forwarded-User", "proxies": [network]}
    http = {"listen": "127.0.0.1:0", "people": people}
    async with router(write_config(tmp_path, [{"type": "console"}], http=http)) as process:
        id_ = await send(process, alerts("cart-1"))
        async with tab(process, id_, "Eve", **{"X-Forwarded-User": "ana"}) as ana:
            text = await ana.press("take")
        if network.startswith("127"):
            assert "<strong>ana has it</strong>" in text
        else:
            assert ana.status == 403
        async with tab(process, id_, "Eve") as eve:
            assert "You can read" in eve.text
            await eve.press("take")
            assert eve.status == 403


async def test_a_stream_sends_what_changes_at_once_and_nothing_else(tmp_path):
    """Not only when the router looks by itself: it does that once an hour."""
    live = "alert_router.server.pages.live"
    changed_there = {"_EVERY": 3600.0, "_SELDOM": 3600.0, "_ALIVE_SECONDS": 0.1}
    seldom = patched({f"{live}.{name}": seconds for name, seconds in changed_there.items()})
    config = write_config(tmp_path, [{"type": "console"}])
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(router(config, prefix=seldom))
        id_ = await send(running, alerts("cart-1"))

        async def is_sent() -> bool:
            async with tab(running, id_) as one:
                return "Sent to" in one.text

        await eventually(is_sent, "the delivery")
        ana = await stack.enter_async_context(tab(running, id_, "Ana"))
        ben = await stack.enter_async_context(tab(running, id_, "Ben"))
        async with ben.session.get(f"{ben.url}/live") as stream:
            assert stream.content_type == "text/event-stream"
            changed = {}
            async with asyncio.timeout(PATIENCE):
                while (line := await stream.content.readline()) != b": alive\n":
                    assert line, "the stream has ended before what it starts from was made"
                await ana.press(ana.button("☐"))
                async for line in stream.content:
                    if line.startswith(b"data: "):
                        event = json.loads(line[6:])
                        changed[event["id"]] = event["html"]
                    if len(changed) == 3:
                        break
    (step,) = (id_ for id_ in changed if id_.startswith("step-"))
    assert changed.keys() == {"head", "timeline", step}
    assert "Done by Ana" in changed[step]


async def test_a_page_that_has_not_changed_is_not_sent_again(running):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "Ana") as ana:

        async def is_same() -> Any:
            async with ana.session.get(ana.url) as answer:
                tag = answer.headers["ETag"]
            async with ana.session.get(ana.url, headers={"If-None-Match": tag}) as answer:
                return answer.status == 304 and not await answer.read()

        assert await eventually(is_same, "the same page")


@pytest.mark.story
async def test_while_a_shared_database_cannot_be_used_what_people_do_is_kept_and_moved_there(
    tmp_path: Path,
) -> None:
    url = await server().database(tmp_path)
    async with recorder() as destination, proxy(server().port) as way:
        through = url.replace(f":{server().port}/", f":{way.port}/")
        async with replicas(tmp_path, through, 1, destination.url) as [running]:
            before = await send(running, alerts("cart-1"))
            async with tab(running, before, "Ana") as ana:
                await ana.press("take")
                way.is_open.clear()
                meanwhile = await send(running, alerts("cart-2"))
                assert "shown again once it can be" in await ana.press(ana.button("☐"))
                assert ana.status == 403
                assert "The database cannot be used at present" in await ana.load()
                assert ana.status == 503
            async with tab(running, meanwhile, "Ben") as ben:
                assert "other routers show it only once it can be" in ben.text
                assert "1 of 4 done" in await ben.press(ben.button("☐"))
                assert "<strong>Ben has it</strong>" in await ben.press("take")
            way.is_open.set()
            await eventually(lambda: is_up(running), "the shared store to be in use")
            for id_ in (before, meanwhile):
                async with tab(running, id_, "Ana") as ana:
                    assert "The database" not in ana.text
                    assert "<strong>Ben has it</strong>" in ana.text
                    assert "1 of 4 done" in ana.text
                    said = re.findall(
                        r"Ana has it|Ben did|Ben has it", ana.text.split("Timeline")[1]
                    )
                    assert said == ["Ana has it", "Ben did", "Ben has it"]
