"""The first page says what fires, worst first; deliveries can be found, replayed and discarded."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.http import get
from tests.programs import Router, body, eventually, recorder, router, write_config
from tests.server.test_group_page import alerts, send
from tests.server.test_page_actions import tab


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Router]:
    async with router(write_config(tmp_path, [{"type": "console"}])) as process:
        yield process


async def test_what_fires_is_listed_worst_first_and_what_is_resolved_is_not(running):
    await send(running, body("Mild", severity="info"))
    await send(running, body("Severe"))
    id_ = await send(running, alerts("cart-1"))
    await send(running, body("Over"))
    await send(running, body("Over", status="resolved"))
    async with tab(running, id_, "Ana") as ana:
        await ana.press("take")
        await ana.press(ana.button("☐"))

    _, text = await get(f"{running.url}/")

    assert re.findall(r"<strong>([A-Z]\w+)</strong>", text) == ["Severe", "HighErrorRate", "Mild"]
    assert "3 alert groups are firing" in text
    assert "Ana has it, 1 done" in text
    assert "no runbook" in text
    assert "alerts/high-error-rate" in text
    status, _ = await get(f"{running.url}/{re.search(r'groups/[0-9a-f-]+', text)[0]}")
    assert status == 200


async def test_many_groups_are_shown_on_pages(running):
    for number in range(53):
        await send(running, body("Same", key=f"k{number}", number=str(number)))

    _, first = await get(f"{running.url}/")
    _, second = await get(f"{running.url}/?page=2")

    links = [re.findall(r"groups/([0-9a-f-]+)", text) for text in (first, second)]
    assert [len(found) for found in links] == [50, 3]
    assert not set(links[0]) & set(links[1])
    for odd in ("0", "-1", "x", "9" * 30):
        status, _ = await get(f"{running.url}/?page={odd}")
        assert status == 200


async def test_a_destination_that_fails_is_said_on_the_first_page_and_on_status(tmp_path):
    async with recorder() as there:
        there.answer = lambda _: web.Response(status=404, text="gone <b>")
        config = write_config(tmp_path, [{"type": "webhook", "url": there.url}])
        async with router(config) as process:
            await send(process, body("Any"))

            async def is_said() -> bool:
                pages = [(await get(f"{process.url}{path}"))[1] for path in ("/", "/status")]
                return all("oncall/webhook" in it and "failing since" in it for it in pages)

            await eventually(is_said, "the failure")
            assert "<b>" not in (await get(f"{process.url}/status"))[1]


@pytest.fixture
async def behind_a_proxy(tmp_path: Path) -> AsyncIterator[Router]:
    people = {"header": "X-Forwarded-User", "proxies": ["127.0.0.0/8"]}
    http = {"listen": "127.0.0.1:0", "people": people}
    async with router(write_config(tmp_path, [{"type": "console"}], http=http)) as process:
        yield process


async def test_whoever_has_an_address_of_this_machine_may_not_replay_for_that(running):
    await send(running, body("Any"))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(f"{running.url}/deliveries") as answer:
            text = await answer.text()
        token = re.search(r'name="token" value="([^"]+)"', text)
        assert 'value="replay' not in text
        data = {"do": "discard 1", "token": token[1] if token else "", "sure": "yes"}
        async with session.post(f"{running.url}/deliveries", data=data) as answer:
            assert answer.status == 403


async def test_a_delivery_is_replayed_after_a_confirmation(behind_a_proxy):
    running = behind_a_proxy
    id_ = await send(running, body("Any"))

    jar, ana = aiohttp.CookieJar(unsafe=True), {"X-Forwarded-User": "Ana"}
    async with aiohttp.ClientSession(cookie_jar=jar, headers=ana) as session:
        url = f"{running.url}/deliveries"

        async def delivered() -> tuple[str, str] | None:
            async with session.get(url) as answer:
                text = await answer.text()
            token = re.search(r'name="token" value="([^"]+)"', text)
            do = re.search(r'value="(replay \d+)"', text)
            return (token[1], do[1]) if token and do else None

        token, do = await eventually(delivered, "the delivery")
        async with session.post(url, data={"do": do}) as answer:
            assert answer.status == 403
        async with session.post(url, data={"do": do, "token": token}) as answer:
            assert "Replay delivery" in await answer.text()
        assert (await get(url))[1].count(f"groups/{id_}") == 1
        async with session.post(url, data={"do": do, "token": token, "sure": "yes"}) as answer:
            assert (await answer.text()).count(f"groups/{id_}") == 2
        async with session.post(url, data={"do": "discard 1", "token": token, "sure": "y"}) as one:
            assert one.status == 409
            assert "there is nothing to discard" in await one.text()


async def test_filters_choose_deliveries(running):
    await send(running, body("Any"))
    for query, count in (("state=dead", 0), ("to=oncall/console", 1), ("before=1", 0)):
        _, text = await get(f"{running.url}/deliveries?{query}")
        assert len(re.findall("groups/", text)) == count, query
