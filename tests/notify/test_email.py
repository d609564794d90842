"""E-mail: what a real server gets, and what is made of its answers."""

import asyncio
import itertools
import ssl
from base64 import b64encode
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import UTC, datetime

import aiohttp
import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_router.deliver.compose import word
from alert_router.markdown import Code
from alert_router.notify.base import Delivered, Failed, Reason, Remedy, Sending
from alert_router.notify.egress import Guard
from alert_router.notify.email import EmailNotifier
from alert_router.notify.email_message import EmailPayload, Mailbox, compose, header
from alert_router.runbook.model import Section
from tests.notify import email_rules
from tests.notify.destination import LONG, attempted, time_passes
from tests.notify.notifications import HOSTILE, alert, hostile, notification
from tests.notify.test_http import certificate, needs_openssl

TO = ["sre@example.org", "On call <oncall@example.org>"]


@dataclass
class Inbox:
    """A server's memory, and what it answers to whom."""

    port: int = 0
    messages: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    answer: str = "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.answer.startswith("2"):
            self.messages.append(envelope.content)
            self.recipients.append(envelope.rcpt_tos)
        return self.answer


@asynccontextmanager
async def server(box=None, **options):
    """A real SMTP server on this event loop."""
    box = box or Inbox()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(box, loop=loop, **options), "127.0.0.1", 0)
    box.port = listening.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        listening.close()


def make(port, **fields):
    told = {"to": TO, "from": "Alerts <alerts@example.org>", "smarthost": f"127.0.0.1:{port}"}
    return EmailNotifier.model_validate(told | {"require_tls": False, "timeout": LONG} | fields)


async def send(port, told=None, *, id_="batch-1", guard=None, **fields):
    notifier = make(port, **fields)
    async with aiohttp.ClientSession() as session:
        sending = Sending(session, id_, guard=guard or Guard())
        return await attempted(notifier, notifier.render(told or notification()), sending)


def rendered(told):
    notifier = make(25)
    return notifier.readable(notifier.render(told))


async def test_it_arrives_as_text_and_html_at_every_recipient():
    async with server() as box:
        assert await send(box.port) == Delivered()
    assert box.recipients == [["sre@example.org", "oncall@example.org"]]
    message = email_rules.check_message(box.messages[0])
    assert message["subject"] == "CRITICAL: PodCrash"
    assert message["from"] == "Alerts <alerts@example.org>"
    assert message["to"] == "sre@example.org, On call <oncall@example.org>"
    assert message["auto-submitted"] == "auto-generated"
    text, html = (part.get_content() for part in message.iter_parts())
    for words in ("A pod crashes", "Pods that crash", "Look at the log.", "logs --previous"):
        assert words in text
        assert words in html
    assert "1. Look at the pod." in text


async def test_a_resend_has_its_id_and_a_group_its_thread():
    other = notification([alert(pod="b")], groupKey="another")
    async with server() as box:
        for told, id_ in ((None, "batch-1"), (None, "batch-1"), (None, "batch-2"), (other, "b-3")):
            await send(box.port, told, id_=id_)
    one, again, later, another = map(email_rules.check_message, box.messages)
    assert one["message-id"] == again["message-id"] != later["message-id"]
    assert one["references"] == later["references"] == one["in-reply-to"]
    assert another["references"] != one["references"]
    assert one["message-id"].endswith("@example.org>")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=hostile)
def test_no_value_breaks_out_of_its_place_in_the_message(told):
    said = rendered(told)
    email_rules.check(said)
    raw = compose(
        EmailPayload(**said),
        sender=Mailbox("a@example.org"),
        to=[Mailbox("b@example.org")],
        cc=[],
        id="<1@example.org>",
        thread="<2@example.org>",
        now=datetime(2026, 11, 23, tzinfo=UTC),
        headers={},
    )
    message = email_rules.check_message(raw)
    assert {name.lower() for name in message} == email_rules.HEADERS
    assert message["subject"] == said["subject"]


@pytest.mark.parametrize("text", [*HOSTILE, "a\r\nBcc: evil@example.org", "x\n\nbody", "é☎\u202e"])
def test_a_header_is_one_printable_line(text):
    assert header(text).isprintable()


_SMUGGLED = b64encode(b"x\r\nBcc: evil@example.org\r\n\r\nbody").decode()


@pytest.mark.parametrize(
    "name",
    [
        f"=?utf-8?B?{_SMUGGLED}?=",
        f"a =?utf-8?B?{_SMUGGLED}?= b",
        "=?utf-8?q?x=0d=0aBcc:_evil@example.org=0d=0a=0d=0abody?=",
        "==?us-ascii?q?x=0aBcc:_evil@example.org?=",
        "=\u200e?utf-8?q?x=0aBcc:_evil@example.org?=",
        "=\n?utf-8?q?x=0aBcc:_evil@example.org?=",
    ],
)
async def test_an_encoded_word_in_an_alert_smuggles_no_header(name):
    async with server() as box:
        await send(box.port, notification([alert(alertname=name)]), headers={"X-Team": name})
    message = email_rules.check_message(box.messages[0])
    assert {key.lower() for key in message} - email_rules.HEADERS == {"x-team"}
    assert "Bcc:" in message["subject"] or _SMUGGLED[:20] in message["subject"]
    assert message.get_body(("plain",)).get_content().startswith("CRITICAL: ")


_code = st.lists(
    st.text(st.sampled_from("ab `$&<>\"'\\|;*_~{}#\t"), min_size=1, max_size=80)
    .filter(str.strip)
    .filter(lambda line: line == line.strip("\t")),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_code)
def test_any_command_is_copied_exactly(lines):
    told = notification(sections=(Section("Detection", (), (Code("\n".join(lines), "bash"),)),))
    assert email_rules.commands(rendered(told)["html"])[0] == "\n".join(lines).rstrip("\n")


def test_many_alerts_and_long_runbooks_stay_below_what_mailboxes_cut():
    alerts = [alert(pod=f"a-{n}", annotations={"summary": "x" * 100_000}) for n in range(600)]
    steps = Section("Mitigation", (), (Code("y" * 200_000),))
    said = rendered(notification(alerts, (steps,) * 3, runbooks=3))
    assert len(said["html"].encode()) <= 100_000
    assert "and 595 more" in said["text"] or "and 590 more" in said["text"]


def test_an_address_of_an_alert_is_encoded_in_html_and_text():
    url = 'http://prom.example/é?q="<b>|x\\y^`{z}'
    said = rendered(notification([alert() | {"generatorURL": url}]))
    address = "http://prom.example/%C3%A9?q=%22%3Cb%3E%7Cx%5Cy%5E%60%7Bz%7D"
    assert f'href="{address}"' in said["html"]
    assert f"Query: {address}\n" in said["text"]


def test_of_too_many_runbooks_the_first_are_told_and_the_links_stay():
    alerts = [alert(alertname=f"Alert{n} " + "x" * 180) for n in range(600)]
    said = rendered(notification(alerts, (), runbooks=600))
    assert 95_000 < len(said["html"].encode()) <= 100_000
    assert "alerts/pod-crashes-0," in said["text"]
    assert "alerts/pod-crashes-599" not in said["text"]
    assert "Alertmanager: http" in said["text"]


def test_a_template_that_says_too_much_for_a_mail_gives_way_to_the_alerts():
    told = notification([alert(pod=f"a-{n}") for n in range(600)])
    item = "- **{{ a.labels.pod }}** " + "& " * 40
    notifier = make(25, template=f"{{% for a in alerts %}}{item}\n{{% endfor %}}")
    worded, failed = word(told, notifier)
    assert failed == 0
    said = notifier.readable(notifier.render(worded))
    email_rules.check(said)
    assert "A pod crashes" in said["text"]
    assert "pod-crashes-0" in said["text"]


async def test_a_repeat_of_what_may_have_arrived_says_so():
    async with server() as box:
        await send(box.port, changed(notification(), resent=True))
    assert (
        b"Sent again"
        in email_rules.check_message(box.messages[0]).get_body(("plain",)).get_content().encode()
    )


@pytest.mark.parametrize(
    ("answer", "reason", "remedy"),
    [
        ("451 try later", Reason.SERVER_ERROR, Remedy.RETRY),
        ("552 too much", Reason.TOO_LARGE, Remedy.SMALLER),
        ("554 looks like spam", Reason.REJECTED, Remedy.SMALLER),
    ],
)
async def test_what_is_said_to_the_message_is_about_the_message(answer, reason, remedy):
    async with server(Inbox(answer=answer)) as box:
        failed = await send(box.port)
    assert (failed.reason, failed.remedy, failed.in_doubt) == (reason, remedy, False)
    assert answer.split(" ", 1)[1] in failed.message


async def test_recipients_who_are_all_refused_hold_the_destination():
    refuse = {"sre@example.org": "550 no such user", "oncall@example.org": "550 no such user"}
    async with server(Inbox(refuse=refuse)) as box:
        failed = await send(box.port)
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "sre@example.org: 550 no such user" in failed.message


async def test_one_recipient_refused_for_good_costs_the_others_nothing():
    async with server(Inbox(refuse={"sre@example.org": "550 no such user"})) as box:
        assert await send(box.port) == Delivered()
    assert box.recipients == [["oncall@example.org"]]


async def test_one_recipient_refused_for_now_has_all_told_again_rather_than_one_never():
    async with server(Inbox(refuse={"sre@example.org": "450 greylisted"})) as box:
        failed = await send(box.port)
        assert (failed.reason, failed.in_doubt) == (Reason.SERVER_ERROR, True)
        assert "delivered to others, but sre@example.org: 450 greylisted" in failed.message
        box.refuse.clear()
        assert await send(box.port) == Delivered()
    first, second = map(email_rules.check_message, box.messages)
    assert first["message-id"] == second["message-id"]


@needs_openssl
async def test_starttls_and_a_password(tmp_path):
    key, made = certificate(tmp_path, "mail")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    seen = []

    def authenticator(server, session, envelope, mechanism, data):
        seen.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=data.password == b"s3cr3t", handled=False)

    options = {
        "tls_context": context,
        "require_starttls": True,
        "authenticator": authenticator,
        "auth_required": True,
    }
    keys = {"require_tls": True, "auth_username": "router", "tls": {"ca_file": made}}
    async with server(**options) as box:
        assert await send(box.port, **keys, auth_password="s3cr3t") == Delivered()
        failed = await send(box.port, **keys, auth_password="wr0ng-one")
        untrusted = await send(box.port, **keys | {"tls": {}}, auth_password="s3cr3t")
    assert seen[0] == (b"router", b"s3cr3t", True)
    assert (failed.reason, failed.remedy, failed.in_doubt) == (
        Reason.MISCONFIGURED,
        Remedy.HOLD,
        False,
    )
    assert "wr0ng-one" not in failed.message
    assert (untrusted.reason, untrusted.in_doubt) == (Reason.CONNECTION, False)
    assert len(box.messages) == 1


@needs_openssl
async def test_a_connection_that_failed_takes_nothing_from_the_next_one(tmp_path):
    """Its socket is closed once: the next one may have its number by then."""
    key, made = certificate(tmp_path, "mail")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)

    def refuse(*_):
        return AuthResult(success=False, handled=False)

    options = {"authenticator": refuse, "auth_required": True, "require_starttls": True}
    keys = {"require_tls": True, "auth_username": "router", "tls": {"ca_file": made}}
    async with server(tls_context=context, **options) as box:
        for _ in range(20):
            failed = await send(box.port, **keys, auth_password="wr0ng-one")
            assert failed.reason == Reason.MISCONFIGURED


@needs_openssl
async def test_require_tls_false_sends_without_tls_as_alertmanager_does(tmp_path):
    key, made = certificate(tmp_path, "mail")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)  # of nobody known: STARTTLS would fail
    async with server(tls_context=context) as box:
        assert await send(box.port, require_tls=False) == Delivered()
        failed = await send(box.port, require_tls=True)
    assert failed.reason == Reason.CONNECTION
    assert len(box.messages) == 1


@pytest.mark.parametrize(
    ("smarthost", "accepted"),
    [
        ("mail.example.org:587", False),
        ("localhost.example.org:25", False),
        ("mail.example.org:465", True),
        ("localhost:25", True),
        ("127.0.0.1:25", True),
        ("[::1]:25", True),
    ],
)
def test_a_password_is_never_sent_without_tls_to_another_machine(smarthost, accepted):
    keys = {"smarthost": smarthost, "auth_username": "u", "auth_password": "p"}
    if accepted:
        make(25, **keys, require_tls=False)
    else:
        with pytest.raises(ValueError, match="would be sent without TLS"):
            make(25, **keys, require_tls=False)
    make(25, **keys, require_tls=True)


async def test_without_tls_where_it_is_required_nothing_is_said():
    async with server() as box:
        failed = await send(box.port, require_tls=True)
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "offers no TLS" in failed.message
    assert box.messages == []


async def scripted(*lines, then="hang"):
    """A server that says these lines, one a command, and then hangs or hangs up."""

    async def connected(reader, writer):
        for line in lines:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()
            if line.startswith("354"):
                await reader.readuntil(b"\r\n.\r\n")
            else:
                await reader.readline()
        if then == "hang":
            time_passes()
            await reader.read()
        writer.close()

    return await asyncio.start_server(connected, "127.0.0.1", 0)


TALK = ("220 hello", "250 mail", "250 sender", "250 one", "250 other", "354 go on")


@pytest.mark.parametrize(
    ("said", "in_doubt"), [(0, False), (1, False), (3, False), (5, False), (6, True)]
)
@pytest.mark.parametrize("then", ["hang", "drop"])
async def test_only_what_breaks_after_the_message_is_in_doubt(said, in_doubt, then):
    async with await scripted(*TALK[:said], then=then) as listening:
        port = listening.sockets[0].getsockname()[1]
        failed = await send(port, timeout=LONG)
    assert isinstance(failed, Failed)
    assert failed.remedy is Remedy.RETRY
    assert failed.reason is (Reason.TIMEOUT if then == "hang" else Reason.CONNECTION)
    # After 354 it is the message that is being said.
    assert failed.in_doubt is (in_doubt or said == 5)


COMMANDS = {"hello": 1, "sender": 2, "recipients": 3, "data": 5}  # which line answers it


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("answer", "remedy"), [("451 not now", Remedy.RETRY), ("550 never", Remedy.HOLD)]
)
async def test_a_refusal_at_any_command_is_for_now_or_holds(command, answer, remedy):
    talk = [*TALK]
    talk[COMMANDS[command]] = answer
    if command == "hello":
        talk.insert(1, answer)  # to EHLO, and to HELO after it
    if command == "recipients":
        talk[4] = answer
    if command == "data" and remedy is Remedy.HOLD:
        remedy = Remedy.SMALLER  # after sender and recipients were taken it is the message's fault
    async with await scripted(*talk) as listening:
        failed = await send(listening.sockets[0].getsockname()[1])
    assert (failed.remedy, failed.in_doubt) == (remedy, False)
    assert answer in failed.message


@pytest.mark.parametrize("said", [0, 1, 2, 5, 6])
@pytest.mark.parametrize("endless", ["250-more\r\n", "250 " + "x" * 1000, "hello "])
async def test_an_answer_without_end_is_heard_only_so_far(said, endless):
    written = 0

    async def connected(reader, writer):
        nonlocal written
        for line in TALK[:said]:
            writer.write(f"{line}\r\n".encode())
            await reader.readuntil(b"\r\n.\r\n" if line.startswith("354") else b"\r\n")
        with suppress(OSError):
            while True:
                writer.write(endless.encode() * 1000)
                await writer.drain()
                written += len(endless) * 1000

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with listening:
        failed = await send(listening.sockets[0].getsockname()[1], timeout=LONG)
    assert failed.remedy is Remedy.RETRY
    assert failed.in_doubt is (said >= 5), "what it means that the message was said is not known"
    assert written < 64_000_000  # what the system's buffers hold, and no gigabyte


@pytest.mark.parametrize(("said", "in_doubt"), [(1, False), (2, False), (6, True)])
async def test_an_answer_that_drips_ends_in_time(said, in_doubt):
    async def connected(reader, writer):
        for line in TALK[:said]:
            writer.write(f"{line}\r\n".encode())
            await reader.readuntil(b"\r\n.\r\n" if line.startswith("354") else b"\r\n")
        with suppress(OSError):
            for number in itertools.count():
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.01)
                if number == 10:
                    time_passes()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as listening:
        failed = await send(listening.sockets[0].getsockname()[1], timeout=LONG)
    assert (failed.reason, failed.in_doubt) == (Reason.TIMEOUT, in_doubt)


async def test_a_server_that_is_busy_is_tried_later_and_one_that_refuses_us_is_held():
    for line, reason, remedy in (
        ("421 too busy", Reason.SERVER_ERROR, Remedy.RETRY),
        ("554 go away", Reason.MISCONFIGURED, Remedy.HOLD),
    ):
        async with await scripted(line) as listening:
            failed = await send(listening.sockets[0].getsockname()[1])
        assert (failed.reason, failed.remedy, failed.in_doubt) == (reason, remedy, False)


async def test_a_server_inside_has_to_be_allowed():
    async with server() as box:
        failed = await send(box.port, guard=Guard(()))
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "private_destinations" in failed.message
    assert box.messages == []


async def test_nothing_is_in_doubt_where_nobody_listens():
    failed = await send(1)
    assert (failed.reason, failed.remedy, failed.in_doubt) == (
        Reason.CONNECTION,
        Remedy.RETRY,
        False,
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"to": []}, "at least 1"),
        ({"to": "no address"}, "expected an address"),
        ({"to": "a@b.example\r\nBcc: c@d.example"}, "expected an address"),
        ({"from": "a@b.example, c@d.example"}, "expected an address"),
        ({"smarthost": "mail.example.org"}, "expected host:port"),
        ({"smarthost": "mail.example.org:0"}, "expected host:port"),
        ({"auth_username": "u"}, "go together"),
        ({"auth_password": "p"}, "go together"),
        ({"headers": {"Bcc": "x@example.org"}}, "the key `bcc`"),
        ({"headers": {"Subject": "x"}}, "set by the router"),
        ({"headers": {"Reply-To": "nobody"}}, "Reply-To: expected an address"),
        ({"headers": {"X-Team": " "}}, "expected text"),
        ({"headers": {"X" * 51: "x"}}, "at most 50"),
        ({"cc": "a b@example.org"}, "expected an address"),
        ({"to": 5}, "valid tuple"),
        ({"headers": {"X: y": "1"}}, "name of a header"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(fields, said):
    with pytest.raises(ValueError, match=said):
        make(25, **fields)


async def test_headers_of_ones_own_are_sent_and_clean():
    async with server() as box:
        await send(box.port, headers={"X-Team": "sre\r\nBcc: evil@example.org"})
    message = email_rules.check_message(box.messages[0])
    assert message["x-team"] == "sre Bcc: evil@example.org"
    assert message["bcc"] is None


def test_addresses_may_come_as_one_text():
    both = (Mailbox("a@b.example"), Mailbox("c@d.example", "C, D"))
    assert make(25, to='a@b.example, "C, D" <c@d.example>').to == both
    assert make(25, to=["a@b.example", '"C, D" <c@d.example>']).to == both


async def test_cc_is_shown_and_bcc_is_not():
    async with server() as box:
        keys = {"cc": "Jörg Müller <j@münchen.example>", "bcc": ["b@example.org", TO[0]]}
        assert await send(box.port, **keys, headers={"Reply-To": '"Ops, Zürich" <o@example.org>'})
    message = email_rules.check_message(box.messages[0])
    assert message["cc"] == "Jörg Müller <j@xn--mnchen-3ya.example>"
    assert message["bcc"] is None
    assert message["reply-to"] == '"Ops, Zürich" <o@example.org>'
    expected = ["sre@example.org", "oncall@example.org", "j@xn--mnchen-3ya.example"]
    assert box.recipients == [[*expected, "b@example.org"]]
