"""Deliveries can be found, looked at, replayed and discarded, by those only who may."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import pytest

from tests.http import get
from tests.programs import Router, body, eventually, router, write_config
from tests.server.test_group_page import SCRIPT, send

ANA = {"X-Forwarded-User": "Ana"}


class _Refusing(BaseHTTPRequestHandler):
    """A destination that rejects every message."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """A router with a destination that takes messages and one that rejects them, behind a proxy."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    people = {"header": "X-Forwarded-User", "proxies": ["127.0.0.0/8"]}
    config = write_config(
        tmp_path_factory.mktemp("deliveries"),
        [
            {"type": "console"},
            {"type": "webhook", "url": f"http://127.0.0.1:{server.server_port}/"},
        ],
        http={"listen": "127.0.0.1:0", "people": people},
    )
    process = Router(config)
    try:
        yield asyncio.run(process.started())
    finally:
        process.end()
        server.shutdown()


@pytest.fixture
async def ana(running: Router) -> AsyncIterator["Tab"]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, headers=ANA) as session:
        yield Tab(session, f"{running.url}/deliveries")


class Tab:
    """What a person sees, without JavaScript."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url
        self.text, self.status = "", 0

    async def load(self, rest: str = "") -> str:
        async with self.session.get(self.url + rest) as answer:
            self.text, self.status = await answer.text(), answer.status
        return self.text

    async def press(self, do: str, **more: str) -> str:
        """Send the form of the page, with its hidden fields."""
        form = re.search(r'<form[^>]*method="post".*?</form>', self.text, re.S)
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
        async with self.session.post(self.url, data=fields | {"do": do} | more) as answer:
            self.text, self.status = await answer.text(), answer.status
        return self.text

    async def settled(self, name: str, count: int = 1) -> list[str]:
        """The ids of the dead letters of a group of that name, newest first."""

        async def are_dead() -> list[str] | None:
            found = []
            for id_ in re.findall(r'deliveries/(\d+)"', await self.load("?state=dead")):
                if name in await self.load(f"/{id_}"):
                    found.append(id_)
            return found if len(found) == count else None

        return await eventually(are_dead, "the dead letters")


async def test_a_delivery_is_replayed_after_a_confirmation(running, ana):
    await send(running, body("Replayed"))
    (dead,) = await ana.settled("Replayed")

    assert f"Replay delivery {dead}?" in await ana.press(f"replay {dead}")
    assert len(await ana.settled("Replayed")) == 1, "it was only asked"
    await ana.load(f"/{dead}")
    await ana.press(f"replay {dead}")
    await ana.press("replay")
    assert ana.status == 200

    async def is_replayed() -> bool:
        return "replayed as" in await ana.load(f"/{dead}")

    await eventually(is_replayed, "the replay")
    await ana.press(f"replay {dead}")
    assert "was replayed already" in await ana.press("replay")
    assert ana.status == 409
    (line,) = [it for it in running.text().splitlines() if f'"deliveries": [{dead}]' in it]
    assert {"action": "replay", "who": "Ana"}.items() <= json.loads(line).items()


async def test_what_matches_a_filter_is_discarded_as_it_was_shown(running, ana):
    for number in range(3):
        await send(running, body("Matching", key=f"m{number}", number=str(number)))
    dead = await ana.settled("Matching", 3)
    (other,) = (await ana.settled("Replayed"))[:1]

    await ana.load("?state=dead&receiver=oncall&notifier=webhook&reason=rejected")
    text = await ana.press("discard matching")
    shown = re.search('name="ids" value="([^"]+)"', text)[1].split()
    assert f"Discard {len(shown)} deliveries?" in text
    assert f"oncall/webhook: {len(shown)}" in text
    assert {*dead, other} <= set(shown)
    await send(running, body("Later"))
    (later,) = await ana.settled("Later")
    await ana.load("?state=dead")
    await ana.press("discard matching")
    text = await ana.press("discard", ids=" ".join(dead))

    assert "3 discarded, 0 not" in text
    assert set(dead).isdisjoint(re.findall(r'deliveries/(\d+)"', await ana.load("?state=dead")))
    for kept in (other, later):
        await ana.load(f"/{kept}")
        assert ana.status == 200


async def test_a_filter_chooses_by_state_destination_reason_and_time(running, ana):
    await send(running, body("Filtered"))
    await ana.settled("Filtered")
    queries = {
        "state=dead": "oncall/webhook",
        "receiver=oncall&notifier=console": "oncall/console",
        "reason=rejected": "oncall/webhook",
        "from=2020-01-01T00:00&until=2999-01-01T00:00": "oncall/webhook",
    }
    for query, destination in queries.items():
        found = re.findall(r"<td>(oncall/\w+)</td>", await ana.load(f"?{query}"))
        assert destination in found, query
        if "from" not in query:
            assert set(found) == {destination}, query
    for query in ("state=waiting", "receiver=no", "reason=timeout", "until=2020-01-01", "before=1"):
        assert "<td>oncall" not in await ana.load(f"?{query}"), query
    for query in ("from=yesterday", "until=0001-01-01T00:00:00%2B23:00", "from=9999-12-31"):
        assert "expected a time" in await ana.load(f"?{query}")
        assert ana.status == 400


async def test_a_delivery_has_its_message_as_it_would_be_made_now(running, ana):
    await send(running, body("Shown", pod=SCRIPT))
    (dead,) = await ana.settled("Shown")
    text = await ana.load(f"/{dead}")
    assert "The router does not keep what it sent. This is made now" in text
    assert "&#34;status&#34;: &#34;firing&#34;" in text
    assert "window.hacked" in text
    assert SCRIPT not in text
    assert "http://127.0.0.1" not in text, "the destination's URL may be a secret"
    console = re.search(r'deliveries/(\d+)"', await ana.load("?notifier=console"))[1]
    assert "CRITICAL" in await ana.load(f"/{console}")
    assert '<article class="console">' in ana.text


@pytest.mark.parametrize("path", ["/0", "/999999999", "/999999999999999999", "/x", "/1/2", "/-1"])
async def test_a_delivery_that_is_not_kept_is_404(running, path):
    status, _ = await get(f"{running.url}/deliveries{path}")
    assert status == 404


@pytest.mark.parametrize(
    ("do", "more"),
    [
        ("drop all", {}),
        ("replay 1 2", {}),
        ("replay", {"sure": "yes", "ids": ""}),
        ("replay", {"sure": "yes", "ids": "1 x"}),
        ("replay", {"sure": "yes", "ids": "1 " * 501}),
        ("discard matching", {"sure": "yes", "ids": "1"}),
    ],
)
async def test_a_form_that_no_page_has_does_nothing(running, ana, do, more):
    await ana.load()
    await ana.press(do, **more)
    assert ana.status == 403


async def test_all_that_matches_needs_a_state(running, ana):
    await send(running, body("Delivered"))
    await ana.settled("Delivered")
    await ana.load()
    assert "all that match" not in ana.text
    assert "Choose a state first" in await ana.press("replay matching")
    await ana.load("?state=delivered")
    assert "Replay all that match" in ana.text
    assert "Discard all that match" not in ana.text
    assert "Choose a state first" in await ana.press("discard matching")


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"Origin": "https://evil.example.org"}, {}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
        ({}, {"token": ""}),
        ({}, {"token": "0" * 32}),
        ({"X-Forwarded-User": ""}, {}),
    ],
)
async def test_a_form_of_another_site_changes_no_delivery(running, ana, headers, fields):
    await ana.load()
    token = re.search(r'name="token" value="([^"]+)"', ana.text)[1]
    data = {"token": token, "do": "discard", "sure": "yes", "ids": "1"} | fields
    async with ana.session.post(ana.url, data=data, headers=headers) as answer:
        assert answer.status == 403


async def test_the_log_has_the_user_of_the_credentials(tmp_path: Path):
    auth = {"basic": {"username": "ben", "password": "s3cret"}, "protect": ["actions"]}
    http = {"listen": "127.0.0.1:0", "auth": auth}
    async with router(write_config(tmp_path, [{"type": "console"}], http=http)) as process:
        await send(process, body("Any"))
        jar = aiohttp.CookieJar(unsafe=True)
        headers = {"Authorization": aiohttp.encode_basic_auth("ben", "s3cret")}
        async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as session:
            tab = Tab(session, f"{process.url}/deliveries")

            async def is_sent() -> bool:
                return 'value="replay 1"' in await tab.load()

            await eventually(is_sent, "the delivery")
            await tab.press("replay 1")
            await tab.press("replay")
    assert '"who": "ben"' in process.text()


async def test_whoever_has_an_address_of_this_machine_may_not_replay_for_that(tmp_path: Path):
    async with router(write_config(tmp_path, [{"type": "console"}])) as process:
        await send(process, body("Any"))
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            tab = Tab(session, f"{process.url}/deliveries")
            assert 'value="replay' not in await tab.load()
            async with session.get(f"{process.url}/groups/0") as answer:
                await answer.read()
            data = {"do": "discard", "ids": "1", "sure": "yes"}
            async with session.post(tab.url, data=data) as answer:
                assert answer.status == 403
