"""Links in messages: who has one can do what it says, once somebody presses the button."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from alert_router.model.problem import ProblemsError
from alert_router.runtime import read_runtime
from tests.http import get
from tests.programs import Recorder, Router, eventually, recorder, router, write_config
from tests.server.test_group_page import alerts, send

OUTSIDE = "http://alerts.example.org"
KEY = "k" * 32


@asynccontextmanager
async def served(
    folder: Path, links: dict[str, Any] | None = None, **http: Any
) -> AsyncIterator[tuple[Router, Recorder]]:
    """A router and what its Mattermost got."""
    more = {"listen": "127.0.0.1:0", "external_url": OUTSIDE, "links": links} | http
    async with recorder() as server:
        notifier = {"type": "mattermost", "url": f"{server.url}/hooks/x", "rate_limit": "500/s"}
        path = write_config(folder, [notifier], http=more)
        async with router(path) as process:
            yield process, server


async def link(server: Recorder, words: str, number: int = 1) -> str:
    """The path of a link in the message of that number."""
    await eventually(lambda: len(server.requests) >= number, "the message")
    text = server.requests[number - 1].json["text"]
    return re.search(rf"\[{words}\]\({OUTSIDE}(/act/[^)]+)\)", text)[1]


async def press(running: Router, path: str, **fields: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{running.url}{path}", data=fields, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


async def test_a_link_shows_what_it_does_and_the_button_does_it(tmp_path: Path) -> None:
    async with served(tmp_path, {}) as (running, server):
        id_ = await send(running, alerts("cart-1"))
        path = await link(server, "I have it")
        async with aiohttp.ClientSession() as session:
            for method in ("GET", "HEAD", "GET"):  # a scanner
                async with session.request(method, running.url + path) as answer:
                    assert answer.status == 200
                    assert answer.headers["Referrer-Policy"] == "no-referrer"
                    assert answer.headers["Cache-Control"] == "no-store"
                    assert "script-src" not in answer.headers["Content-Security-Policy"]
                    text = await answer.text()
        assert "HighErrorRate" in text
        assert "kubectl" not in text
        assert "Nobody has it yet" in (await get(f"{running.url}/groups/{id_}"))[1]

        status, text = await press(running, path, who=" Ana <b> ")

        assert (status, "Kept" in text, f'href="../groups/{id_}"' in text) == (200, True, True)
        await press(running, path, who="Ana <b>")
        _, text = await get(f"{running.url}/groups/{id_}")
        assert text.count("Ana &lt;b&gt; (by link) has it") == 2  # once above, once in the timeline
        assert (await press(running, path, who=" "))[0] == 403


async def test_after_the_end_a_link_says_whether_the_runbook_or_which_step_helped(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, {"key": KEY}) as (running, server):
        await send(running, alerts("cart-1"))
        await link(server, "I have it")
        id_ = await send(running, alerts("cart-1", status="resolved"))
        helped, not_helped = [
            await link(server, words, 2) for words in ("It helped", "It did not help")
        ]
        assert "I have it" not in server.requests[1].json["text"]
        _, text = await get(running.url + helped)
        keys = re.findall(r'<option value="([0-9a-f]{12})">', text)
        assert len(keys) == 4
        assert (await press(running, helped, who="Ana", step=keys[1]))[0] == 200
        assert (await press(running, not_helped, who="Ben"))[0] == 200
        assert (await press(running, not_helped, who="Ben", step=keys[1]))[0] == 403
        assert (await press(running, helped, who="Ana", step="0123456789ab"))[0] == 403
        _, text = await get(f"{running.url}/groups/{id_}")
        assert "Ana (by link): the runbook alerts/high-error-rate helped, most of all" in text
        assert "Ben (by link): the runbook alerts/high-error-rate did not help" in text


async def test_a_link_opens_nothing_else_where_pages_need_a_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    basic = {"username": "sre", "password_file": str(tmp_path / "password")}
    auth = {"basic": basic, "protect": ["pages", "actions", "api"]}
    async with served(tmp_path, {}, auth=auth) as (running, server):
        id_ = await send(running, alerts("cart-1"))
        path = await link(server, "I have it")
        assert (await get(f"{running.url}/groups/{id_}"))[0] == 401
        assert (await get(running.url + path))[0] == 200
        assert (await press(running, path, who="Ana"))[0] == 200


@pytest.mark.parametrize("change", ["cut", "other key", "junk"])
async def test_a_link_that_was_changed_says_so_and_does_nothing(
    tmp_path: Path, change: str
) -> None:
    async with served(tmp_path, {"key": KEY}) as (running, server):
        id_ = await send(running, alerts("cart-1"))
        path = await link(server, "I have it")
        bad = {
            "cut": path[:-1],
            "other key": path.partition(".")[0] + "." + "A" * 22,
            "junk": "/act/..%2f..%2f%00",
        }[change]
        assert (await get(running.url + bad))[0] == 403
        status, text = await press(running, bad, who="Ana")
        assert (status, "cut, changed, or signed with a key" in text) == (403, True)
        assert "Nobody has it yet" in (await get(f"{running.url}/groups/{id_}"))[1]


async def test_a_link_that_expired_says_when(tmp_path: Path) -> None:
    async with served(tmp_path, {"expire": "1s"}) as (running, server):
        await send(running, alerts("cart-1"))
        path = await link(server, "I have it")

        async def has_expired() -> bool:
            status, text = await press(running, path, who="")
            return status == 403 and "This link expired at 20" in text

        await eventually(has_expired, "the link to expire")


async def test_without_configuration_messages_have_no_links_to_act(tmp_path: Path) -> None:
    async with served(tmp_path) as (running, server):
        await send(running, alerts("cart-1"))
        await eventually(lambda: server.requests, "the message")
        assert "/act/" not in server.requests[0].json["text"]
        status, text = await get(f"{running.url}/act/aaaaaaaaaaaa.{'a' * 22}")
        assert (status, "switched off" in text) == (403, True)


@pytest.mark.parametrize(
    ("http", "message"),
    [
        ({"links": {}}, "`links` lead to `external_url`: set it in the file, too"),
        ({"links": {"key": KEY, "key_file": "k"}, "external_url": OUTSIDE}, "give one of"),
        ({"links": {"expire": "31d"}, "external_url": OUTSIDE}, "`expire`: must be at most"),
    ],
)
def test_links_that_cannot_work_are_errors_of_the_configuration(
    tmp_path: Path, http: dict[str, Any], message: str
) -> None:
    path = write_config(tmp_path, [{"type": "console"}], http=http)
    with pytest.raises(ProblemsError) as error:
        read_runtime(path)
    assert message in str(error.value)


def test_a_key_that_is_short_is_reported_and_never_shown(tmp_path: Path) -> None:
    http = {"links": {"key": "${LINK_KEY}"}, "external_url": OUTSIDE}
    path = write_config(tmp_path, [{"type": "console"}], http=http)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINK_KEY", "s3cr3t")
        found = [str(problem) for problem in read_runtime(path).problems]
    (problem,) = [text for text in found if "http.links.key" in text]
    assert "too short: expected at least 32 characters" in problem
    assert "s3cr3t" not in problem


async def test_a_form_with_files_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path, {}) as (running, server):
        await send(running, alerts("cart-1"))
        path = await link(server, "I have it")
        form = aiohttp.FormData({"who": "Ana"})
        form.add_field("who", b"Ana", filename="ana.txt")
        async with (
            aiohttp.ClientSession() as session,
            session.post(running.url + path, data=form) as answer,
        ):
            assert answer.status == 403


async def test_an_old_link_takes_neither_what_is_resolved_nor_what_fires_since(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, {}) as (running, server):
        await send(running, alerts("cart-1"))
        take = await link(server, "I have it")
        await send(running, alerts("cart-1", status="resolved"))
        helped = await link(server, "It helped", 2)

        for fires_again in (False, True):
            if fires_again:
                id_ = await send(running, alerts("cart-1", startsAt="2026-11-26T09:00:00Z"))
            status, text = await press(running, take, who="Ana")
            assert (status, "resolved already" in text) == (403, True)
        assert (await press(running, helped, who="Ben"))[0] == 200
        _, text = await get(f"{running.url}/groups/{id_}")
        assert "Nobody has it yet" in text
        assert "Ben (by link)" not in text.split("Earlier")[0]


async def test_a_form_in_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path, {}) as (running, server):
        await send(running, alerts("cart-1"))
        path = await link(server, "I have it")
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=x"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(running.url + path, data=b"who=Ana") as answer,
        ):
            assert answer.status == 403
