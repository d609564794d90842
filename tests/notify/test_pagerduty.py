"""PagerDuty's events, and what becomes of them."""

import json
import os
from dataclasses import replace

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alert_router.markdown import Code, Item, ListBlock, Paragraph, Quote, Text
from alert_router.model.severity import Grade, Scale
from alert_router.notification import Detail
from alert_router.notify.base import Delivered, Reason, Remedy, Sending
from alert_router.notify.pagerduty import PagerDutyNotifier
from alert_router.runbook.model import Section
from tests.notify import destination, pagerduty_rules
from tests.notify.destination import LONG, answer, attempted
from tests.notify.notifications import HOSTILE, alert, notification, section
from tests.notify.pagerduty_rules import KEY, SUCCESS

REFUSAL = json.dumps(
    {
        "status": "invalid event",
        "message": "Event object is invalid",
        "errors": ["'payload.summary' is too long"],
    }
).encode()


def notifier(**fields):
    return PagerDutyNotifier(**{"routing_key": KEY, "timeout": LONG} | fields)


def events(told, detail=Detail.FULL, **fields):
    it = notifier(**fields)
    return it.readable(it.render(told, detail))


def event(told, **fields):
    (one,) = events(told, **fields)
    return one


async def send(it, told, detail=Detail.FULL):
    async with aiohttp.ClientSession() as session:
        return await attempted(it, it.render(told, detail), Sending(session=session, id="msg-1"))


def sent(server):
    return [json.loads(body) for _, _, body in server.requests]


def pods(count, *, resolved=(), **labels):
    return [alert(pod=f"a-{n}", resolved=n in resolved, **labels) for n in range(count)]


# What an event says


def test_an_event_tells_what_is_wrong_where_and_what_to_do():
    found = event(notification())
    assert found["event_action"] == "trigger"
    payload = found["payload"]
    details = payload.pop("custom_details")
    assert payload == {
        "summary": "CRITICAL: PodCrash: A pod crashes (namespace=prod pod=a-1)",
        "severity": "critical",
        "source": "a-1",
        "group": "prod",
        "class": "PodCrash",
        "timestamp": "2026-11-23T10:00:00.000+00:00",
    }
    assert details == {
        "Alerts": "A pod crashes\n    namespace=prod  pod=a-1\n    since 10:00 UTC (2h)",
        "Runbook": "Pods that crash\nhttps://router.example/runbooks/alerts/pod-crashes\n"
        "alerts/pod-crashes-0, last updated 2026-11-01, SRE",
        "Detection": "Who is it?\n\n1. Look at the pod.\n"
        "See the dashboard (https://g.example/d?a=1&b=2).\n\n```\nget\n```\n\n"
        "2. Look at the log.\nIt must say `OOM`.\n\n```\nlogs --previous\n```",
        "Mitigation": "1. Restart it.\n"
        "```\nkubectl delete pod a-1 -n prod && echo '<done>'\n```\n\n"
        "2. Else roll back.\nCarefully.",
    }
    assert [link["text"] for link in found["links"]] == [
        "Runbook: Pods that crash",
        "Silence",
        "Query",
        "Alertmanager",
    ]
    assert found["client"] == "Alert Router"
    assert found["client_url"] == "https://router.example/runbooks/alerts/pod-crashes"


def test_a_group_is_resolved_when_none_of_it_fires_under_the_key_that_triggered_it():
    firing = event(notification(pods(2)))
    partly = event(notification(pods(2, resolved={0})))
    verify = (section("Verification", "", ("Look again.", "")),)
    over = event(notification(pods(2, resolved={0, 1}), verify))
    assert [one["event_action"] for one in (firing, partly, over)] == [
        "trigger",
        "trigger",
        "resolve",
    ]
    assert firing["dedup_key"] == partly["dedup_key"] == over["dedup_key"]
    assert over["payload"]["summary"].startswith("RESOLVED: PodCrash (2 resolved): A pod crashes")
    assert over["payload"]["timestamp"].startswith("2026-11-23T11:04:00")
    assert "after 1h 4m" in over["payload"]["custom_details"]["Alerts"]
    assert "Look again." in over["payload"]["custom_details"]["Verification"]


def test_groups_receivers_and_notifiers_have_keys_of_their_own():
    told = notification()
    others = [
        notification(groupKey="{}:{other}"),
        notification(groupKey="x" * 9000),
        replace(told, receiver="other"),
        replace(told, notifier="other"),
        replace(told, receiver="teami", notifier="t"),
    ]
    keys = {event(one)["dedup_key"] for one in (told, *others)}
    assert len(keys) == 1 + len(others)
    assert {len(key) for key in keys} == {64}


def test_each_alert_can_have_an_event_of_its_own():
    told = notification(pods(3, resolved={1}))
    found = events(told, dedup="alert")
    assert [(one["event_action"], one["payload"]["source"]) for one in found] == [
        ("trigger", "a-0"),
        ("trigger", "a-2"),
        ("resolve", "a-1"),
    ]
    said = [one["payload"]["custom_details"] for one in found]
    assert [text["Alerts"].splitlines()[1].strip() for text in said] == [
        "pod=a-0",
        "pod=a-2",
        "pod=a-1",
    ]
    # The commands carry the labels of one alert, which the others are told and itself is not.
    assert ["commands are for" in text["Runbook"] for text in said] == [False, True, True]


def test_an_alerts_key_is_that_of_its_earlier_events_whatever_else_is_in_its_group():
    def keys(told):
        return {one["payload"]["source"]: one["dedup_key"] for one in events(told, dedup="alert")}

    before, after = keys(notification(pods(3))), keys(notification(pods(1, resolved={0})))
    assert after["a-0"] == before["a-0"]
    assert len(set(before.values())) == 3


def test_an_alert_that_comes_twice_fires_if_either_does():
    same = [alert(resolved=True) | {"fingerprint": "f"}, alert() | {"fingerprint": "f"}]
    (found,) = events(notification(same), dedup="alert")
    assert found["event_action"] == "trigger"


def test_an_event_of_an_alert_has_its_own_runbooks_only():
    told = notification(pods(2), runbooks=2)
    first, second = told.runbooks
    told = replace(told, runbooks=(replace(first, alerts=told.group.alerts[:1]), second))
    found = events(told, dedup="alert")
    runbooks = [
        [link["text"] for link in one["links"] if link["text"].startswith("Runbook")]
        for one in found
    ]
    assert [len(names) for names in runbooks] == [2, 1]
    assert "Mitigation (2)" in found[0]["payload"]["custom_details"]
    assert "Mitigation (2)" not in found[1]["payload"]["custom_details"]


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        *(("critical", "critical"), ("PAGE", "critical"), ("P1", "critical")),
        *(("error", "error"), ("major", "error"), ("warning", "warning"), ("info", "info")),
        *(("none", "info"), ("crit", "critical"), ("purple", "warning"), ("", "warning")),
    ],
)
def test_severities_have_a_table(value, severity):
    assert event(notification([alert(severity=value)]))["payload"]["severity"] == severity


def test_severities_can_be_mapped_from_any_label():
    mapped = {
        "label": "prio",
        "values": {"A": "critical", "critical": "info"},
        "default": "warning",
    }
    for prio, severity in {
        "A": "critical",
        "a": "critical",
        "CRITICAL": "info",
        "?": "warning",
    }.items():
        found = event(notification([alert(prio=prio)]), severity=mapped)
        assert found["payload"]["severity"] == severity


def test_a_severity_of_the_configurations_own_has_its_level():
    rot = Grade("ROT", "", "#000000", "red", frozenset(("rot",)), "critical")
    told = replace(notification([alert(stufe="rot")]), scale=Scale((rot,), rot, label="stufe"))
    assert event(told)["payload"]["severity"] == "critical"


def test_a_group_is_as_grave_as_the_worst_that_fires():
    alerts = [alert(severity="info"), alert(severity="warning"), alert(resolved=True)]
    assert event(notification(alerts))["payload"]["severity"] == "warning"


@pytest.mark.parametrize("wrong", [{"default": "page"}, {"values": {"a": "fatal"}}, {"lable": "a"}])
def test_a_severity_that_pagerduty_does_not_know_is_refused(wrong):
    with pytest.raises(ValidationError):
        notifier(severity=wrong)


def test_fields_are_taken_from_labels():
    told = notification(pods(3, cluster="eu", component="redis"))
    payload = event(told)["payload"]
    assert (payload["source"], payload["component"], payload["group"], payload["class"]) == (
        "a-0 and 2 more",
        "redis",
        "eu",
        "PodCrash",
    )
    payload = event(told, labels={"source": ["cluster"], "class": ["no_such"]})["payload"]
    assert (payload["source"], "class" in payload) == ("eu", False)
    assert event(notification([alert()]))["payload"]["source"] == "am.example"


def test_a_template_makes_the_summary():
    told = replace(notification(), title="Redis is down", message=(Paragraph((Text("Hi."),)),))
    found = event(told)["payload"]
    assert found["summary"] == "CRITICAL: Redis is down"
    assert found["custom_details"]["Alerts"] == "Hi."


def test_a_summary_is_cut_at_its_limit():
    found = event(replace(notification(), title="x" * 5000))
    assert len(found["payload"]["summary"]) == 1024


def test_many_alerts_are_counted():
    found = event(notification(pods(52)))["payload"]
    assert found["custom_details"]["Alerts"].endswith("and 37 more")
    assert found["summary"] == (
        "CRITICAL: PodCrash (52 firing): A pod crashes (pod=a-0, pod=a-1, pod=a-2, ...)"
    )


def test_a_repeat_is_not_marked_since_pagerduty_knows_it_by_its_key():
    assert event(replace(notification(), resent=True)) == event(notification())


def test_what_does_not_fit_into_an_event_is_told_with_less_detail():
    steps = [(f"Step {n}.", "wörd " * 7000) for n in range(30)]
    told = notification(sections=(section("Mitigation", "", *steps),))
    found = event(told)
    pagerduty_rules.check([found])
    said = found["payload"]["custom_details"]["Mitigation"]
    assert "Step 29." in said
    assert said.count("wörd wörd") == 3500


def test_an_event_that_nothing_makes_fit_loses_its_last_details():
    told = notification(runbooks=3000, sections=())
    found = event(told)
    pagerduty_rules.check([found])
    assert "Alerts" in found["payload"]["custom_details"]


_code = st.lists(
    st.text(st.sampled_from("ab `$&<>\"'\\|;*_~{}#\t"), min_size=1, max_size=80).filter(str.strip),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_code, st.sampled_from(["plain", "list", "quote"]))
def test_any_command_is_copied_exactly_wherever_it_stands(lines, where):
    code = Code("\n".join(lines), "bash")
    block = {
        "plain": code,
        "list": ListBlock(True, (Item((Paragraph((Text("Do:"),)), code)), Item((code,)))),
        "quote": Quote((Paragraph((Text("Do:"),)), code)),
    }[where]
    found = event(notification(sections=(Section("Detection", (), (block,)),)))
    copies = pagerduty_rules.commands(found)
    assert copies == ["\n".join(lines)] * (2 if where == "list" else 1)


# How it is sent


@pytest.mark.parametrize("dedup", ["group", "alert"])
async def test_pagerduty_takes_what_is_sent_whatever_it_says(dedup):
    told = notification([alert(annotations={"summary": text}, pod=text) for text in HOSTILE])
    async with destination.serve(pagerduty_rules.pagerduty()) as server:
        it = notifier(url=server.url("/v2/enqueue"), dedup=dedup)
        for detail in Detail:
            assert await send(it, told, detail) == Delivered()
    assert {one["routing_key"] for one in sent(server)} == {KEY}


@pytest.mark.parametrize("dedup", ["group", "alert"])
@pytest.mark.skipif("PAGERDUTY_MOCK" not in os.environ, reason="no mock of PagerDuty's OpenAPI")
async def test_a_mock_of_pagerdutys_openapi_takes_what_is_sent(dedup):
    """`prism mock --errors openapiv3.json` with PagerDuty's published file for Events v2, its
    address in PAGERDUTY_MOCK. It answers 400 to what is not as described there."""
    it = notifier(url=os.environ["PAGERDUTY_MOCK"], dedup=dedup)
    hostile = [alert(annotations={"summary": text}, pod=text[:1000]) for text in HOSTILE]
    for told in (notification(), notification(hostile), notification([alert(resolved=True)])):
        for detail in Detail:
            assert await send(it, told, detail) == Delivered()
    async with aiohttp.ClientSession() as session:
        broken = json.dumps([event(notification()) | {"event_action": "fire"}]).encode()
        refused = await attempted(it, broken, Sending(session, "msg-1"))
    assert refused.reason is Reason.REJECTED, "the mock enforces nothing"


async def test_a_refused_event_is_sent_once_more_with_less_and_then_given_up():
    async with destination.serve(answer(400, REFUSAL)) as server:
        failed = await send(notifier(url=server.url("/v2/enqueue")), notification())
    assert (failed.reason, failed.remedy) == (Reason.REJECTED, Remedy.SMALLER)
    assert "'payload.summary' is too long" in failed.message


@pytest.mark.parametrize(
    "error",
    ["Invalid routing key", "Length of 'routing_key' is incorrect (should be 32 characters)"],
)
async def test_a_wrong_routing_key_holds_the_destination(error):
    said = {"status": "invalid event", "message": "Event object is invalid", "errors": [error]}
    async with destination.serve(answer(400, json.dumps(said).encode())) as server:
        failed = await send(notifier(url=server.url("/v2/enqueue")), notification())
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert KEY not in failed.message


async def test_a_routing_key_that_cannot_be_read_holds_the_destination(tmp_path):
    it = PagerDutyNotifier.model_validate({"routing_key_file": str(tmp_path / "none")})
    failed = await send(it, notification())
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)


async def test_what_is_too_much_for_pagerduty_is_left_for_a_minute_where_it_does_not_say():
    async with destination.serve(answer(429)) as server:
        failed = await send(notifier(url=server.url("/v2/enqueue")), notification())
    assert failed.retry_after == 60
    async with destination.serve(answer(429, b"", "Retry-After: 7")) as server:
        failed = await send(notifier(url=server.url("/v2/enqueue")), notification())
    assert failed.retry_after == 7


async def test_one_event_that_pagerduty_fails_at_lets_the_others_go_on():
    async with destination.serve(answer(500)) as server:
        failed = await send(notifier(url=server.url("/v2/enqueue")), notification())
    assert failed.retry_after is None


async def test_an_attempt_goes_on_where_the_last_one_was_stopped():
    told = notification(pods(20))
    few = destination.in_turn(*[answer(202, SUCCESS)] * 10, *[answer(429)] * 10)
    async with destination.serve(few) as server:
        it = notifier(url=server.url("/v2/enqueue"), dedup="alert")
        assert (await send(it, told)).reason is Reason.RATE_LIMITED
        assert len(server.requests) < 20, "what would only be refused was sent all the same"
    async with destination.serve(answer(202, SUCCESS)) as again:
        it = it.model_copy(update={"url": again.url("/v2/enqueue")})
        assert await send(it, told) == Delivered()
        assert len(again.requests) == 10
        assert await send(it, told) == Delivered()
        assert len(again.requests) == 30, "a repeat of what was delivered is sent whole"


async def test_what_changed_since_is_sent_again():
    async with destination.serve(destination.in_turn(answer(202, SUCCESS), answer(429))) as server:
        it = notifier(url=server.url("/v2/enqueue"), dedup="alert")
        await send(it, notification(pods(2)))
    async with destination.serve(answer(202, SUCCESS)) as again:
        it = it.model_copy(update={"url": again.url("/v2/enqueue")})
        assert await send(it, notification(pods(2, resolved={0, 1}))) == Delivered()
    assert {one["event_action"] for one in sent(again)} == {"resolve"}
    assert len(again.requests) == 2


async def test_one_refused_event_keeps_no_other_alert_from_being_told():
    async def script(here, writer):
        refused = b'"a-0"' in here.requests[-1][2]
        await (answer(400, REFUSAL) if refused else answer(202, SUCCESS))(here, writer)

    async with destination.serve(script) as server:
        it = notifier(url=server.url("/v2/enqueue"), dedup="alert")
        failed = await send(it, notification(pods(12)))
        assert failed.remedy is Remedy.SMALLER
        assert len(server.requests) == 12
        await send(it, notification(pods(12)), Detail.TITLES)
        assert len(server.requests) == 13, "only the refused one is sent smaller"


async def test_all_events_together_end_in_time():
    async with destination.serve(destination.hang) as server:
        it = notifier(url=server.url("/v2/enqueue"), dedup="alert", timeout=LONG)
        failed = await send(it, notification(pods(30)))
    assert (failed.reason, failed.remedy) == (Reason.TIMEOUT, Remedy.RETRY)


# The rules themselves


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("dedup_key",), "x" * 256),
        (("event_action",), "fire"),
        (("surprise",), 1),
        (("payload", "severity"), "page"),
        (("payload", "summary"), "x" * 1025),
        (("payload", "summary"), "\x1b[31m"),
        (("payload", "source"), ""),
        (("payload", "timestamp"), "yesterday"),
        (("payload", "custom_details", "x"), "x" * 512_000),
        (("links",), [{"href": "javascript:alert(1)"}]),
        (("links",), [{"href": "https://h/ü"}]),
    ],
)
def test_the_rules_find_what_pagerduty_would_refuse(place, value):
    found = event(notification())
    inner = found
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(AssertionError):
        pagerduty_rules.check([found])
