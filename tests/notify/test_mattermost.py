"""Mattermost's posts."""

import json
from dataclasses import replace

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_router.markdown import Code, parse
from alert_router.notify.base import Delivered, Reason, Remedy, Sending
from alert_router.notify.mattermost import MattermostNotifier
from alert_router.runbook.model import Section
from tests.notify import destination, mattermost_rules
from tests.notify.destination import answer, attempted
from tests.notify.notifications import alert, notification, section

CHANGED = "(A command that Mattermost would change: see the runbook page.)"

URL = "https://mattermost.example/hooks/x"


def read(told, **fields):
    mattermost = MattermostNotifier(url=URL, **fields)
    found = mattermost.readable(mattermost.render(told))
    mattermost_rules.check(found)
    return mattermost_rules.read(found)


def of_code(text):
    return notification(sections=(Section("Detection", (), (Code(text, "bash"),)),))


def test_a_typical_message_reads_from_alert_to_steps():
    found = read(notification())
    words = [line.strip("\u2003") for line in found.words.split("\n") if line]
    assert words == [
        "🔴 CRITICAL: PodCrash",
        "• A pod crashes",
        "namespace=prod  pod=a-1",
        "since 10:00 UTC (2h)",
        "Pods that crash",
        "alerts/pod-crashes-0, last updated 2026-11-01, SRE",
        "Detection",
        "Who is it?",
        "1. Look at the pod.",
        "See the dashboard.",
        "2. Look at the log.",
        "It must say OOM.",
        "Mitigation",
        "1. Restart it.",
        "2. Else roll back.",
        "Carefully.",
        "Runbook · Silence · Query · Alertmanager",
    ]
    assert found.commands == [
        "get",
        "logs --previous",
        "kubectl delete pod a-1 -n prod && echo '<done>'",
    ]


def test_the_alerts_that_are_not_shown_are_a_click_away():
    found = read(notification([alert(pod=f"a-{number}") for number in range(52)]))
    assert dict(found.links)["and 37 more"].startswith("http://am.example:9093/#/alerts?")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(st.sampled_from("ab `$&<>\"'\\|;*_~{}[]#@!é"), min_size=1, max_size=60).filter(
            str.strip
        ),
        min_size=1,
        max_size=60,
    )
)
def test_any_command_is_copied_exactly_or_left_to_the_page(lines):
    text = "\n".join(lines)
    found = read(of_code(text))
    if found.commands != [text]:
        assert found.commands == []
        assert CHANGED in found.words


@pytest.mark.parametrize("command", ["sort <in | uniq >out", "echo '<!here>'", "echo '<@bob>'"])
def test_a_command_that_the_server_would_write_anew_is_left_to_the_page(command):
    found = read(of_code(command))
    assert found.commands == []
    assert CHANGED in found.words


def test_code_with_a_fence_in_it_arrives_as_it_is():
    assert read(of_code("cat <<'```'\n```")).commands == ["cat <<'```'\n```"]


def test_what_does_not_fit_is_told_with_less_detail():
    steps = [(f"Step {n}.", "word " * 700) for n in range(60)]
    found = read(notification(sections=(section("Mitigation", "", *steps),)))
    assert "60. Step 59." in found.words
    assert found.words.count("word word") < 1000


@pytest.mark.parametrize(
    "words",
    [
        *("@all", "@channel", "@here", "a.@bob", "~town-square", "#hashtag", ":smile:", ":)"),
        *("a@b.example", "https://evil.example", "www.evil.example", "evil.com/x", "tel:112"),
        *("[x](javascript:alert(1))", "![x](https://evil.example/i.png)", "<b>x</b>", "$x$"),
        *(
            "**b**",
            "*i*",
            "_i_",
            "~~s~~",
            "`c`",
            "```c",
            "# head",
            "> q",
            "- a",
            "1. a",
            "&#64;all",
        ),
        *("C:\\host", "a | b", "x < y", "---"),
    ],
)
def test_an_alert_can_neither_format_nor_link_nor_ping(words):
    hostile = alert(pod=words, annotations={"summary": words}, alertname=words)
    found = read(notification([hostile], sections=()))
    assert f"🔴 CRITICAL: {words}\n• {words}\n" in found.words
    assert found.marked == ["CRITICAL:", "Pods that crash"]
    assert found.commands == []
    assert {words for words, _ in found.links} == {
        *("Pods that crash", "Runbook", "Silence", "Query", "Alertmanager"),
    }


@pytest.mark.parametrize("words", ["<!here>", "<@bob>", "<https://evil.example|click>"])
def test_what_the_server_would_write_anew_is_kept_from_it(words):
    found = read(notification([alert(pod=words, annotations={"summary": words})], sections=()))
    assert "evil" not in str([url for text, url in found.links if text != "Silence"])
    assert words[1:] in found.words


def test_what_a_template_says_is_in_place_of_the_alerts():
    told = replace(notification(), title="Mine", message=parse("Look **here**: `pod`"))
    found = read(told)
    assert found.words.startswith("🔴 CRITICAL: Mine\nLook here: pod")
    assert "A pod crashes" not in found.words


def test_another_channel_and_name_are_asked_for_where_they_are_given():
    given_ = {"channel": "ops", "username": "Router", "icon_emoji": "bell"}
    mattermost = MattermostNotifier(url=URL, **given_)
    found = mattermost.readable(mattermost.render(notification()))
    assert found.items() >= given_.items()
    assert "icon_url" not in found


async def outcome(script):
    async with destination.serve(script) as server, aiohttp.ClientSession() as session:
        mattermost = MattermostNotifier(url=server.url("/hooks/x"))
        payload = mattermost.render(notification())
        return await attempted(mattermost, payload, Sending(session, "msg-1"))


async def test_a_webhook_says_ok():
    assert await outcome(answer(200, b"ok")) == Delivered()


def no(status, id_):
    body = {"id": id_, "message": "Invalid webhook.", "status_code": status}
    return answer(status, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "id_"),
    [
        (400, "web.incoming_webhook.invalid.app_error"),
        (400, "web.incoming_webhook.user.app_error"),
        (501, "web.incoming_webhook.disabled.app_error"),
        (404, "web.incoming_webhook.channel.app_error"),
        (403, "web.incoming_webhook.channel_locked.app_error"),
    ],
)
async def test_what_is_true_of_every_post_holds_the_destination(status, id_):
    failed = await outcome(no(status, id_))
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "Invalid webhook." in failed.message


async def test_any_other_400_is_about_the_post():
    failed = await outcome(no(400, "web.incoming_webhook.parse.app_error"))
    assert (failed.reason, failed.remedy) == (Reason.REJECTED, Remedy.SMALLER)


@pytest.mark.parametrize(
    "line",
    [
        *("@all", "x.@bob", "#tag", ":smile:", "https://evil.example", "<!here>", "`<a|b>`"),
        *("**x\n\n- a", "> a", "![x](https://h/i)", "<b>x</b>", "    x", "```", "x" * 16_384),
    ],
)
def test_the_rules_find_what_mattermost_would_refuse_or_obey(line):
    mattermost = MattermostNotifier(url=URL)
    found = mattermost.readable(mattermost.render(notification()))
    with pytest.raises(AssertionError):
        mattermost_rules.check(found | {"text": f"{found['text']}\n\n{line}"})
