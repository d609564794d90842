"""The notifier for the long tail, with the real Apprise and a real server."""

import asyncio
import json
import logging
import re
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import aiohttp
import pytest
from markdown_it import MarkdownIt

from alert_router.markdown import Code, Paragraph, Text
from alert_router.notification import Detail
from alert_router.notify import AppriseNotifier
from alert_router.notify.apprise import background, library
from alert_router.notify.apprise.heard import Heard
from alert_router.notify.base import Delivered, Failed, Reason, Remedy, Sending
from alert_router.notify.guard import EVERYWHERE, Guard
from tests.notify import apprise_rules, destination
from tests.notify.destination import answer, drip, drop, echo, hang
from tests.notify.notifications import alert, notification, section

SECRET = "s3cr3t"
TOLD = notification()


def url(server, query=""):
    return f"json://router:{SECRET}@127.0.0.1:{server.port}/hooks/{SECRET}{query}"


async def send(script, told=TOLD, *, query="", guard=EVERYWHERE, **fields):
    """The outcome, and what was posted."""
    async with destination.serve(script) as server:
        notifier = AppriseNotifier(url=url(server, query), **fields)
        async with aiohttp.ClientSession() as session:
            sending = Sending(session, "msg-1", guard=guard)
            outcome = await notifier.notify(notifier.render(told), sending)
    return outcome, [json.loads(body) for _, _, body in server.requests]


async def test_a_service_gets_title_text_and_how_grave_it_is():
    outcome, [posted] = await send(answer(200))
    assert outcome == Delivered()
    assert posted["title"] == "🔴 CRITICAL: PodCrash"
    assert posted["type"] == "failure"
    lines = posted["message"].split("\n")
    assert lines[:2] == ["A pod crashes", "  namespace=prod  pod=a-1"]
    assert "kubectl delete pod a-1 -n prod && echo '<done>'" in lines
    assert "Alertmanager: http://am.example:9093" in lines


@pytest.mark.parametrize(
    ("alerts", "type_"),
    [
        ([alert(severity="warning")], "warning"),
        ([alert(severity="info")], "info"),
        ([alert(resolved=True)], "success"),
    ],
)
async def test_severities_have_apprises_words(alerts, type_):
    _, [posted] = await send(answer(200), notification(alerts))
    assert posted["type"] == type_


async def test_a_service_that_takes_little_gets_less_detail_and_no_half_command(monkeypatch):
    from apprise.plugins.custom_json import NotifyJSON

    steps = [(f"Step {n}.", "```bash\n" + f"run {n} " * 60 + "\n```") for n in range(20)]
    told = notification(sections=(section("Mitigation", "", *steps),))
    whole = ["run 0 " * 60]
    for most, commands in ((2000, [w.strip() for w in whole]), (900, []), (60, [])):
        monkeypatch.setattr(NotifyJSON, "body_maxlen", most)
        _, [posted] = await send(answer(200), told)
        assert len(posted["message"]) <= most
        found = apprise_rules.commands({"body": posted["message"]})
        assert [command.strip() for command in found] == commands
        assert "A pod crashes" in posted["message"]


@pytest.mark.parametrize("form", ["html", "markdown"])
@pytest.mark.parametrize("overflow", ["split", "truncate", "upstream"])
async def test_what_a_services_markup_makes_longer_is_measured_as_it_is_sent(
    monkeypatch, form, overflow
):
    from apprise.plugins.custom_json import NotifyJSON

    told = notification([alert(pod="<*_&_*>" * 60) for _ in range(12)])
    for most, title in ((4000, 250), (1500, 0), (200, 250)):
        monkeypatch.setattr(NotifyJSON, "body_maxlen", most)
        monkeypatch.setattr(NotifyJSON, "title_maxlen", title)
        outcome, [posted] = await send(
            answer(200), told, query=f"?format={form}&overflow={overflow}"
        )
        assert outcome == Delivered()
        assert len(posted["message"]) <= most
        assert "A pod crashes" in posted["message"].replace("&nbsp;", " ")
        assert posted["message"].rstrip().rstrip("\\").endswith(("…", "\\.", ".", "9093"))


@pytest.mark.parametrize("form", ["html", "markdown"])
async def test_what_an_alert_says_is_no_markup_in_a_service_that_has_some(form):
    said = "<b>bold</b> [x](https://evil.example) *much* `code` <https://evil.example> # a &amp;"
    told = notification([alert(annotations={"summary": said})], sections=())
    _, [posted] = await send(answer(200), told, query=f"?format={form}")
    if form == "markdown":
        shown = MarkdownIt().render(posted["message"])
        assert not re.search(r"<(?:b|a|em|code|h1)\b", shown)
    else:
        assert set(re.findall(r"<[^>]*>", posted["message"])) <= {"<br/>", "<br />"}
    assert "&amp;amp;" in (shown if form == "markdown" else posted["message"])


async def test_a_service_that_shows_two_lines_gets_no_more(monkeypatch):
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "body_max_line_count", 2)
    _, [posted] = await send(answer(200))
    assert posted["message"].splitlines() == ["A pod crashes", "…"]


async def test_a_template_lets_no_alert_ping_anyone():
    words = (Paragraph((Text("Look at @everyone <!channel>"),)), Code("mail sre@example.org"))
    _, [posted] = await send(answer(200), replace(TOLD, message=words))
    apprise_rules.check(
        {"title": posted["title"], "type": posted["type"], "body": posted["message"]}
    )
    assert "@everyone" not in posted["message"]
    assert "<!channel" not in posted["message"]
    assert "mail sre@example.org" in posted["message"]


@pytest.mark.parametrize("path", ["/hooks/x?format=text", "/form"])
async def test_other_services_than_json_are_sent_to_as_well(path):
    for schema in ("form", "xml"):
        async with destination.serve(answer(200)) as server:
            notifier = AppriseNotifier(url=f"{schema}://127.0.0.1:{server.port}{path}")
            async with aiohttp.ClientSession() as session:
                sending = Sending(session, "msg-1")
                outcome = await notifier.notify(notifier.render(TOLD), sending)
        assert outcome == Delivered()
        assert b"PodCrash" in server.requests[0][2]


async def test_a_service_without_titles_gets_it_within_the_text(monkeypatch):
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "title_maxlen", 0)
    monkeypatch.setattr(NotifyJSON, "body_maxlen", 300)
    _, [posted] = await send(answer(200))
    assert posted["message"].startswith("🔴 CRITICAL: PodCrash")
    assert len(posted["message"]) <= 300


@pytest.mark.parametrize(
    ("script", "reason", "remedy"),
    [
        (answer(400), Reason.REJECTED, Remedy.SMALLER),
        (answer(401), Reason.MISCONFIGURED, Remedy.HOLD),
        (answer(404), Reason.MISCONFIGURED, Remedy.HOLD),
        (answer(429), Reason.RATE_LIMITED, Remedy.RETRY),
        (answer(500), Reason.SERVER_ERROR, Remedy.RETRY),
        (echo(500), Reason.SERVER_ERROR, Remedy.RETRY),
        (answer(302, b"", "Location: http://127.0.0.1:1/"), Reason.REDIRECTED, Remedy.HOLD),
        (drop, Reason.CONNECTION, Remedy.RETRY),
    ],
)
async def test_a_failure_says_what_apprise_said_and_no_secret(caplog, script, reason, remedy):
    caplog.set_level(logging.INFO)
    outcome, _ = await send(script, query="?redirect=yes")
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.remedy) == (reason, remedy)
    assert outcome.message
    assert SECRET not in outcome.message
    assert SECRET not in caplog.text


async def test_nothing_of_what_apprise_logs_is_passed_on():
    class Log(logging.Handler):
        def __init__(self):
            super().__init__(logging.DEBUG)
            self.lines = []

        def emit(self, record):
            self.lines.append(f"{record.name} {record.getMessage()}")

    log, root = Log(), logging.getLogger()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    try:
        await send(answer(500))
        library.objection(f"json://user:{SECRET}@:bad/")
    finally:
        root.removeHandler(log)
        root.setLevel(level)
    assert not [line for line in log.lines if line.startswith("apprise") and SECRET in line]


async def test_nothing_is_in_doubt_where_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and never listening
        made = AppriseNotifier(url=f"json://127.0.0.1:{taken.getsockname()[1]}/{SECRET}")
        async with aiohttp.ClientSession() as session:
            failed = await made.notify(made.render(TOLD), Sending(session, "msg-1"))
    assert (failed.reason, failed.remedy) == (Reason.CONNECTION, Remedy.RETRY)
    assert not failed.in_doubt
    assert "cannot connect: Connection refused" in failed.message
    assert SECRET not in failed.message


async def test_a_connection_that_breaks_after_the_request_is_in_doubt():
    failed, _ = await send(drop)
    assert (failed.reason, failed.in_doubt) == (Reason.CONNECTION, True)


def test_a_failure_after_one_of_several_targets_has_it_is_in_doubt():
    heard = Heard()
    heard.take(logging.DEBUG, "Socket Exception: [Errno 111] Failed to resolve x ([Errno -2] No)")
    assert (heard.unconnected, heard.may_have_arrived) == (["No"], False)
    heard.take(logging.INFO, "Sent JSON POST notification.")
    assert heard.may_have_arrived


@pytest.mark.parametrize("script", [hang, drip(200)])
async def test_one_that_hangs_is_given_up_in_time_and_in_doubt(script):
    outcome, _ = await send(script, timeout="300ms")
    assert (outcome.reason, outcome.in_doubt) == (Reason.TIMEOUT, True)


async def test_a_private_address_is_refused_at_the_socket():
    outcome, posted = await send(answer(200), guard=Guard(()))
    assert posted == []
    assert (outcome.reason, outcome.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "delivery.private_destinations" in outcome.message


async def test_a_guard_holds_for_its_own_thread_alone():
    await send(answer(200), guard=Guard(()))
    outcome, _ = await send(answer(200))
    assert outcome == Delivered()


@pytest.mark.parametrize("wrong", ["nonsense://x", "discord:/", "syslog://"])
async def test_a_url_that_is_none_is_a_problem_of_the_configuration(tmp_path, wrong):
    (tmp_path / "url").write_text(f"{wrong}/{SECRET}")
    made = AppriseNotifier.model_validate({"url_file": "url"}, context={"base": str(tmp_path)})
    [said] = made.secrets_missing()
    assert said.startswith("`url`: ")
    assert SECRET not in said
    async with aiohttp.ClientSession() as session:
        outcome = await made.notify(made.render(TOLD), Sending(session, "msg-1"))
    assert (outcome.reason, outcome.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)


def test_a_url_that_apprise_knows_is_no_problem():
    assert AppriseNotifier(url=f"json://h/{SECRET}").secrets_missing() == []


@pytest.mark.parametrize(
    "schema",
    ["blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"],
)
def test_what_stays_on_the_routers_own_machine_is_refused(schema):
    assert "goes nowhere" in library.objection(f"{schema.upper()}://")
    assert library.objection(f" {schema}://h")


def test_a_file_that_apprise_would_fill_in_by_itself_is_refused():
    url = "discord://123456789/abcdefghijk"
    assert library.objection(url) == ""
    assert "`template`" in library.objection(f"{url}?template=/etc/passwd")


async def test_hung_sends_are_bounded():
    release, begun = threading.Event(), []
    runs = [
        asyncio.ensure_future(background.run(release.wait, "waits")) for _ in range(background.MOST)
    ]
    await asyncio.sleep(0)
    with pytest.raises(background.NoRoom):
        await background.run(lambda: begun.append(1), "one too many")
    release.set()
    assert await asyncio.gather(*runs) == [True] * background.MOST
    assert begun == []


async def test_what_a_call_raises_reaches_who_waits():
    with pytest.raises(ZeroDivisionError):
        await background.run(lambda: 1 // 0, "fails")


def test_without_the_package_the_others_work_and_this_one_says_what_to_install():
    program = """
import sys
sys.modules["apprise"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "apprise" else find(name, *more)
from alert_router.notify import AppriseNotifier, ConsoleNotifier
ConsoleNotifier()
try:
    AppriseNotifier(url="json://h")
except ValueError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'alert-router[apprise]'" in done.stdout


def test_apprise_is_loaded_by_nobody_who_does_not_use_it():
    program = "import sys, alert_router.notify; print('apprise' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_less_detail_is_what_a_payload_begins_with():
    payload = AppriseNotifier(url="json://h").render(TOLD, Detail.TITLES)
    assert len(json.loads(payload)["texts"]) == Detail.TITLES + 1
