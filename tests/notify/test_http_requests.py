"""What goes over the wire: headers that configuration cannot break, credentials that no error
tells."""

import asyncio

import aiohttp
import pytest

from alert_router.notify.base import Delivered, Reason, Remedy, Sending
from alert_router.notify.webhook import WebhookNotifier
from tests.notify import destination
from tests.notify.destination import answer, attempted, echo
from tests.notify.notifications import notification


async def send(server, url=None, **fields):
    notifier = WebhookNotifier(url=url or server.url("/hook"), timeout=5, **fields)
    async with aiohttp.ClientSession() as session:
        return await attempted(notifier, notifier.render(notification()), Sending(session, "msg-1"))


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": {"X-Key": "s3cr3t\r\nX-Evil: 1"}},
        {"headers": {"X-Key": "s3cr3t\nX-Evil: 1"}},
        {"bearer_token": "s3cr3t\r\n\r\nPOST /evil HTTP/1.1"},
        {"bearer_token": "s3cr3t\x00"},
    ],
)
async def test_no_value_can_add_a_header(fields):
    async with destination.serve(answer(200)) as server:
        failed = await send(server, **fields)
        assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
        assert not failed.in_doubt
        assert "s3cr3t" not in repr(failed)
        assert server.requests == []


async def test_a_password_with_line_breaks_is_only_a_password():
    async with destination.serve(answer(200)) as server:
        found = await send(server, username="me\r\nX-Evil", password="p\r\nX-Evil: 1")
        assert found == Delivered()
        assert "x-evil" not in server.requests[0][1]


async def test_a_header_given_by_configuration_replaces_ours():
    heads = []

    async def connected(reader, writer):
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/"
        assert await send(None, url=url, headers={"user-agent": "mine"}) == Delivered()
    assert heads[0].count("user-agent:") == 1
    assert "user-agent: mine" in heads[0]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://robot:passw0rd@127.0.0.1:{port}/hook", ["passw0rd", "cm9ib3Q6cGFzc3cwcmQ="]),
        ("http://t0kenized@127.0.0.1:{port}/hook", ["t0kenized", "dDBrZW5pemVkOg=="]),
        ("http://127.0.0.1:{port}/hook/with space/s3cr3t é", ["s3cr3t"]),
        ("http://127.0.0.1:{port}/hook/s3cr3t%20x y", ["s3cr3t"]),
        ("http://127.0.0.1:{port}/hook?key=s3cr3t%2Fx", ["s3cr3t"]),
    ],
)
async def test_no_spelling_of_a_credential_in_the_url_comes_back(url, words):
    async with destination.serve(echo(500)) as server:
        failed = await send(server, url=url.format(port=server.port))
    assert failed.message.startswith("HTTP 500: ")
    assert [word for word in words if word in repr(failed)] == []


async def test_credentials_in_the_url_beside_others_are_a_mistake_that_is_named():
    async with destination.serve(answer(200)) as server:
        url = f"http://robot:passw0rd@127.0.0.1:{server.port}/hook"
        failed = await send(server, url=url, bearer_token="t0kenized")
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "other authentication" in failed.message


@pytest.mark.parametrize("status", [402, 405, 406, 407, 415, 426, 451])
async def test_a_refusal_that_every_message_would_meet_holds_the_destination(status):
    async with destination.serve(answer(status)) as server:
        failed = await send(server)
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
