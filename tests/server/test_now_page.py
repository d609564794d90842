"""The first page says what fires, worst first, and what is wrong; so does that of the state."""

import re
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from alert_router.outbox.base import StoreUnavailable
from alert_router.runtime import read_runtime
from alert_router.server import running as in_process
from alert_router.server.pages.board import HOURS, Board, FiringGroup, FiringHours
from alert_router.server.pages.now import Hours
from tests.http import get, post
from tests.outbox.test_spooled import unhurried
from tests.postgres import server
from tests.programs import Router, body, eventually, recorder, router, write_config
from tests.replicas import is_up, proxy, replicas
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
    assert "Ana has it, 1 of 4 done" in text
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


async def test_a_reload_that_failed_is_said_until_one_succeeds(running):
    config = running.log.parent / "alert-router.yaml"
    good = config.read_text()

    async def says(path: str) -> str:
        return (await get(f"{running.url}{path}"))[1]

    assert "none since the start" in await says("/status")
    config.write_text(good.replace('"receivers"', '"receivres"'))
    await eventually(lambda: says_that(running, "/", "The reload at"), "the banner")
    text = await says("/status")
    assert "kept the old configuration" in text
    assert re.search(r"<code>[^<]+alert-router.yaml:\d+:\d+</code> error: [^<]+receivres", text)
    config.write_text(good)
    await eventually(lambda: says_that(running, "/status", ">reloaded<"), "the repair")
    assert "The reload at" not in await says("/")


async def says_that(running: Router, path: str, words: str) -> bool:
    return words in (await get(f"{running.url}{path}"))[1]


async def test_a_heartbeat_that_is_missing_is_said(tmp_path):
    beat = {
        "name": "eu <b>",
        "matchers": ["alertname=Watchdog"],
        "timeout": "1s",
        "receiver": "oncall",
    }
    config = write_config(tmp_path, [{"type": "console"}], heartbeats=[beat])
    async with router(config) as process:
        for path in ("/", "/status"):
            words = (
                "No heartbeat from Alertmanager eu &lt;b&gt;" if path == "/" else "missing since"
            )
            await eventually(lambda: says_that(process, path, words), path)  # noqa: B023


async def test_while_the_store_cannot_be_read_what_was_read_before_is_shown(tmp_path, monkeypatch):
    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    config = write_config(tmp_path, [{"type": "console"}])
    async with in_process(config, read_runtime(config)) as router:
        url = "http://{}:{}".format(*router.addresses[0])
        await post(f"{url}/webhook", body("Any"))
        assert "<strong>Any" in (await get(url))[1]
        for name in ("latest", "of_group", "backlog", "actions_since", "last_successes"):
            monkeypatch.setattr(router.outbox, name, fail)

        status, text = await get(url)
        assert (status, "<strong>Any" in text) == (200, True)
        assert "The store cannot be read: what is shown is as of 20" in text
        status, text = await get(f"{url}/status")
        assert (status, ">gone<" in text) == (200, True)
        monkeypatch.setattr(type(router.outbox), "is_spooling", True)
        assert "The shared store cannot be used." in (await get(url))[1]


async def test_while_a_shared_database_cannot_be_used_what_comes_here_is_shown(tmp_path):
    url = await server().database(tmp_path)

    async def firing() -> list[str]:
        _, text = await get(f"{alone.url}/")
        return re.findall(r"<strong>([A-Z]\w+)</strong>", text)

    async def shows(*names: str) -> bool:
        return await firing() == list(names)

    async with recorder() as destination, proxy(server().port) as way:
        through = url.replace(f":{server().port}/", f":{way.port}/")
        async with replicas(tmp_path, through, 1, destination.url) as [alone]:
            await send(alone, body("Before"))
            await send(alone, body("Ended"))
            assert await firing() == ["Before", "Ended"]
            way.is_open.clear()
            id_ = await send(alone, body("Meanwhile"))
            await send(alone, body("Ended", status="resolved"))
            await eventually(lambda: shows("Before", "Meanwhile"), "what comes here")
            async with tab(alone, id_, "Ana") as ana:
                await ana.press("take")
            _, text = await get(f"{alone.url}/")
            assert "Ana has it" in text
            assert "those that other routers accept are not listed here" in text
            way.is_open.set()
            await eventually(lambda: is_up(alone), "the shared store to be in use")
            await eventually(lambda: shows("Before", "Meanwhile"), "all of it")
            _, text = await get(f"{alone.url}/")
            assert "Ana has it" in text
            assert "other routers" not in text


async def test_of_each_outage_of_a_shared_database_only_what_came_in_it_is_shown(tmp_path):
    url = await server().database(tmp_path)

    async def shows(*names: str) -> bool:
        _, text = await get(f"{alone.url}/")
        return re.findall(r"<strong>([A-Z]\w+)</strong>", text) == list(names)

    async with recorder() as destination, proxy(server().port) as way:
        through = url.replace(f":{server().port}/", f":{way.port}/")
        async with replicas(tmp_path, through, 1, destination.url) as [alone]:
            way.is_open.clear()
            for name in ("First", "Second", "Third"):
                await send(alone, body(name))
            await eventually(lambda: shows("First", "Second", "Third"), "the first outage")
            way.is_open.set()
            # Nobody looks at the page until the second outage.
            await eventually(lambda: is_up(alone), "the shared store to be in use")
            await send(alone, body("First", status="resolved"))
            way.is_open.clear()
            await send(alone, body("Second", status="resolved"))
            await send(alone, body("Later"))
            await eventually(lambda: shows("Later"), "the second outage")
            way.is_open.set()
            await eventually(lambda: is_up(alone), "the shared store to be in use again")
            await eventually(lambda: shows("Third", "Later"), "all of it")


async def test_what_is_still_in_the_spool_is_shown_once_until_and_after_it_is_moved(
    tmp_path, monkeypatch
):
    unhurried(monkeypatch)
    refused = {"Stays", "Ended"}

    async def firing() -> list[str]:
        _, text = await get(url)
        return re.findall(r"<strong>([A-Z]\w+)</strong>", text)

    async def reconcile(content):
        if any(name.encode() in one.body for one in content.deliveries for name in refused):
            raise ValueError("this group is not taken")
        await take(content)

    async with recorder() as destination:
        storage = f"{await server().database(tmp_path)}?spool=spool.db"
        hooks = [{"type": "webhook", "url": destination.url}]
        config = write_config(tmp_path, hooks, storage=storage)
        async with in_process(config, read_runtime(config)) as router:
            url = "http://{}:{}".format(*router.addresses[0])
            outbox: Any = router.outbox
            take = outbox._shared.reconcile
            monkeypatch.setattr(outbox._shared, "reconcile", reconcile)
            for name in ("Before", "Ended"):
                await post(f"{url}/webhook", body(name))
            assert await firing() == ["Before", "Ended"]
            outbox._go_down("the test says so")
            for name in ("Moved", "Stays"):
                await post(f"{url}/webhook", body(name))
            await post(f"{url}/webhook", body("Ended", status="resolved"))
            shown = ["Before", "Moved", "Stays"]
            assert await firing() == shown
            await eventually(lambda: len(destination.requests) == 5, "the messages")

            await outbox._come_up()
            assert len(outbox.spooled_identities) == 2
            assert await firing() == shown
            _, text = await get(f"{url}/status")
            assert "2 alert groups cannot be moved into the store: this group is not" in text

            refused.clear()
            for failed in outbox._failed.values():
                failed.next_at = 0.0
            await outbox._reconcile()
            assert not outbox.spooled_identities
            assert await firing() == shown
            await post(f"{url}/webhook", body("Stays", status="resolved"))
            assert await firing() == ["Before", "Moved"]


async def test_status_says_store_start_version_and_when_a_destination_last_took_a_message(running):
    await send(running, body("Any"))
    await eventually(
        lambda: says_that(running, "/status", "Last success: </span>20"), "the success"
    )
    _, text = await get(f"{running.url}/status")
    assert "sqlite:///" in text
    assert re.search(r"<dt>Started</dt><dd>20\d\d-", text)
    assert f"<dt>Version</dt><dd>{version('alert-router')}</dd>" in text


async def test_the_last_day_of_a_group_is_shown_as_blocks_and_in_words(running):
    await send(running, body("Any"))
    _, text = await get(f"{running.url}/")
    (words,) = re.findall('role="img" aria-label="([^"]+)"', text)
    assert re.fullmatch(r"Fired in the last 24 hours, UTC: \d\d:00 to now", words)


def day(*fired: int) -> int:
    """The bits of a day in which it fired so many hours ago."""
    return sum(1 << back for back in fired)


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (day(0), "10:00 to now"),
        (day(23), "11:00 to 12:00"),
        (day(3, 4, 0), "06:00 to 08:00, 10:00 to now"),
        (day(), "not at all"),
        (day(*range(24)), "11:00 to now"),
    ],
)
def test_hours_are_named_by_the_clock(bits, words):
    hours = Hours.of(bits, 24 * 20_000 + 10)
    assert hours.words == f"Fired in the last 24 hours, UTC: {words}"
    assert hours.path.count("M") == 24
    assert hours.path.count("0h5v10h") == bits.bit_count()


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=12), st.integers(0, 30))
def test_an_hour_is_marked_if_the_group_fired_at_any_time_of_it(steps, rest):
    seen = FiringHours(0, 100, 0, fires=False)
    fired, fires, hour = set(), False, 100
    for seq, (passed, next_) in enumerate(steps, 1):
        if fires:
            fired |= set(range(hour, hour + passed + 1))
        hour, fires = hour + passed, next_
        fired |= {hour} if fires else set()
        seen = seen.then(seq, hour, fires)
    if fires:
        fired |= set(range(hour, hour + rest + 1))
    now = hour + rest
    assert seen.until(now).bits == day(*(now - it for it in fired if now - it < HOURS))


def firing(began: float, at: float) -> FiringGroup:
    return FiringGroup(b"k", 1, "id", began, at, "", "", "", "", 0, "")


def test_an_outage_takes_nothing_from_since_when_and_in_which_hours_a_group_fires():
    shared = Board(
        groups={b"k": firing(began=10, at=20)},
        hours={b"k": FiringHours(9, 100, day(0, 1), fires=True)},
    )
    spooled = Board(
        groups={b"k": firing(began=30, at=30)},
        hours={b"k": FiringHours(1, 103, day(0), fires=True)},
    )

    both = shared.with_later(spooled)

    assert both.groups == {b"k": firing(began=10, at=30)}
    assert both.hours == {b"k": FiringHours(1, 103, day(0, 1, 2, 3, 4), fires=True)}
