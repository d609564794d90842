"""Google Chat's messages."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_router.markdown import Code, parse
from alert_router.notification import Detail
from alert_router.notify.base import Delivered, Reason, Remedy, Sending
from alert_router.notify.googlechat import GoogleChatNotifier, GoogleChatRenderer
from alert_router.runbook.model import Section
from tests.notify import destination, googlechat_rules
from tests.notify.destination import answer, attempted
from tests.notify.notifications import alert, notification, section

CHAT = GoogleChatNotifier(
    url="https://chat.googleapis.example/v1/spaces/AAA/messages?key=k&token=t"
)
LEFT = "(A command that Google Chat would change: see the runbook page.)"
RESTART = "kubectl delete pod a-1 -n prod && echo '<done>'"


def message(told, detail=Detail.FULL):
    found = CHAT.readable(CHAT.render(told, detail))
    googlechat_rules.check(found)
    return found


def read(told):
    return googlechat_rules.read(message(told))


def of_code(text):
    return notification(sections=(Section("Detection", (), (Code(text, "bash"),)),))


def of_markdown(text):
    return notification(sections=(Section("Detection", (), parse(text)),))


def test_a_typical_message_reads_from_alert_to_steps():
    found = message(notification())
    assert found["text"].split("\n")[:-1] == [
        "🔴 *CRITICAL:* PodCrash",
        "• A pod crashes",
        "    `namespace=prod  pod=a-1`",
        "    since 10:00 UTC (2h)",
        "",
        "*<https://router.example/runbooks/alerts/pod-crashes|Pods that crash>*",
        "alerts/pod-crashes-0, last updated 2026-11-01, SRE",
        "",
        "*Detection*",
        "Who is it?",
        "1. Look at the pod.",
        "See <https://g.example/d?a=1&b=2|the dashboard>.",
        *("```", "get", "```"),
        "2. Look at the log.",
        "It *must* say `OOM`.",
        *("```", "logs --previous", "```"),
        "",
        "*Mitigation*",
        "1. Restart it.",
        *("```", RESTART, "```"),
        "2. Else roll back.",
        "Carefully.",
        "",
    ]
    words = [words for words, _ in googlechat_rules.read(found).links]
    assert words[-4:] == ["Runbook", "Silence", "Query", "Alertmanager"]


def test_the_alerts_that_are_not_shown_are_a_click_away():
    found = read(notification([alert(pod=f"a-{number}") for number in range(52)]))
    assert dict(found.links)["and 37 more"].startswith("http://am.example:9093/#/alerts?")


def test_commands_are_copied_as_they_are():
    assert read(notification()).commands == ["get", "logs --previous", RESTART]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(st.sampled_from("ab `$&<>\"'\\|;*_~{}[]#é\t"), min_size=1, max_size=80).filter(
            str.strip
        ),
        min_size=1,
        max_size=100,
    )
)
def test_any_command_is_copied_exactly_or_left_to_the_page(lines):
    found = read(of_code("\n".join(lines)))
    if "\n".join(found.commands) != "\n".join(lines):
        assert found.commands == []
        assert LEFT in found.lines
        assert "```" in "\n".join(lines)


@pytest.mark.parametrize(
    "command", ["echo '<users/all>'", "cat <<'```'\n```", "<https://evil.example|x>"]
)
def test_a_command_that_chat_would_change_is_left_to_the_page(command):
    found = read(of_code(command))
    assert found.commands == []
    assert LEFT in found.lines


def test_half_a_command_is_worse_than_none():
    found = read(of_code("x" * 40_000))
    assert found.commands == []
    assert "Runbook" in dict(found.links)


def test_what_does_not_fit_is_told_with_less_detail():
    steps = [(f"Step {n}.", "word " * 700) for n in range(60)]
    found = read(notification(sections=(section("Mitigation", "", *steps),)))
    assert "60. Step 59. …" in found.lines
    assert str(found.lines).count("word word") < 1000


def test_bytes_are_counted_and_not_characters():
    words = "слово " * 60
    assert len(words * 60) < 32_000 < len((words * 60).encode())
    steps = [(f"Schritt {n}.", words) for n in range(60)]
    text = message(notification(sections=(section("Mitigation", "", *steps),)))["text"]
    assert "60. Schritt 59. …" in text
    assert text.count("слово") <= 60


def test_what_does_not_fit_at_all_is_cut_and_says_so_and_its_links_stay():
    alerts = [
        alert(
            annotations={"summary": f"{a}" + "語" * 400},
            **{f"l{n}": f"{a}" + "語" * 200 for n in range(9)},
        )
        for a in range(20)
    ]
    found = read(notification(alerts, runbooks=80))
    assert "This is more than a Google Chat message can hold: see the runbook page." in found.lines
    words = [words for words, _ in found.links]
    assert words[-4:] == ["Runbook", "Silence", "Query", "Alertmanager"]


def test_many_alerts_are_counted():
    found = read(notification([alert(pod=f"a-{n}") for n in range(52)]))
    assert found.lines[0] == "🔴 CRITICAL: PodCrash (52 firing)"
    assert "and 37 more" in found.lines


def test_a_resolved_message_is_green_and_says_how_long_it_fired():
    told = notification([alert(resolved=True)], (section("Verification", "", ("Look.", "")),))
    lines = read(told).lines
    assert lines[:2] == ["🟢 RESOLVED: PodCrash", "• resolved: A pod crashes (after 1h 4m)"]
    assert "1. Look." in lines


@pytest.mark.parametrize(
    "words",
    [
        *("<users/all>", "<users/123>", "*bold*", "_it_", "~no~", "`x`", "```", "- a", "> b"),
        *("<https://evil.example|click>", "<mailto:a@evil.example>", "a *b", "* c"),
    ],
)
def test_an_alert_can_neither_format_nor_link_nor_ping(words):
    hostile = alert(pod=words, annotations={"summary": words}, alertname=words)
    found = read(notification([hostile], sections=()))
    assert found.marked == ["CRITICAL:", "Pods that crash"]
    assert found.commands == []
    assert {words for words, _ in found.links} == {
        *("Pods that crash", "Runbook", "Silence", "Query", "Alertmanager"),
    }


def test_names_with_underscores_can_be_copied_from_what_an_alert_says():
    hostile = alert(annotations={"summary": "schema_registry_up is 0 < 1"}, pod="a_b_c")
    text = message(notification([hostile], sections=()))["text"]
    assert "schema_registry_up is 0 < 1" in text
    assert "`pod=a_b_c`" in text


@pytest.mark.parametrize(
    ("markdown", "line"),
    [
        ("**Stop.** Then _wait_.", "*Stop.* Then _wait_."),
        ("un**believ**able", "unbelievable"),
        ("***both***", "_both_"),
        ("~~old~~ `new`", "~old~ `new`"),
        ("`a`**b**", "`a`b"),
        ("- [x] done\n- [ ] open", "☑ done"),
        ("> quoted", "▏ quoted"),
        ("- a\n  - b", "    • b"),
        ("[x](ftp://h/x)", "x"),
        ("1 \\* 2 \\* 3", "1 ∗ 2 ∗ 3"),
        ("# Top", "*Top*"),
    ],
)
def test_markdown_becomes_chats_markup(markdown, line):
    assert line in message(of_markdown(markdown))["text"].split("\n")


def test_a_table_keeps_its_columns():
    (table,) = read(of_markdown("| a | b |\n|---|---|\n| long | c |")).commands
    assert table.startswith("a    | b")


def test_what_a_template_says_is_in_place_of_the_alerts():
    told = replace(notification(), title="Mine", message=parse("Look **here**: `pod`"))
    lines = read(told).lines
    assert lines[:2] == ["🔴 CRITICAL: Mine", "Look here: pod"]
    assert "A pod crashes" not in str(lines)


def test_an_alert_without_a_runbook_says_so():
    assert "⚠ No runbook is mapped to this." in read(notification(runbooks=0)).lines


def test_what_follows_of_a_group_is_in_its_thread():
    def key(told):
        return message(told)["thread"]["threadKey"]

    resolved = notification([alert(resolved=True)], id="another")
    assert key(notification()) == key(replace(resolved, id="msg-2"))
    assert key(notification()) != key(notification(groupKey="{}:{another}"))
    assert key(notification()) != key(replace(notification(), receiver="others"))
    assert key(notification()) != key(replace(notification(), notifier="others"))


def test_a_resend_is_the_same_message_since_chat_knows_its_id():
    assert message(replace(notification(), resent=True)) == message(notification())


async def sent(script, url="/v1/spaces/AAA/messages?key=k&token=t", id="msg-1"):
    """The outcome, and the request."""
    async with destination.serve(script) as server, aiohttp.ClientSession() as session:
        chat = GoogleChatNotifier(url=server.url(url))
        outcome = await attempted(chat, chat.render(notification()), Sending(session, id))
    return outcome, server.requests[0]


@pytest.mark.parametrize(
    "url",
    [
        "/v1/spaces/AAA/messages?key=k&token=t",
        "/v1/spaces/AAA/messages?key=k&token=t&threadKey=x&requestId=y#z",
    ],
)
async def test_the_same_id_is_asked_for_at_each_attempt(url):
    outcome, (line, headers, body) = await sent(answer(200, googlechat_rules.SUCCESS), url)
    assert outcome == Delivered()
    parts = urlsplit(line.split()[1])
    assert parts.path == "/v1/spaces/AAA/messages"
    assert parse_qsl(parts.query) == [
        ("key", "k"),
        ("token", "t"),
        ("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"),
        ("requestId", "msg-1"),
    ]
    assert headers["content-type"] == "application/json; charset=UTF-8"
    googlechat_rules.check(json.loads(body))


@pytest.mark.parametrize(
    "said", [b"", b"{}", b"[]", b'{"name": null}', b'{"error": {"code": 500}}', b"<html>"]
)
async def test_an_answer_without_a_message_is_no_success(said):
    failed, _ = await sent(answer(200, said))
    assert (failed.reason, failed.in_doubt) == (Reason.BAD_ANSWER, True)


def error(status, reason):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    body = {"error": {"code": status, "status": "INVALID_ARGUMENT", "details": details}}
    return answer(status, json.dumps(body).encode())


async def test_a_wrong_key_is_held_though_it_is_a_400():
    failed, _ = await sent(error(400, "API_KEY_INVALID"))
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)


async def test_any_other_400_is_about_the_message():
    failed, _ = await sent(error(400, "INVALID_ARGUMENT"))
    assert (failed.reason, failed.remedy) == (Reason.REJECTED, Remedy.SMALLER)


async def test_the_secret_parts_of_the_url_are_in_no_error():
    url = "/v1/spaces/AAA/messages?key=SECRETKEY&token=SECRETTOKEN"
    failed, _ = await sent(destination.echo(400), url)
    assert failed.reason == Reason.REJECTED
    assert "SECRET" not in failed.message


async def test_a_url_that_cannot_be_read_holds_the_space(tmp_path):
    chat = GoogleChatNotifier.model_validate({"url_file": "url"}, context={"base": str(tmp_path)})
    async with aiohttp.ClientSession() as session:
        failed = await attempted(chat, chat.render(notification()), Sending(session, "msg-1"))
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)


@pytest.mark.parametrize(
    "line",
    [
        *("<users/all>", "< users/all>", "<x>", "`x", "```", "*x", "_x", "~x y", "- x", "> x"),
        *("<javascript:alert(1)|x>", "``x``", "\x1b[2J", "x" * 40_000),
    ],
)
def test_the_rules_find_what_chat_would_refuse_or_obey(line):
    found = message(notification())
    with pytest.raises(AssertionError):
        googlechat_rules.check(found | {"text": f"{found['text']}\n{line}"})


@pytest.mark.parametrize("text", ["load <", "load < ", "load <  "])
def test_an_angle_whose_space_may_be_removed_opens_nothing(text):
    assert "<" not in GoogleChatRenderer().text(text)
