"""The page of an alert group: what to do about these alerts, and what happened so far."""

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.http import get, post
from tests.programs import Router, body, eventually, router, write_config

JSON = {"Content-Type": "application/json"}
SCRIPT = "<script>window.hacked = 1</script>"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Router]:
    async with router(write_config(tmp_path, [{"type": "console"}])) as process:
        yield process


def alerts(*pods: str, status: str = "firing", **more: Any) -> bytes:
    """A group with an alert for each pod."""
    group = json.loads(body(status=status, namespace="shop", job="cart"))
    (alert,) = group["alerts"]
    group["alerts"] = [
        alert | {"labels": alert["labels"] | {"pod": pod}, "fingerprint": f"fp{number}"} | more
        for number, pod in enumerate(pods)
    ]
    return json.dumps(group).encode()


async def send(running: Router, raw: bytes) -> str:
    """The id that the webhook is answered."""
    status, answer = await post(f"{running.url}/webhook", raw, headers=JSON)
    assert status == 200
    return answer["id"]


async def shown(running: Router, id_: str, query: str = "") -> str:
    status, text = await get(f"{running.url}/groups/{id_}{query}")
    assert status == 200
    return text


async def test_the_steps_are_filled_with_the_labels_of_the_alert(running: Router) -> None:
    text = await shown(running, await send(running, alerts("cart-1")))

    assert "kubectl -n shop delete pod cart-1" in text
    assert "Deletes or stops something: kubectl delete" in text
    for section in ("Detection", "Mitigation", "Verification", "Post-Incident"):
        assert f"<h3>{section}</h3>" in text


async def test_the_commands_are_those_of_the_alert_that_is_chosen(running: Router) -> None:
    id_ = await send(running, alerts("cart-1", "cart-2"))

    text = await shown(running, id_)
    assert "delete pod cart-1" in text
    assert 'href="?alert=fp1"' in text
    other = await shown(running, id_, "?alert=fp1")
    assert "delete pod cart-2" in other
    assert "delete pod cart-1" not in other


async def test_the_labels_that_differ_come_first(running: Router) -> None:
    text = await shown(running, await send(running, alerts("cart-1", "cart-2")))

    first = re.search(r'<div class="labels">(.*?)</div>', text)
    assert re.findall(r"<b>(.*?)</b>", first[1]) == ["cart-1"]


async def test_the_timeline_says_who_was_sent_what(running: Router) -> None:
    id_ = await send(running, alerts("cart-1"))

    async def is_sent() -> bool:
        return "Sent to oncall/console" in await shown(running, id_)

    await eventually(is_sent, "the delivery")
    assert "1 firing" in await shown(running, id_)


async def test_after_the_end_verification_comes_first_and_earlier_times_are_listed(
    running: Router,
) -> None:
    first = await send(running, alerts("cart-1"))
    await send(running, alerts("cart-1", status="resolved"))

    text = await shown(running, first)
    assert "resolved after" in text
    assert text.index("<h3>Verification</h3>") < text.index("<h3>Detection</h3>")

    again = await send(running, alerts("cart-1", startsAt="2026-11-24T03:00:00Z"))
    text = await shown(running, again)
    assert "resolved after" not in text
    assert "<h2>Earlier</h2>" in text
    assert "resolved after" in await shown(running, first)


async def test_an_alert_without_a_runbook_has_a_page_that_says_so(running: Router) -> None:
    long = {f"l{number}": "é" * 1000 for number in range(20)}
    text = await shown(running, await send(running, body("Unheard", pod="x", **long)))

    assert "No runbook is mapped to these alerts." in text
    assert "0 of 0" not in text
    query = re.search(r'<a href="\.\./explain\?([^"]+)">Why', text)[1]
    status, why = await get(f"{running.url}/explain?{unescape(query)}")
    assert status == 200
    assert "no entry, annotation, name or default matched" in why
    assert '<a href="./coverage/new?alert=Unheard">Create a runbook</a>' in why


@pytest.mark.parametrize("id_", ["0", "0" * 64, "01a21955-1a74-7a48-b453-21c4b20bc53d"])
async def test_a_group_that_is_not_kept_is_404(running: Router, id_: str) -> None:
    status, text = await get(f"{running.url}/groups/{id_}")
    assert (status, "no such alert group" in text) == (404, True)


async def test_nothing_in_an_alert_is_active_on_its_page(running: Router) -> None:
    raw = alerts(
        SCRIPT,
        '"><img src=x onerror=alert(1)>',
        annotations={"summary": SCRIPT, "dashboard": "javascript:alert(1)", SCRIPT: SCRIPT},
        generatorURL="javascript:alert(2)",
        fingerprint='"><script>',
    )
    text = await shown(running, await send(running, raw))

    assert len(re.findall("<script", text)) == 1  # ours
    assert "<img" not in text
    assert 'href="javascript' not in text


async def test_the_page_allows_no_other_script_and_no_frame(running: Router) -> None:
    id_ = await send(running, alerts("cart-1"))
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{running.url}/groups/{id_}") as answer:
            policy, text = answer.headers["Content-Security-Policy"], await answer.text()
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        script = re.search(r'<script src="\.\./(static/[^"]+)" integrity="sha384-', text)
        async with session.get(f"{running.url}/{script[1]}") as answer:
            assert answer.status == 200
            assert answer.content_type == "text/javascript"


async def test_the_page_asks_for_credentials_where_pages_do(tmp_path: Path) -> None:
    auth = {"bearer_token": "s3cret", "protect": ["pages"]}
    http = {"listen": "127.0.0.1:0", "auth": auth}
    async with router(write_config(tmp_path, [{"type": "console"}], http=http)) as process:
        id_ = await send(process, alerts("cart-1"))
        status, text = await get(f"{process.url}/groups/{id_}")
    assert status == 401
    assert "cart-1" not in text


async def test_of_a_runbook_with_very_many_steps_the_first_are_shown(
    running: Router, tmp_path: Path
) -> None:
    file = tmp_path / "runbooks" / "alerts" / "high-error-rate.md"
    file.write_text("# Long\n\n## Mitigation\n\n" + "".join(f"1. Do {n}.\n" for n in range(1010)))
    id_ = await send(running, alerts("cart-1"))

    async def is_read() -> bool:
        return "10 more steps are in the" in await shown(running, id_)

    await eventually(is_read, "the runbook")
    assert (await shown(running, id_)).count('class="tick"') == 1000
