"""The notifier for the long tail, with the real Apprise and a real server."""

import json
import logging
import re
import subprocess
import sys
import threading
from dataclasses import replace

import aiohttp
import pytest
from markdown_it import MarkdownIt

from alert_router.markdown import Code, Paragraph, Text
from alert_router.notification import Detail
from alert_router.notify import apprise
from alert_router.notify.apprise import AppriseNotifier
from alert_router.notify.base import Delivered, Failed, Reason, Remedy, Sending
from tests.notify import apprise_rules, destination
from tests.notify.destination import LONG, answer, attempted, drip, drop, echo, hang
from tests.notify.notifications import alert, notification, section
from tests.programs import PATIENCE

SECRET = "s3cr3t"
TOLD = notification()


def url(server, query=""):
    return f"json://router:{SECRET}@127.0.0.1:{server.port}/hooks/{SECRET}{query}"


def objection(given):
    """Why `check` refuses a URL."""
    return "".join(AppriseNotifier(url=given).secrets_missing())


async def send(script, told=TOLD, *, query="", **fields):
    """The outcome, and what was posted."""
    async with destination.serve(script) as server:
        notifier = AppriseNotifier(url=url(server, query), **fields)
        async with aiohttp.ClientSession() as session:
            sending = Sending(session, "msg-1")
            outcome = await attempted(notifier, notifier.render(told), sending)
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
                outcome = await attempted(notifier, notifier.render(TOLD), sending)
        assert outcome == Delivered()
        assert b"PodCrash" in server.requests[0][2]


async def test_a_service_without_titles_gets_it_within_the_text(monkeypatch):
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "title_maxlen", 0)
    monkeypatch.setattr(NotifyJSON, "body_maxlen", 300)
    _, [posted] = await send(answer(200))
    assert posted["message"].startswith("🔴 CRITICAL: PodCrash")
    assert len(posted["message"]) <= 300


@pytest.mark.parametrize("script", [answer(400), answer(401), answer(500), echo(500), drop])
async def test_every_failure_is_retried_in_doubt_and_its_message_has_no_secret(caplog, script):
    caplog.set_level(logging.INFO)
    outcome, _ = await send(script)
    assert (outcome.reason, outcome.remedy) == (Reason.SERVER_ERROR, Remedy.RETRY)
    assert outcome.in_doubt
    assert "apprise -vv" in outcome.message
    assert SECRET not in outcome.message
    assert SECRET not in caplog.text


async def test_no_redirect_is_followed():
    async with destination.serve(answer(200)) as other:
        redirect = answer(302, b"", f"Location: {other.url()}")
        outcome, _ = await send(redirect, query="?redirect=yes")
    assert isinstance(outcome, Failed)
    assert other.requests == []


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
        objection(f"json://user:{SECRET}@:bad/")
    finally:
        root.removeHandler(log)
        root.setLevel(level)
    assert not [line for line in log.lines if line.startswith("apprise") and SECRET in line]


@pytest.mark.parametrize("script", [hang, drip(200)])
async def test_one_that_hangs_is_given_up_in_time_and_in_doubt(script):
    outcome, _ = await send(script, timeout=LONG)
    assert (outcome.reason, outcome.in_doubt) == (Reason.TIMEOUT, True)


@pytest.mark.parametrize("wrong", ["nonsense://x", "discord:/", "syslog://"])
async def test_a_url_that_is_none_is_a_problem_of_the_configuration(tmp_path, wrong):
    (tmp_path / "url").write_text(f"{wrong}/{SECRET}")
    made = AppriseNotifier.model_validate({"url_file": "url"}, context={"base": str(tmp_path)})
    [said] = made.secrets_missing()
    assert said.startswith("`url`: ")
    assert SECRET not in said
    async with aiohttp.ClientSession() as session:
        outcome = await attempted(made, made.render(TOLD), Sending(session, "msg-1"))
    assert (outcome.reason, outcome.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)


def test_a_url_that_apprise_knows_is_no_problem():
    assert AppriseNotifier(url=f"json://h/{SECRET}").secrets_missing() == []


@pytest.mark.parametrize(
    "schema",
    ["blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"],
)
def test_what_stays_on_the_routers_own_machine_is_refused(schema):
    assert "only the router's own machine" in objection(f"{schema.upper()}://")
    assert objection(f" {schema}://h")


def test_a_file_that_apprise_would_fill_in_by_itself_is_refused():
    url = "discord://123456789/abcdefghijk"
    assert objection(url) == ""
    assert "`template`" in objection(f"{url}?template=/etc/passwd")


async def test_sends_that_hang_are_bounded(monkeypatch):
    monkeypatch.setattr(apprise, "_free", threading.BoundedSemaphore(1))
    async with destination.serve(drip(200)) as server:
        hung = AppriseNotifier(url=url(server), timeout=LONG)
        hurried = AppriseNotifier(url=url(server), timeout="200ms")
        async with aiohttp.ClientSession() as session:
            sending = Sending(session, "msg-1")
            first = await attempted(hung, hung.render(TOLD), sending)
            second = await attempted(hurried, hurried.render(TOLD), sending)
    assert (first.reason, first.in_doubt) == (Reason.TIMEOUT, True)
    assert (second.reason, second.in_doubt) == (Reason.TIMEOUT, False)
    assert "still hang" in second.message


def test_a_send_that_hangs_does_not_delay_the_end_of_the_process():
    program = """
import asyncio, threading
from alert_router.notify import apprise
async def main():
    try:
        async with asyncio.timeout(0.1):
            await apprise._in_thread(lambda: threading.Event().wait())
    except TimeoutError:
        print("given up")
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stdout == "given up\n"


async def test_what_a_service_raises_is_a_failure_in_doubt(monkeypatch):
    from apprise.plugins.custom_json import NotifyJSON

    def fail(*_, **__):
        raise ZeroDivisionError(f"for {SECRET}")

    monkeypatch.setattr(NotifyJSON, "notify", fail)
    outcome, _ = await send(answer(200))
    assert (outcome.reason, outcome.in_doubt) == (Reason.INTERNAL, True)


def test_without_the_package_the_others_work_and_this_one_says_what_to_install():
    program = """
import sys
sys.modules["apprise"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "apprise" else find(name, *more)
from alert_router.notify.apprise import AppriseNotifier
from alert_router.notify.console import ConsoleNotifier
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
    assert len(payload.texts) == Detail.TITLES + 1
