"""What every notifier that speaks HTTP makes of what a destination does."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from email.utils import formatdate
from time import time

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from alert_router.notify.base import Delivered, Failed, Reason, Remedy, Sending
from tests.notify import destination
from tests.notify.conformance import CASES, PATH, WORD
from tests.notify.destination import LONG, answer, attempted, drip, echo, stream
from tests.notify.notifications import notification
from tests.programs import PATIENCE

every_notifier = pytest.mark.parametrize(
    "case", [case for case in CASES if case.over_http], ids=lambda case: case.name
)
every_secret_url = pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.over_http and case.any_url],
    ids=lambda case: case.name,
)
RETRY, HOLD, SMALLER = Remedy.RETRY, Remedy.HOLD, Remedy.SMALLER
GIGABYTE = 1024**3


async def send(case, url, *, connector=None, **fields):
    """The outcome of sending one message to the URL."""
    notifier = case.make(url, **{"timeout": LONG} | fields)
    async with aiohttp.ClientSession(connector=connector) as session:
        sending = Sending(session=session, id="msg-1")
        return await attempted(notifier, notifier.render(notification()), sending)


async def outcome(case, script, **fields):
    async with destination.serve(script) as server:
        return await send(case, server.url(PATH), **fields)


@every_notifier
@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_success_is_delivered(case, status):
    assert isinstance(await outcome(case, answer(status, case.ok)), Delivered)


@every_notifier
async def test_a_success_whose_body_says_otherwise_is_none(case):
    found = await outcome(case, answer(200, b"<html>Sign in to the guest network</html>"))
    if case.ok:
        assert (found.reason, found.remedy, found.in_doubt) == (Reason.BAD_ANSWER, RETRY, True)
        assert "Sign in" in found.message
    else:
        assert found == Delivered()


@every_notifier
@pytest.mark.parametrize(
    ("status", "reason", "remedy", "in_doubt"),
    [
        (400, Reason.REJECTED, SMALLER, False),
        (401, Reason.MISCONFIGURED, HOLD, False),
        (403, Reason.MISCONFIGURED, HOLD, False),
        (404, Reason.MISCONFIGURED, HOLD, False),
        (410, Reason.MISCONFIGURED, HOLD, False),
        (408, Reason.SERVER_ERROR, RETRY, False),
        (413, Reason.TOO_LARGE, SMALLER, False),
        (422, Reason.REJECTED, SMALLER, False),
        (425, Reason.SERVER_ERROR, RETRY, False),
        (429, Reason.RATE_LIMITED, RETRY, False),
        (500, Reason.SERVER_ERROR, RETRY, False),
        (502, Reason.SERVER_ERROR, RETRY, True),
        (503, Reason.SERVER_ERROR, RETRY, False),
        (504, Reason.SERVER_ERROR, RETRY, True),
        (301, Reason.REDIRECTED, HOLD, False),
        (302, Reason.REDIRECTED, HOLD, False),
        (307, Reason.REDIRECTED, HOLD, False),
    ],
)
async def test_a_status_means_the_same_for_every_notifier(case, status, reason, remedy, in_doubt):
    async with destination.serve(answer(status, b"no such thing", "Location: /new")) as server:
        failed = await send(case, server.url(PATH))
    assert (failed.reason, failed.remedy, failed.in_doubt) == (reason, remedy, in_doubt)
    assert failed.message.startswith(f"HTTP {status}: no such thing")
    assert len(server.requests) == 1, "a redirect was followed"


@every_notifier
@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("30", 30, 30),
        ("0.5", 0.5, 0.5),
        ("999999999", 3600, 3600),
        ("1e999", 3600, 3600),
        (600, 500, 600),  # a date that many seconds ahead
        (10**7, 3600, 3600),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_obeyed_and_capped(case, status, value, least, most):
    if isinstance(value, int):
        value = formatdate(time() + value, usegmt=True)
    failed = await outcome(case, answer(status, b"", f"Retry-After: {value}"))
    assert least <= failed.retry_after <= most


@every_notifier
@pytest.mark.parametrize(
    "value",
    ["", "0", "-5", "soon", "nan", "-inf", "Sun, 99 Nov 9999", formatdate(0, usegmt=True)],
)
async def test_a_retry_after_that_is_none_is_ignored(case, value):
    failed = await outcome(case, answer(429, b"", f"Retry-After: {value}"))
    assert (failed.reason, failed.retry_after) == (Reason.RATE_LIMITED, case.patience)


@every_notifier
@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        (("X-RateLimit-Reset-After: 2.5", "X-RateLimit-Reset: 40"), 2.5, 2.5),
        (("X-RateLimit-Reset: 40",), 40, 40),
        ((f"X-RateLimit-Reset: {time() + 1800:.0f}",), 1, 1800),
        (("X-RateLimit-Reset: 4102444800",), 3600, 3600),
        (("Retry-After: 3", "X-RateLimit-Reset: 40"), 3, 3),
    ],
)
async def test_a_limit_without_retry_after_says_when_it_ends(case, headers, least, most):
    failed = await outcome(case, answer(429, b"", *headers))
    assert failed.reason == Reason.RATE_LIMITED
    assert least <= failed.retry_after <= most


@every_notifier
async def test_silence_is_a_timeout_in_doubt(case):
    failed = await outcome(case, destination.hang, timeout=LONG)
    assert failed == Failed(Reason.TIMEOUT, "no answer within 30 s", in_doubt=True)


@every_notifier
@pytest.mark.parametrize("script", [destination.drop, destination.reset, destination.garbage])
async def test_a_connection_that_breaks_after_the_request_is_in_doubt(case, script):
    failed = await outcome(case, script)
    assert (failed.reason, failed.remedy, failed.in_doubt) == (Reason.CONNECTION, RETRY, True)


@every_notifier
async def test_a_dripping_body_does_not_hide_the_status(case):
    failed = await outcome(case, drip(500), timeout=LONG)
    assert (failed.reason, failed.in_doubt) == (Reason.SERVER_ERROR, False)


@every_notifier
async def test_a_dripping_success_ends_in_time(case):
    found = await outcome(case, drip(200), timeout=LONG)
    if case.ok:
        assert (found.reason, found.in_doubt) == (Reason.BAD_ANSWER, True)
    else:
        assert found == Delivered()


@every_notifier
@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_of_a_gigabyte_is_not_read(case, status):
    async with destination.serve(stream(status, GIGABYTE)) as server:
        found = await send(case, server.url(PATH))
        await asyncio.wait_for(server.gone.wait(), PATIENCE)
    assert server.sent < GIGABYTE / 20  # what fits into the sockets' buffers
    assert found == Delivered() or len(found.message) < 300


@every_notifier
async def test_nothing_is_in_doubt_where_nobody_listens(case):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and never listening
        failed = await send(case, f"http://127.0.0.1:{taken.getsockname()[1]}{PATH}")
    assert (failed.reason, failed.remedy, failed.in_doubt) == (Reason.CONNECTION, RETRY, False)
    assert "cannot connect" in failed.message


class _Names(AbstractResolver):
    """A resolver without an answer, or without even a no."""

    def __init__(self, error=None):
        self.error = error

    async def resolve(self, host, port=0, family=socket.AF_INET):
        if self.error:
            raise self.error
        await asyncio.Event().wait()

    async def close(self):
        pass


@every_notifier
async def test_nothing_is_in_doubt_without_a_name(case):
    connector = aiohttp.TCPConnector(resolver=_Names(OSError(-2, "Name or service not known")))
    failed = await send(case, f"https://hooks.example{PATH}", connector=connector)
    assert failed == Failed(Reason.CONNECTION, "cannot connect: Name or service not known")


@every_notifier
async def test_nothing_is_in_doubt_while_connecting(case):
    connector = aiohttp.TCPConnector(resolver=_Names())
    url = f"https://hooks.example{PATH}"
    failed = await send(case, url, connector=connector, timeout=0.2)
    assert failed == Failed(Reason.TIMEOUT, "no connection within 0.2 s")


@every_notifier
async def test_nothing_is_in_doubt_where_tls_fails(case):
    async def in_the_clear(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(in_the_clear, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        failed = await send(case, f"https://127.0.0.1:{port}{PATH}")
    assert (failed.reason, failed.remedy, failed.in_doubt) == (Reason.CONNECTION, RETRY, False)
    assert WORD not in failed.message


@every_notifier
@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
async def test_a_certificate_of_its_own_making_is_not_taken(case, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        failed = await send(case, f"https://127.0.0.1:{port}{PATH}")
    assert (failed.reason, failed.in_doubt) == (Reason.CONNECTION, False)
    assert "certificate" in failed.message.lower()


@every_secret_url
@pytest.mark.parametrize("url", ["hooks.example/x", "ftp://hooks.example/x", "http://", "a b", "?"])
async def test_a_url_that_is_none_holds_the_destination(case, url):
    failed = await send(case, f"{url}{WORD}" if url != "http://" else url)
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, HOLD)
    assert WORD not in failed.message


@every_secret_url
async def test_a_secret_that_cannot_be_read_holds_the_destination(case, monkeypatch):
    monkeypatch.delenv("NO_SUCH_URL", raising=False)
    failed = await send(case, "${NO_SUCH_URL}")
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, HOLD)
    assert "NO_SUCH_URL" in failed.message


@every_notifier
@pytest.mark.parametrize("status", [200, 302, 400, 404, 429, 500])
async def test_no_error_holds_a_secret_that_the_destination_says_back(case, status, caplog):
    found = await outcome(case, echo(status))
    assert WORD not in f"{found!r} {caplog.text}"


@every_notifier
async def test_no_broken_connection_tells_the_url(case, caplog):
    for script in (destination.drop, destination.reset, destination.garbage):
        assert WORD not in repr(await outcome(case, script))
    assert WORD not in caplog.text


@every_notifier
async def test_words_of_a_destination_are_short_and_printable(case):
    failed = await outcome(case, answer(400, b"\x1b[31mno\x00\r\n\xff \xe2\x80\xae" + b"x" * 9999))
    assert failed.message.isprintable()
    assert len(failed.message) < 220


@every_notifier
async def test_a_resend_has_the_same_body_and_says_it_is_json(case):
    async with destination.serve(answer(200, case.ok)) as server:
        await send(case, server.url(PATH))
        await send(case, server.url(PATH))
    (_, headers, first), (_, _, second) = server.requests
    assert first == second
    assert headers["content-type"].startswith("application/json")
    assert headers["user-agent"].startswith("alert-router/")
