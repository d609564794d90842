"""Which alerts that came in have a runbook, and the skeleton for those that have none."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest

from alert_router.outbox.base import StoreUnavailable
from alert_router.runbook.generate import check_id, id_for, scaffold
from alert_router.runtime import read_runtime
from alert_router.server import running as in_process
from tests.http import get
from tests.programs import Router, body, eventually, lasting_router, write_config
from tests.server.test_group_page import send

HOSTILE = "<script>x</script>\"'><img src=x onerror=alert(1)>`\u202e --- \n# x"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    config = write_config(tmp_path_factory.mktemp("coverage"), [{"type": "console"}])
    with lasting_router(config) as process:
        yield process


async def new(running: Router, query: str) -> tuple[int, str]:
    return await get(f"{running.url}/coverage/new?{query}")


async def test_alerts_without_a_runbook_come_first_by_notifications(running):
    assert "No alert was received" in (await get(f"{running.url}/coverage"))[1]
    await send(running, body("HighErrorRate", pod="1"))
    await send(running, body("HighErrorRate", pod="2"))
    for number in ("1", "2", "3"):
        await send(running, body("Loud", key=number, n=number))
    await send(running, body("Quiet"))
    await send(running, body(HOSTILE))

    async def text() -> str | None:
        shown = unescape((await get(f"{running.url}/coverage"))[1])
        notified = re.findall(r"<td>(\d+)<span class=\"unit\"> notifications", shown)
        return shown if sorted(notified) == ["1", "1", "2", "3"] else None

    shown = await eventually(text, "the counts")
    names = re.findall(r"<td><a href=\"\./explain\?label=alertname%3D(\w+)\">", shown)
    assert names[0] == "Loud"
    assert names[-1] == "HighErrorRate"
    assert "3 of 4 alert names have none" in shown
    assert '<a href="./runbooks/alerts/high-error-rate">alerts/high-error-rate</a>' in shown
    assert shown.count("Create a runbook") == 3
    assert '<a href="./coverage/new?alert=Loud">' in shown


async def test_nothing_in_the_name_of_an_alert_is_active(running):
    await send(running, body(HOSTILE))
    for path in ("coverage", f"coverage/new?alert={quote(HOSTILE)}&owner={quote(HOSTILE)}"):
        status, text = await get(f"{running.url}/{path}")
        assert status == 200
        assert len(re.findall("<script", text)) == 1  # ours
        assert "<img" not in text
        assert "\u202e" not in text


async def test_the_skeleton_is_what_runbook_new_writes_with_the_entry_that_leads_to_it(running):
    status, text = await new(running, "alert=KafkaLagHigh&severity=critical&owner=SRE")

    skeleton = scaffold(
        "alerts/kafka-lag-high",
        title="",
        alerts=["KafkaLagHigh"],
        severity="critical",
        owner="SRE",
        today=datetime.now(UTC).date(),
    )
    assert status == 200
    assert skeleton in unescape(text)
    assert "  - matchers: ['alertname=\"KafkaLagHigh\"']\n    runbook: alerts/kafka-lag-high\n" in (
        unescape(text)
    )


async def test_the_skeleton_is_downloaded_as_a_file(running):
    async with aiohttp.ClientSession() as session:
        url = f"{running.url}/coverage/new?alert=KafkaLag&id=data/kafka&download=1"
        async with session.get(url) as answer:
            assert answer.content_type == "text/markdown"
            header = answer.headers["Content-Disposition"]
            assert header == 'attachment; filename="kafka.md"'
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "title: Kafka" in await answer.text()


@pytest.mark.parametrize("id_", ["../x", "a", "a/b\nc: d", '"><script>', "x" * 5000])
async def test_an_id_that_runbook_new_refuses_is_refused(running, id_):
    status, text = await new(running, f"alert=KafkaLag&id={quote(id_)}&download=1")
    assert (status, "expected CATEGORY/NAME" in text) == (400, True)
    assert len(re.findall("<script", text)) == 1


async def test_a_runbook_that_exists_is_said(running):
    _, text = await new(running, "alert=HighErrorRate")
    assert "There is a runbook <code>alerts/high-error-rate</code> already." in text


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("KubePodCrashLooping", "alerts/kube-pod-crash-looping"),
        ("HTTPErrors", "alerts/http-errors"),
        ("node_cpu:high", "alerts/node-cpu-high"),
        ("", "alerts/new-runbook"),
        ("../../etc", "alerts/etc"),
        ("X" * 5000, "alerts/" + "x" * 100),
    ],
)
def test_an_alert_has_an_id_that_runbook_new_accepts(name, id_):
    assert check_id(id_for(name)) == id_


async def test_the_page_says_that_the_store_cannot_be_read(tmp_path: Path, monkeypatch):
    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    config = write_config(tmp_path, [{"type": "console"}])
    async with in_process(config, read_runtime(config)) as router:
        monkeypatch.setattr(router.outbox, "observed", fail)
        status, text = await get("http://{}:{}/coverage".format(*router.addresses[0]))
    assert (status, "The store cannot be read." in text) == (503, True)
