"""The intake as Alertmanager meets it: every answer, and what it means to it."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.http import get, metric, post
from tests.programs import PATIENCE, Router, body, eventually, router, write_config

CONSOLE = [{"type": "console"}]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Router]:
    async with router(write_config(tmp_path, CONSOLE)) as process:
        yield process


async def test_a_group_is_accepted_by_post_and_put_with_an_id(running: Router) -> None:
    first = await post(f"{running.url}/webhook", body())
    assert first[0] == 200
    assert first[1]["status"] == "accepted"
    second = await post(f"{running.url}/webhook", body("HighErrorRateB"), method="PUT")
    assert (second[0], second[1]["status"]) == (200, "accepted")


async def test_a_duplicate_names_the_accepted_id_and_sends_nothing(running: Router) -> None:
    _, accepted = await post(f"{running.url}/webhook", body())
    again = await post(f"{running.url}/webhook", body())
    assert again == (200, {"status": "duplicate", "id": accepted["id"]})
    assert await metric(running, 'alert_router_webhooks_total{outcome="duplicate"}') == 1


async def test_firing_resolved_and_firing_again_are_three_messages(running: Router) -> None:
    for status in ("firing", "resolved", "firing"):
        _, answer = await post(f"{running.url}/webhook", body(status=status))
        assert answer["status"] == "accepted"


async def test_the_same_body_from_another_source_or_receiver_is_no_duplicate(
    running: Router,
) -> None:
    for path in ("/webhook", "/webhook?source=eu", "/webhook/oncall", "/webhook/other"):
        _, answer = await post(running.url + path, body())
        assert answer["status"] == "accepted", path
    assert await metric(running, "alert_router_unknown_receiver_webhooks_total") == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b'{"labels": {"a": "b"}}', b"\xff", b"[" * 100_000, b'{"text": "x"}'],
    ids=["empty", "list", "bare alert", "no UTF-8", "deep", "templated"],
)
async def test_what_is_no_alert_group_is_400_with_expected_and_found(
    running: Router, raw: bytes
) -> None:
    status, answer = await post(f"{running.url}/webhook", raw)
    assert status == 400
    assert answer["status"] == "malformed"
    assert answer["expected"]
    assert answer["found"]
    assert await metric(running, 'alert_router_webhooks_total{outcome="malformed"}') == 1


async def test_a_body_that_is_no_gzip_is_400(running: Router) -> None:
    status, _ = await post(
        f"{running.url}/webhook", b"not gzip", headers={"Content-Encoding": "gzip"}
    )
    assert status == 400


async def test_a_compressed_body_is_read_and_held_to_the_limit(tmp_path: Path) -> None:
    http = {"listen": "127.0.0.1:0", "max_body": "64KiB"}
    async with router(write_config(tmp_path, CONSOLE, http=http)) as process:
        packed = {"headers": {"Content-Encoding": "gzip"}}
        status, _ = await post(f"{process.url}/webhook", gzip.compress(body()), **packed)
        assert status == 200
        bomb = gzip.compress(b" " * 50_000_000)
        status, _ = await post(f"{process.url}/webhook", bomb, **packed)
        assert status == 413


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413_and_counted(tmp_path: Path, chunked: bool) -> None:
    http = {"listen": "127.0.0.1:0", "max_body": "64KiB"}
    async with router(write_config(tmp_path, CONSOLE, http=http)) as process:
        async with aiohttp.ClientSession() as session:
            data = body() + b" " * 70_000
            answer = await session.post(
                f"{process.url}/webhook", data=data, chunked=chunked or None
            )
            assert answer.status == 413
            assert "max_alerts" in (await answer.json())["error"]
        assert await metric(process, 'alert_router_webhooks_total{outcome="too_large"}') == 1


async def test_a_receiver_in_the_path_may_hold_any_text(running: Router) -> None:
    status, _ = await post(f"{running.url}/webhook/a%2Fb%20%0A%E2%80%AE", body())
    assert status == 200


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("auth", "good", "bad"),
    [
        (
            {"bearer_token_file": "token"},
            "Bearer sesame",
            ["", "Bearer wrong", "Bearer", "Basic sesame", "sesame", "Bearer ésame"],
        ),
        (
            {"basic": {"username": "am", "password_file": "token"}},
            basic("am", "sesame"),
            ["", basic("am", "x"), basic("x", "sesame"), "Basic !!!", "Bearer sesame"],
        ),
    ],
    ids=["bearer", "basic"],
)
async def test_intake_and_reload_ask_for_credentials(
    tmp_path: Path, auth: dict[str, Any], good: str, bad: list[str]
) -> None:
    (tmp_path / "token").write_text("sesame\n")
    http = {"listen": "127.0.0.1:0", "auth": auth}
    async with router(write_config(tmp_path, CONSOLE, http=http)) as process:
        for path in ("/webhook", "/-/reload"):
            for value in bad:
                headers = {"Authorization": value} if value else {}
                status, _ = await post(process.url + path, body(), headers=headers)
                assert status == 401, (path, value)
            status, _ = await post(process.url + path, body(), headers={"Authorization": good})
            assert status == 200, path


async def test_a_credential_that_cannot_be_read_lets_nobody_in_and_loses_nothing(
    tmp_path: Path,
) -> None:
    http = {"listen": "127.0.0.1:0", "auth": {"bearer_token_file": "missing"}}
    async with router(write_config(tmp_path, CONSOLE, http=http)) as process:
        for path in ("/webhook", "/-/reload"):
            for given, expected in (("Bearer ", 503), ("Bearer guessed", 503), ("", 401)):
                headers = {"Authorization": given} if given else {}
                status, _ = await post(process.url + path, body(), headers=headers)
                assert status == expected, (path, given)
        (tmp_path / "missing").write_text("now it is there")
        headers = {"Authorization": "Bearer now it is there"}
        status, _ = await post(f"{process.url}/webhook", body(), headers=headers)
        assert status == 200


async def closes(process: Router, first: bytes, drip: bytes = b"") -> bytes:
    """What the server says before it closes a connection that sends `first` and then only
    drips."""
    host, port = process.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(first)

    async def keep_dripping() -> None:
        while True:
            await asyncio.sleep(0.05)
            writer.write(drip)
            await writer.drain()

    dripping = asyncio.create_task(keep_dripping()) if drip else None
    try:
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        if dripping:
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
        writer.close()


@asynccontextmanager
async def impatient(tmp_path: Path, limit: str) -> AsyncIterator[Router]:
    """A router with that limit only: the others last for hours."""
    limits = dict.fromkeys(("header_timeout", "body_timeout", "idle_timeout"), "5h")
    http = {"listen": "127.0.0.1:0", **limits, limit: "500ms"}
    async with router(write_config(tmp_path, CONSOLE, http=http)) as process:
        yield process


async def test_a_slow_loris_is_closed_in_its_head(tmp_path: Path) -> None:
    async with impatient(tmp_path, "header_timeout") as process:
        await closes(process, b"POST /webhook HTTP/1.1\r\n", drip=b"X-A: b\r\n")


async def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    async with impatient(tmp_path, "header_timeout") as process:
        await closes(process, b"")


async def test_a_connection_left_idle_after_an_answer_is_closed(tmp_path: Path) -> None:
    async with impatient(tmp_path, "idle_timeout") as process:
        answer = await closes(process, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"healthy" in answer


async def test_a_second_head_that_drips_is_closed(tmp_path: Path) -> None:
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    async with impatient(tmp_path, "header_timeout") as process:
        await closes(process, request + b"GET / HT", drip=b"T")


async def test_a_body_that_drips_is_answered_so_that_it_is_tried_again_and_closed(
    tmp_path: Path,
) -> None:
    head = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"
    async with impatient(tmp_path, "body_timeout") as process:
        answer = await closes(process, head, drip=b" ")
    assert answer.startswith(b"HTTP/1.1 503")


async def test_health_and_readiness(running: Router) -> None:
    for path in ("/-/healthy", "/-/ready"):
        status, _ = await get(running.url + path)
        assert status == 200, path


async def test_metrics_name_alerts_by_status_and_runbook_and_no_alert_label(
    running: Router,
) -> None:
    await post(f"{running.url}/webhook", body(pod="very-own-pod"))
    await post(f"{running.url}/webhook", body("Unheard"))
    await eventually(
        lambda: _is(metric(running, "alert_router_notifications_total{"), 2), "both messages"
    )
    assert await metric(running, 'alert_router_alerts_received_total{status="firing"}') == 2
    matched = 'alert_router_alerts_matched_total{runbook="alerts/high-error-rate"}'
    assert await metric(running, matched) == 1
    assert await metric(running, "alert_router_alerts_unmatched_total") == 1
    _, text = await get(f"{running.url}/metrics")
    assert "very-own-pod" not in text
    assert "Unheard" not in text


async def _is(value: Any, expected: float) -> bool:
    return bool(await value == expected)


async def test_a_full_disk_is_503_and_not_ready(tmp_path: Path) -> None:
    # A reserve larger than any disk: the free space is under it.
    config = write_config(tmp_path, CONSOLE, delivery={"reserve": "1000000GiB"})
    async with router(config) as process:
        status, answer = await post(f"{process.url}/webhook", body())
        full = "the disk is full: free space is below delivery.reserve"
        assert (status, answer["error"]) == (503, full)
        status, text = await get(f"{process.url}/-/ready")
        assert (status, text.lower()) == (503, f"{full}.\n")


async def test_the_raw_body_is_kept_as_it_came(tmp_path: Path) -> None:
    import sqlite3

    raw = json.dumps(json.loads(body()) | {"unknown": {"b": 1, "a": 2}}, indent=3).encode()
    config = write_config(tmp_path, CONSOLE)
    async with router(config) as process:
        await post(f"{process.url}/webhook", raw)
    with sqlite3.connect(tmp_path / "alert-router.db") as store:
        tables = [
            name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        kept = [
            value
            for table in tables
            for row in store.execute(f'SELECT * FROM "{table}"')
            for value in row
        ]
    store.close()
    assert raw in kept


async def raw_status(url: str, target: str, method: str = "POST") -> int:
    """The status that a request for exactly this target is answered."""
    data = json.dumps(json.loads(body())).encode()
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n"
        "Content-Type: application/json\r\nConnection: close\r\n\r\n".encode()
        + data
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


async def test_slashes_too_many_in_the_path_are_ignored(tmp_path: Path) -> None:
    config = write_config(tmp_path, CONSOLE)
    async with router(config) as running:
        for target in ("/webhook/", "//webhook", "///webhook//", "//webhook?source=a"):
            assert await raw_status(running.url, target) == 200, target
        for target in ("/webhook/oncall/", "//webhook//oncall", "/webhook/oncall//"):
            assert await raw_status(running.url, target) == 200, target
        assert await metric(running, "alert_router_unknown_receiver_webhooks_total") == 0
        # The same body for one receiver is the same group, however the path is written.
        assert await metric(running, 'alert_router_webhooks_total{outcome="accepted"}') == 3
        assert await metric(running, 'alert_router_webhooks_total{outcome="duplicate"}') == 4


async def test_any_other_post_is_404_counted_and_logged_with_its_path(running: Router) -> None:
    targets = ["/", "/webhooks", "/api/v2/alerts", "/Webhook", "/alert-router/webhook", "/metrics"]
    for target in [*targets, "/a%0d%0a%1b[31mb%22", "/webhookoncall", "/x" * 2_000]:
        assert await raw_status(running.url, target) == 404, target
    assert await raw_status(running.url, "/webhooks", "PUT") == 404
    assert await metric(running, 'alert_router_webhooks_total{outcome="unknown_path"}') == 10
    lines = [json.loads(line) for line in running.text().splitlines() if "unknown path" in line]
    assert [line["path"] for line in lines[:6]] == targets
    assert all(line["path"].isprintable() and len(line["path"]) <= 200 for line in lines)


async def test_a_scanner_writes_few_lines_and_a_get_writes_none(running: Router) -> None:
    for number in range(60):
        assert await raw_status(running.url, f"/scan/{number}") == 404
    assert (await get(f"{running.url}/scan"))[0] == 404
    assert await metric(running, 'alert_router_webhooks_total{outcome="unknown_path"}') == 60
    assert running.text().count("unknown path") <= 12
