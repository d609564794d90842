"""What every notifier that speaks HTTP has: further headers, a proxy, TLS of its own."""

import asyncio
import os
import shutil
import ssl
import subprocess

import aiohttp
import pytest

from alert_router.notify.base import Delivered, Reason, Remedy, Sending
from alert_router.notify.webhook import WebhookNotifier
from tests.notify import destination
from tests.notify.conformance import PATH, WORD
from tests.notify.destination import LONG, answer, attempted, echo
from tests.notify.notifications import notification

needs_openssl = pytest.mark.skipif(
    not shutil.which("openssl"), reason="openssl makes the certificates"
)


async def send(url, **fields):
    notifier = WebhookNotifier(url=url, timeout=LONG, **fields)
    async with aiohttp.ClientSession() as session:
        sending = Sending(session=session, id="msg-1")
        return await attempted(notifier, notifier.render(notification()), sending)


def certificate(folder, name):
    """A key and a certificate that signs itself, for 127.0.0.1 under another name too."""
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN={name} -addext subjectAltName=DNS:{name}.example,IP:127.0.0.1"
    )
    subprocess.run(
        [*command.split(), "-keyout", key, "-out", made], check=True, capture_output=True
    )
    return key, made


async def over_tls(folder, *, client=None):
    """A server with a certificate of its own making; asks for the client's where one is given."""
    key, made = certificate(folder, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    if client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client)

    async def connected(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    return server, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}{PATH}", made


@needs_openssl
async def test_an_authority_of_ones_own_is_taken_where_it_is_named(tmp_path):
    server, url, authority = await over_tls(tmp_path)
    async with server:
        assert (await send(url)).reason is Reason.CONNECTION
        assert await send(url, tls={"ca_file": authority}) == Delivered()
        assert await send(url, tls={"insecure_skip_verify": True}) == Delivered()


@needs_openssl
async def test_the_name_in_the_certificate_can_be_another_than_the_hosts(tmp_path):
    server, url, authority = await over_tls(tmp_path)
    async with server:
        named = {"ca_file": authority, "server_name": "server.example"}
        assert await send(url, tls=named) == Delivered()
        failed = await send(url, tls=named | {"server_name": "other.example"})
    assert (failed.reason, failed.in_doubt) == (Reason.CONNECTION, False)


@needs_openssl
async def test_a_client_shows_its_certificate_and_a_renewed_one_needs_no_restart(tmp_path):
    key, client = certificate(tmp_path, "client")
    server, url, authority = await over_tls(tmp_path, client=client)
    ours = {"ca_file": authority, "cert_file": tmp_path / "c.pem", "key_file": tmp_path / "c.key"}
    for number, (one, other) in enumerate([certificate(tmp_path, "wrong"), (key, client)]):
        shutil.copy(one, tmp_path / "c.key")
        shutil.copy(other, tmp_path / "c.pem")
        for name in ("c.key", "c.pem"):
            os.utime(tmp_path / name, (1_000 + number, 1_000 + number))
        found = await send(url, tls=ours)
        assert isinstance(found, Delivered) is bool(number), found
    server.close()


@pytest.mark.parametrize("tls", [{"ca_file": "none.pem"}, {"cert_file": "none.pem"}])
async def test_a_certificate_that_cannot_be_read_holds_the_destination(tls):
    failed = await send(f"https://127.0.0.1:1{PATH}", tls=tls)
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "none.pem" in failed.message


async def test_a_file_that_is_no_certificate_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    failed = await send(f"https://127.0.0.1:1{PATH}", tls={"ca_file": tmp_path / "ca.pem"})
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "ca.pem" in failed.message


async def test_a_proxy_is_asked_with_its_own_credentials_and_told_none_of_ours():
    async with destination.serve(answer(200)) as proxy:
        url = proxy.url().replace("//", f"//user:{WORD}@")
        assert await send(f"http://hooks.example{PATH}", proxy=url) == Delivered()
    ((line, headers, _),) = proxy.requests
    assert line == f"POST http://hooks.example{PATH} HTTP/1.1"
    assert headers["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_a_tunnel_is_named_and_no_secret_is(status):
    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} {WORD}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        proxy = f"http://user:{WORD}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        failed = await send(f"https://hooks.example{PATH}", proxy=proxy)
    assert (failed.reason, failed.in_doubt) == (Reason.CONNECTION, False)
    assert failed.message == f"the proxy refused: HTTP {status}"


async def test_further_headers_are_sent_and_cannot_be_ours():
    async with destination.serve(answer(200)) as server:
        await send(server.url(), headers={"X-Team": "sre"})
    ((_, headers, _),) = server.requests
    assert headers["x-team"] == "sre"
    with pytest.raises(ValueError, match="set by the router itself"):
        WebhookNotifier(url="http://h", headers={"Content-Type": "text/plain"})
    with pytest.raises(ValueError, match="a name is given twice"):
        WebhookNotifier(url="http://h", headers={"X-A": "1", "x-a": "2"})


@pytest.mark.parametrize(
    "wrong", ["ftp://h/x", "hooks.example.org/h/x", "https:///h/x", "http://[::1/h/x"]
)
@pytest.mark.parametrize("name", ["url", "proxy"])
def test_an_address_that_is_none_is_found_before_it_is_needed(tmp_path, wrong, name):
    (tmp_path / "wrong").write_text(wrong)
    keys = {"url": "https://h/x"} if name == "proxy" else {}
    made = WebhookNotifier.model_validate(
        keys | {f"{name}_file": "wrong"}, context={"base": str(tmp_path)}
    )
    [said] = made.secrets_missing()
    assert said.startswith(f"`{name}`: invalid URL")
    assert "h/x" not in said


async def send_body(server, url=None, **fields):
    notifier = WebhookNotifier(url=url or server.url("/hook"), timeout=LONG, **fields)
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
        failed = await send_body(server, **fields)
        assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
        assert not failed.in_doubt
        assert "s3cr3t" not in repr(failed)
        assert server.requests == []


async def test_a_password_with_line_breaks_is_only_a_password():
    async with destination.serve(answer(200)) as server:
        found = await send_body(server, username="me\r\nX-Evil", password="p\r\nX-Evil: 1")
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
        assert await send_body(None, url=url, headers={"user-agent": "mine"}) == Delivered()
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
        failed = await send_body(server, url=url.format(port=server.port))
    assert failed.message.startswith("HTTP 500: ")
    assert [word for word in words if word in repr(failed)] == []


async def test_credentials_in_the_url_beside_others_are_a_mistake_that_is_named():
    async with destination.serve(answer(200)) as server:
        url = f"http://robot:passw0rd@127.0.0.1:{server.port}/hook"
        failed = await send_body(server, url=url, bearer_token="t0kenized")
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "other authentication" in failed.message


@pytest.mark.parametrize("status", [402, 405, 406, 407, 415, 426, 451])
async def test_a_refusal_that_every_message_would_meet_holds_the_destination(status):
    async with destination.serve(answer(status)) as server:
        failed = await send_body(server)
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
