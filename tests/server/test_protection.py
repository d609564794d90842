"""Who may send what: pages of other sites, bad HTTP, endpoints with credentials, connections."""

import asyncio
import base64
import json
import resource
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.http import get, metric, post
from tests.programs import PATIENCE, Router, body, eventually, router, write_config

CONSOLE = [{"type": "console"}]


def logged(process: Router, event: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in process.text().splitlines() if line.startswith("{")]
    return [row for row in rows if row.get("event") == event]


async def raw(process: Router, sent: bytes) -> bytes:
    host, port = process.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    try:
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        writer.close()


@pytest.fixture
async def running(tmp_path: Path) -> Any:
    async with router(write_config(tmp_path, CONSOLE)) as process:
        yield process


@pytest.mark.parametrize(
    "kind",
    [
        *("application/json", "application/json; charset=utf-8", "APPLICATION/JSON"),
        *("application/vnd.am+json", "application/octet-stream"),
    ],
)
async def test_json_is_accepted_under_any_of_its_types(running: Router, kind: str) -> None:
    status, _ = await post(f"{running.url}/webhook", body(), headers={"Content-Type": kind})
    assert status == 200


async def test_a_sender_that_names_no_type_is_accepted(running: Router) -> None:
    head = f"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body())}\r\n"
    answer = await raw(running, head.encode() + b"Connection: close\r\n\r\n" + body())
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "kind",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "a/b"],
)
async def test_what_a_form_can_send_is_415_and_says_what_to_send(
    running: Router, kind: str
) -> None:
    status, answer = await post(f"{running.url}/webhook", body(), headers={"Content-Type": kind})
    assert status == 415
    assert "application/json" in answer["error"]
    series = 'alert_router_webhooks_total{outcome="unsupported_type"}'
    assert await metric(running, series) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/webhook", "/-/reload"])
async def test_a_page_of_another_site_can_neither_post_nor_reload(
    running: Router, path: str, headers: dict[str, str]
) -> None:
    status, _ = await post(running.url + path, body(), headers=headers)
    assert status == 403


async def test_a_page_of_the_router_itself_and_tools_may_reload(running: Router) -> None:
    host = running.url.removeprefix("http://")
    for headers in (
        {},
        {"Origin": running.url, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://alerts.example.org"},  # external_url, behind a proxy
        {"Sec-Fetch-Site": "none", "Host": host},
    ):
        status, _ = await post(f"{running.url}/-/reload", headers=headers)
        assert status == 200, headers


BAD = [
    b"GET / HTTP/1.1\r\nAuthorization: Bearer s3cret\r\nX:\x01\x1b[31m\r\n bad\x00\r\n\r\n",
    b"GET /\x1b[31m HTTP/1.1\r\n\r\n",
    b"BLAH\r\n\r\n",
    b"GET / HTTP/9.9\r\nCookie: s3cret\r\n\r\n",
    b"GET / HTTP/1.1\r\nX-Long: " + b"s3cret" * 5_000 + b"\r\n\r\n",
    b"POST /webhook HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
]


@pytest.mark.parametrize("sent", BAD, ids=range(len(BAD)))
async def test_bad_http_is_one_line_without_what_was_sent(running: Router, sent: bytes) -> None:
    before = running.text()
    answer = await raw(running, sent)
    assert answer.split(b"\r\n")[0].endswith(b" 400 Bad Request")
    assert b"X-Content-Type-Options: nosniff\r\n" in answer
    assert b"Server: alert-router\r\n" in answer
    assert b"s3cret" not in answer
    assert b"\x1b" not in answer
    (line,) = running.text().removeprefix(before).splitlines()
    assert json.loads(line)["event"] == "malformed request"
    assert "s3cret" not in line
    assert line.isprintable()


async def test_a_flood_of_bad_http_is_few_lines(running: Router) -> None:
    for _ in range(5):
        await asyncio.gather(*(raw(running, BAD[0]) for _ in range(40)))
    assert 1 <= len(logged(running, "malformed request")) <= 20


async def test_every_answer_forbids_guessing_types_and_names_no_version(running: Router) -> None:
    async with aiohttp.ClientSession() as session:
        for method, path in (
            *(
                ("GET", "/-/healthy"),
                ("GET", "/-/ready"),
                ("GET", "/metrics"),
                ("POST", "/webhook"),
            ),
            *(("GET", "/runbooks/"), ("GET", "/nowhere"), ("DELETE", "/webhook")),
            *(("GET", "/api/v1/coverage"), ("POST", "/-/reload"), ("GET", "/runbooks")),
        ):
            async with session.request(method, running.url + path, allow_redirects=False) as answer:
                assert answer.headers["X-Content-Type-Options"] == "nosniff", path
                assert answer.headers["Server"] == "alert-router", path


PATHS = {
    "webhook": ("POST", "/webhook"),
    "reload": ("POST", "/-/reload"),
    "api": ("GET", "/api/v1/coverage"),
    "pages": ("GET", "/runbooks/"),
    "metrics": ("GET", "/metrics"),
}


@pytest.mark.parametrize(
    "protect", [None, [], ["api"], ["pages", "metrics"], ["webhook", "reload", "api"]]
)
async def test_credentials_are_asked_for_where_the_configuration_says(
    tmp_path: Path, protect: list[str] | None
) -> None:
    auth: dict[str, Any] = {"basic": {"username": "a", "password_file": "secret"}}
    (tmp_path / "secret").write_text("b")
    if protect is not None:
        auth["protect"] = protect
    http = {"listen": "127.0.0.1:0", "auth": auth}
    good = {"Authorization": "Basic " + base64.b64encode(b"a:b").decode()}
    async with (
        router(write_config(tmp_path, CONSOLE, http=http)) as process,
        aiohttp.ClientSession() as session,
    ):
        for name, (method, path) in PATHS.items():
            data = body() if name == "webhook" else None
            for headers in ({}, good):
                async with session.request(
                    method, process.url + path, data=data, headers=headers
                ) as answer:
                    asked = name in (["webhook", "reload"] if protect is None else protect)
                    assert answer.status == (401 if asked and not headers else 200), name
        for path in ("/-/healthy", "/-/ready"):
            assert (await get(process.url + path))[0] == 200
        result = await get(f"{process.url}/api/v1/groups/abc")
        guarded = protect is None or bool({"webhook", "api"} & set(protect))
        assert result[0] == (401 if guarded else 404)


@pytest.mark.parametrize(
    ("listen", "auth", "warns"),
    [
        ("0.0.0.0:0", None, True),
        ("0.0.0.0:0", {"bearer_token": "x", "protect": ["metrics"]}, True),
        ("0.0.0.0:0", {"bearer_token": "x"}, False),
        ("127.0.0.1:0", None, False),
    ],
)
async def test_the_start_warns_where_everyone_may_post(
    tmp_path: Path, listen: str, auth: Any, warns: bool
) -> None:
    http = {"listen": listen, "auth": auth}
    async with router(write_config(tmp_path, CONSOLE, http=http)) as process:
        await eventually(lambda: logged(process, "serving"), "the start")
        warned = [line for line in process.text().splitlines() if "set http.auth" in line]
        assert bool(warned) is warns


async def test_idle_connections_make_room_for_new_ones(tmp_path: Path) -> None:
    http = {"listen": "127.0.0.1:0", "max_connections": 8}
    async with router(write_config(tmp_path, CONSOLE, http=http)) as process:
        host, port = process.url.removeprefix("http://").split(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(30)]
        status, _ = await post(f"{process.url}/webhook", body())
        assert status == 200
        assert await metric(process, "alert_router_http_connections_refused_total") >= 20
        assert await metric(process, "alert_router_http_connections ") <= 9
        assert await metric(process, "alert_router_http_connections_allowed") == 8
        for _, writer in held:
            writer.close()


async def test_connections_leave_descriptors_for_the_store_and_the_destinations(
    tmp_path: Path,
) -> None:
    """At `ulimit -n 64` with twelve destinations: what is accepted while clients hold all
    connections they can get is still delivered."""
    from tests.programs import recorder

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    async with recorder() as there:
        notifiers = [
            {"type": "webhook", "name": f"n{n}", "url": f"{there.url}/{n}"} for n in range(12)
        ]
        config = write_config(tmp_path, notifiers)
        async with router(config, preexec_fn=limited) as process:
            allowed = await metric(process, "alert_router_http_connections_allowed")
            assert 4 <= allowed <= 20
            host, port = process.url.removeprefix("http://").split(":")
            held = [await asyncio.open_connection(host, int(port)) for _ in range(60)]
            for number in range(20):
                status, _ = await post(f"{process.url}/webhook", body(f"A{number}"))
                assert status == 200
            await eventually(lambda: len(there.requests) >= 240, "all deliveries")
            assert "Too many open files" not in process.text()
            for _, writer in held:
                writer.close()
