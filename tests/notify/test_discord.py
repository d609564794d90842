"""Discord's messages, and the webhook that keeps them up to date."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_router.markdown import Code, parse
from alert_router.notification import Detail
from alert_router.notify.base import Delivered, Failed, Reason, Remedy, Sending
from alert_router.notify.discord import DiscordNotifier
from alert_router.runbook.model import Section
from tests.notify import destination, discord_rules
from tests.notify.destination import answer, attempted, in_turn
from tests.notify.notifications import alert, notification, section

CHANGED = "(A command that Discord would change: see the runbook page.)"

URL = "https://discord.example/api/webhooks/1/token"
SENT = answer(200, discord_rules.SUCCESS)
ID = "1180000000000000001"
FIRING = notification()
TWO = notification([alert(pod="a-1"), alert(pod="a-2")])
ONE_OF_TWO = notification([alert(pod="a-1"), alert(pod="a-2", resolved=True)])
RESOLVED = notification([alert(resolved=True)], (section("Verification", "", ("Look.", "")),))


def read(told, detail=Detail.FULL):
    discord = DiscordNotifier(url=URL)
    payload = discord.readable(discord.render(told, detail))
    discord_rules.check(payload)
    return discord_rules.read(payload["message"])


def of_code(text):
    return notification(sections=(Section("Detection", (), (Code(text, "bash"),)),))


def of_markdown(text):
    return notification(sections=(Section("Detection", (), parse(text)),))


def no(status, code=0, *headers, **more):
    return answer(status, json.dumps({"message": "No", "code": code} | more).encode(), *headers)


async def send(
    told, reference, *answers, path="/api/webhooks/1/token", only_change=False, **fields
):
    """The outcome, and the requests: method, path, query, body."""
    async with destination.serve(in_turn(*answers)) as server, aiohttp.ClientSession() as session:
        discord = DiscordNotifier(url=server.url(path), **fields)
        sending = Sending(session, "msg-1", reference, only_change=only_change)
        outcome = await attempted(discord, discord.render(told), sending)
    requests = []
    for line, _, body in server.requests:
        method, target, _ = line.split()
        parts = urlsplit(target)
        requests.append((method, parts.path, dict(parse_qsl(parts.query)), json.loads(body)))
    return outcome, requests


async def left_by(told):
    outcome, _ = await send(told, None, SENT)
    return outcome.reference


def test_a_typical_message_reads_from_alert_to_steps():
    found = read(FIRING)
    words = [line.strip("\u2003") for line in found.lines if line]
    assert words == [
        "🔴 CRITICAL: PodCrash: A pod crashes (namespace=prod pod=a-1)",
        "• A pod crashes",
        "namespace=prod  pod=a-1",
        "since <t:1795428000:f> (<t:1795428000:R>)",
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
        st.text(st.sampled_from("ab `$&<>\"'\\|;*_~{}[]#@é\t"), min_size=1, max_size=60).filter(
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
        assert "```" in text or len(text) > 3900
        assert "```" not in text or CHANGED in found.lines


def test_half_a_command_is_worse_than_none():
    found = read(of_code("x" * 5000))
    assert found.commands == []
    assert "Runbook" in dict(found.links)


def test_code_units_are_counted_and_not_characters():
    steps = [(f"Step {n}.", "🔴" * 200) for n in range(14)]
    found = read(notification(sections=(section("Mitigation", "", *steps),)))
    assert "14. Step 13. …" in found.lines
    assert str(found.lines).count("🔴") < 3000


def test_what_does_not_fit_at_all_is_cut_and_says_so_and_its_links_stay():
    labels = {f"label{n}": "語" * 120 for n in range(8)}
    alerts = [alert(annotations={"summary": "語" * 300}, **labels, pod=f"a-{n}") for n in range(9)]
    found = read(notification(alerts, runbooks=40))
    assert "This is more than a Discord message can hold: see the runbook page." in found.lines
    assert "Runbook" in dict(found.links)


@pytest.mark.parametrize(
    "words",
    [
        *("@everyone", "@here", "<@123>", "<@&1>", "<#1>", "<t:1:R>", "<a:b:1>", "</x:1>"),
        *("[x](javascript:alert(1))", "[x](https://evil.example)", "https://evil.example"),
        *("<https://evil.example>", "**b**", "*i*", "_i_", "__u__", "~~s~~", "||spoiler||"),
        *("`c`", "```c", "# head", "-# small", "> q", ">>> q", "- a", "1. a", ":smile:", "\\"),
    ],
)
def test_an_alert_can_neither_format_nor_link_nor_ping(words):
    hostile = alert(pod=words, annotations={"summary": words}, alertname=words)
    found = read(notification([hostile], sections=()))
    assert found.lines[0].startswith(f"🔴 CRITICAL: {words}")
    assert f"• {words}" in found.lines
    assert found.marked == ["CRITICAL:", "Pods that crash"]
    assert (found.looks, found.commands) == ([], [])
    assert {words for words, _ in found.links} == {
        *("Pods that crash", "Runbook", "Silence", "Query", "Alertmanager"),
    }


def test_a_links_words_can_say_no_other_address():
    (link, *_) = read(of_markdown("[see https://a.example/_x_ `y`](https://b.example/(1))")).links[
        1:
    ]
    assert link == ("see https∶//a․example/x y", "https://b.example/%281%29")


def test_what_a_template_says_is_in_place_of_the_alerts():
    told = replace(notification(), title="Mine", message=parse("Look **here**: `pod`"))
    lines = read(told).lines
    assert lines[0] == "🔴 CRITICAL: Mine"
    assert "Look here: pod" in lines
    assert "A pod crashes" not in str(lines)


async def test_the_first_message_of_a_group_leaves_its_place():
    outcome, ((method, path, query, said),) = await send(FIRING, None, SENT)
    assert (method, path, query) == ("POST", "/api/webhooks/1/token", {"wait": "true"})
    assert json.loads(outcome.reference)["id"] == ID
    assert said["allowed_mentions"] == {"parse": [], "roles": [], "users": []}
    assert said["embeds"][0]["color"] == 0xD92D20


@pytest.mark.parametrize("told", [FIRING, RESOLVED, TWO])
async def test_what_follows_changes_the_message_and_a_notice_says_so(told):
    outcome, (change, notice) = await send(told, await left_by(FIRING), SENT, SENT)
    assert change[:3] == ("PATCH", f"/api/webhooks/1/token/messages/{ID}", {})
    assert change[3]["allowed_mentions"]["parse"] == []
    assert notice[0] == "POST"
    assert "Mitigation" not in json.dumps(notice[3])
    assert json.loads(outcome.reference)["id"] == ID


async def test_who_has_it_is_near_the_top_and_rings_nobody():
    before = await left_by(notification())
    told = replace(notification(), progress="Ana <@1> *b* has it, 2 of 6 done")
    outcome, [(method, *_, said)] = await send(told, before, SENT, only_change=True)
    assert (method, outcome) == ("PATCH", Delivered())
    found = read(told)
    assert "Ana <@1> *b* has it, 2 of 6 done" in found.lines[:3]
    assert said["allowed_mentions"] == {"parse": [], "roles": [], "users": []}


async def test_a_change_alone_never_begins_a_message():
    assert await send(notification(), None, only_change=True) == (Delivered(), [])
    before = await left_by(notification())
    gone = no(404, 10008)
    outcome, [(method, *_)] = await send(notification(), before, gone, only_change=True)
    assert (method, outcome) == ("PATCH", Delivered())


async def test_that_some_alerts_ended_is_no_reason_to_ring():
    outcome, requests = await send(ONE_OF_TWO, await left_by(TWO), SENT)
    assert [method for method, *_ in requests] == ["PATCH"]
    _, requests = await send(TWO, outcome.reference, SENT, SENT)
    assert [method for method, *_ in requests] == ["PATCH", "POST"]


async def test_another_alert_rings_though_no_more_fire_than_before():
    other = notification([alert(pod="a-1"), alert(pod="a-3")])
    _, requests = await send(other, await left_by(TWO), SENT, SENT)
    assert [method for method, *_ in requests] == ["PATCH", "POST"]


async def test_of_hundreds_of_alerts_a_bounded_reference_is_left():
    many = notification([alert(pod=f"a-{n}") for n in range(600)])
    assert len(await left_by(many)) < 200


async def test_without_notices_the_message_is_changed_silently():
    _, requests = await send(RESOLVED, await left_by(FIRING), SENT, notice=False)
    assert [method for method, *_ in requests] == ["PATCH"]


async def test_a_new_story_begins_a_new_message():
    _, requests = await send(FIRING, await left_by(RESOLVED), SENT)
    assert [method for method, *_ in requests] == ["POST"]


@pytest.mark.parametrize(("status", "code"), [(404, 10008), (403, 50005)])
async def test_a_message_that_can_no_longer_be_changed_is_replaced(status, code):
    outcome, requests = await send(RESOLVED, await left_by(FIRING), no(status, code), SENT)
    assert [method for method, *_ in requests] == ["PATCH", "POST"]
    assert "Verification" in json.dumps(requests[1][3])
    assert isinstance(outcome, Delivered)


@pytest.mark.parametrize("reference", ["", "{}", "null", "[1]", "x", '{"id": "1"}'])
async def test_a_reference_that_no_delivery_left_is_none(reference):
    _, requests = await send(FIRING, reference, SENT)
    assert [method for method, *_ in requests] == ["POST"]


async def test_a_change_whose_notice_failed_is_tried_again():
    outcome, _ = await send(RESOLVED, await left_by(FIRING), SENT, answer(503))
    assert (outcome.reason, outcome.in_doubt) == (Reason.SERVER_ERROR, False)


@pytest.mark.parametrize(
    ("status", "code", "reason", "remedy"),
    [
        (404, 10015, Reason.MISCONFIGURED, Remedy.HOLD),
        (401, 50027, Reason.MISCONFIGURED, Remedy.HOLD),
        (400, 220001, Reason.MISCONFIGURED, Remedy.HOLD),
        (400, 50035, Reason.REJECTED, Remedy.SMALLER),
    ],
)
@pytest.mark.parametrize("changed", [False, True])
async def test_a_code_of_the_api_means_what_it_means(status, code, reason, remedy, changed):
    reference = await left_by(FIRING) if changed else None
    failed, _ = await send(FIRING, reference, no(status, code))
    assert isinstance(failed, Failed)
    assert (failed.reason, failed.remedy) == (reason, remedy)


async def test_a_limits_seconds_are_in_the_body():
    failed, _ = await send(FIRING, None, no(429, retry_after=0.75, **{"global": False}))
    assert (failed.reason, failed.retry_after) == (Reason.RATE_LIMITED, 0.75)


@pytest.mark.parametrize(
    ("query", "fields", "posted"),
    [
        ("", {"thread_id": "7"}, {"wait": "true", "thread_id": "7"}),
        ("?thread_id=8&wait=false#x", {"thread_id": "7"}, {"wait": "true", "thread_id": "7"}),
        ("?thread_id=8", {}, {"wait": "true", "thread_id": "8"}),
    ],
)
async def test_parameters_of_ours_replace_the_urls(query, fields, posted):
    path = f"/api/webhooks/1/token{query}"
    outcome, (post,) = await send(FIRING, None, SENT, path=path, **fields)
    assert post[1:3] == ("/api/webhooks/1/token", posted)
    _, (patch, _) = await send(RESOLVED, outcome.reference, SENT, SENT, path=path, **fields)
    assert patch[2] == {"thread_id": posted["thread_id"]}


@pytest.mark.parametrize(
    "line",
    [
        *("@everyone", "<@1>", "[x](https://h", "**x", "||x||", "- a", "> a", "`x", "```"),
        *("https://evil.example", "x" * 4097, "\x1b[2J", "[\\*](https://h.example)"),
    ],
)
def test_the_rules_find_what_discord_would_refuse_or_obey(line):
    discord = DiscordNotifier(url=URL)
    payload = discord.readable(discord.render(FIRING))
    payload["message"]["embeds"][0]["description"] += f"\n{line}"
    with pytest.raises(AssertionError):
        discord_rules.check(payload)


@pytest.mark.parametrize("sign", ["\ud800", "*", "😀", "@everyone "])
def test_a_title_is_within_the_limit_however_much_longer_it_is_when_written(sign):
    told = replace(FIRING, title=sign * 300)
    assert read(told)
