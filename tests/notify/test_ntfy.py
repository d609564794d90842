"""ntfy's messages, and what becomes of them."""

import base64
import json
from dataclasses import replace

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alert_router.markdown import Code, Paragraph, Text
from alert_router.model.severity import Grade, Scale
from alert_router.notification import Detail
from alert_router.notify.base import Delivered, Reason, Remedy, Sending
from alert_router.notify.ntfy import NtfyNotifier
from alert_router.runbook.model import Section
from tests.notify import destination, ntfy_rules
from tests.notify.destination import LONG, answer, attempted
from tests.notify.notifications import HOSTILE, alert, notification, section

TOPIC = "alerts-9sTq4mfX"


def notifier(**fields):
    return NtfyNotifier(**{"topic": TOPIC, "timeout": LONG} | fields)


def message(told, detail=Detail.FULL, **fields):
    it = notifier(**fields)
    return it.readable(it.render(told, detail))


async def send(it, told, id="msg-1"):
    async with aiohttp.ClientSession() as session:
        return await attempted(it, it.render(told), Sending(session=session, id=id))


def test_a_message_reads_from_alert_to_steps():
    found = message(notification())
    ntfy_rules.check(found)
    assert found["title"] == "🔴 CRITICAL: PodCrash"
    assert found["priority"] == 5
    assert found["tags"] == ["firing", "severity=critical"]
    assert found["click"] == "https://router.example/runbooks/alerts/pod-crashes"
    assert [action["label"] for action in found["actions"]] == ["Runbook", "Silence", "Query"]
    assert found["message"] == (
        "A pod crashes\n  namespace=prod  pod=a-1\n  since 10:00 UTC (2h)\n\n"
        "Pods that crash\nalerts/pod-crashes-0, last updated 2026-11-01, SRE\n\n"
        "DETECTION\nWho is it?\n1. Look at the pod.\n"
        "See the dashboard (https://g.example/d?a=1&b=2).\n\n```\nget\n```\n"
        "2. Look at the log.\nIt must say `OOM`.\n\n```\nlogs --previous\n```\n\n"
        "MITIGATION\n1. Restart it.\n"
        "```\nkubectl delete pod a-1 -n prod && echo '<done>'\n```\n"
        "2. Else roll back.\nCarefully."
    )


def test_a_resolved_message_says_how_long_it_fired_and_is_no_alarm():
    told = notification([alert(resolved=True)], (section("Verification", "", ("Look.", "")),))
    found = message(told)
    assert found["title"] == "🟢 RESOLVED: PodCrash"
    assert found["priority"] == 3
    assert "resolved: A pod crashes (after 1h 4m)" in found["message"]
    assert "VERIFICATION\n1. Look." in found["message"]
    assert found["tags"] == ["resolved", "severity=resolved"]


@pytest.mark.parametrize(
    ("severity", "priority"), [("critical", 5), ("warning", 4), ("info", 2), ("", 4)]
)
def test_the_priority_is_the_severitys(severity, priority):
    assert message(notification([alert(severity=severity)]))["priority"] == priority


def test_priorities_can_be_set_by_word_or_number():
    low = {"CRITICAL": "high", "warning": 1}
    assert message(notification(), priority=low)["priority"] == 4
    assert message(notification([alert(severity="warning")]), priority=low)["priority"] == 1


def test_a_severity_of_the_configurations_own_can_have_a_priority():
    grade = Grade("Sev, 1", "", "#000000", "red", frozenset(("a",)), "critical")
    scale = Scale((grade,), grade)
    told = replace(notification(), scale=scale)
    assert message(told)["priority"] == 5
    assert message(told, priority={"sev, 1": "min"})["priority"] == 1
    assert "severity=sev-1" in message(told)["tags"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"priority": {"critical": 6}},
        {"priority": {"critical": "loud"}},
        {"tags": ["a,b"]},
        {"tags": ["a"] * 6},
        {"url": "ntfy.sh"},
        {"url": "https://ntfy.sh/?x"},
        {"token": "t", "username": "u", "password": "p"},
        {"username": "u"},
        {"token": "t", "headers": {"authorization": "x"}},
    ],
)
def test_what_ntfy_would_not_take_is_refused(wrong):
    with pytest.raises(ValidationError):
        notifier(**wrong)


def test_what_does_not_fit_is_told_with_less_detail():
    steps = [(f"Step {n}.", "wörd " * 100) for n in range(60)]
    found = message(notification(sections=(section("Mitigation", "", *steps),)))
    ntfy_rules.check(found)
    assert "60. Step 59." in found["message"]
    assert found["message"].count("wörd wörd") == 50


def test_many_alerts_are_counted():
    found = message(notification([alert(pod=f"a-{n}") for n in range(52)]))
    assert "and 37 more" in found["message"]
    assert "52 firing" in found["title"]


def test_a_message_that_nothing_makes_fit_is_cut_between_its_parts():
    found = message(notification(runbooks=200, sections=()))
    ntfy_rules.check(found)
    assert found["message"].startswith("A pod crashes")
    assert found["message"].endswith("SRE\n…")


def test_a_template_that_is_too_long_is_cut():
    blocks = (Paragraph((Text('"\\' * 5000),)),)
    found = message(replace(notification(), message=blocks))
    ntfy_rules.check(found)
    assert found["message"].startswith('"\\"\\')
    code = (Code("x" * 9000),)
    found = message(replace(notification(), message=code))
    ntfy_rules.check(found)
    assert ntfy_rules.commands(found) == []


def test_long_addresses_leave_room_for_the_message():
    long = "http://prom.example/" + '"ü' * 850
    one = alert() | {"generatorURL": long}
    found = message(notification([one], externalURL="http://am.example/" + "y" * 1700))
    ntfy_rules.check(found)
    assert found["actions"][0]["label"] == "Runbook"
    assert "Restart it." in found["message"]


def test_a_repeat_is_marked():
    assert "Sent again" in message(replace(notification(), resent=True))["message"]


_code = st.lists(
    st.text(st.sampled_from("ab `$&<>\"'\\|;*_~{}#\t"), min_size=1, max_size=80).filter(str.strip),
    min_size=1,
    max_size=120,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_code)
def test_any_command_is_copied_exactly_or_not_at_all(lines):
    code = "\n".join(lines)
    told = notification(sections=(Section("Detection", (), (Code(code, "bash"),)),))
    found = message(told)
    assert len(found["message"].encode()) <= 4096
    copied = ntfy_rules.commands(found)
    assert copied == [code] or "```" not in found["message"], "half a command"
    if len(json.dumps(code)) < 3000:
        assert copied == [code]


async def test_a_server_takes_what_is_sent_whatever_it_says():
    told = notification([alert(annotations={"summary": text}, pod=text) for text in HOSTILE])
    async with destination.serve(ntfy_rules.ntfy()) as server:
        it = notifier(url=server.url(), token="tk_x", tags=["skull"])
        for one in (told, notification(), notification(runbooks=90)):
            assert await send(it, one) == Delivered()
        assert await send(it, told, id="msg-2") == Delivered()
    bodies = [json.loads(body) for _, _, body in server.requests]
    assert {body["topic"] for body in bodies} == {TOPIC}
    assert bodies[0]["tags"][0] == "skull"
    sequences = [body["sequence_id"] for body in bodies]
    assert sequences[0] == sequences[1] != sequences[3]
    assert server.requests[0][1]["authorization"] == "Bearer tk_x"


def test_a_slash_behind_the_server_does_no_harm():
    assert notifier(url="https://ntfy.example/").url == "https://ntfy.example"


async def test_a_user_is_named_to_the_server():
    async with destination.serve(ntfy_rules.ntfy()) as server:
        it = notifier(url=server.url(), username="phil", password="pässword")
        assert await send(it, notification()) == Delivered()
    scheme, _, pair = server.requests[0][1]["authorization"].partition(" ")
    assert (scheme, base64.b64decode(pair).decode()) == ("Basic", "phil:pässword")


async def test_a_topic_that_is_none_holds_the_destination_and_is_not_told():
    async with destination.serve(ntfy_rules.ntfy()) as server:
        it = notifier(url=server.url(), topic="not a topic")
        failed = await send(it, notification())
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "topic invalid" in failed.message
    assert "not a topic" not in failed.message


@pytest.mark.parametrize(("code", "wait"), [(42901, 5), (42908, 900), (42999, None), ("x", None)])
async def test_how_long_a_limit_lasts_is_told_by_its_number(code, wait):
    said = json.dumps({"code": code, "http": 429, "error": "limit reached"}).encode()
    async with destination.serve(answer(429, said)) as server:
        failed = await send(notifier(url=server.url()), notification())
    assert (failed.reason, failed.retry_after) == (Reason.RATE_LIMITED, wait)


@pytest.mark.parametrize(
    "broken",
    [
        {"message": "x" * 4097},
        {"message": "é" * 2100},
        {"message": " "},
        {"title": "=?UTF-8?Q?x?="},
        {"title": "a\nb"},
        {"priority": 0},
        {"tags": ["a,b"]},
        {"tags": ["x" * 513]},
        {"actions": [{"action": "http", "label": "Runbook", "url": "https://h/"}]},
        {"actions": [{"action": "view", "label": "Runbook", "url": "javascript:x"}]},
        {"click": "javascript:alert(1)"},
        {"markdown": True},
    ],
)
def test_the_rules_find_what_ntfy_would_refuse_or_obey(broken):
    with pytest.raises(AssertionError):
        ntfy_rules.check(message(notification()) | broken)
