"""Telegram's messages, and the bot that keeps them up to date."""

import json

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_router.markdown import Code, parse
from alert_router.notification import Detail
from alert_router.notify.base import Delivered, Failed, Reason, Remedy, Sending
from alert_router.notify.telegram import TelegramNotifier
from alert_router.runbook.model import Section
from tests.notify import destination, telegram_rules
from tests.notify.destination import answer, attempted, in_turn
from tests.notify.notifications import alert, notification, section

TOKEN = "123:s3cr3t-Token"
BOT = TelegramNotifier(bot_token=TOKEN, chat_id=-100123)
SENT = answer(200, telegram_rules.SUCCESS)
REFERENCE = '{"chat_id":-100123,"message_id":7,"over":false}'
OVER = REFERENCE.replace("false", "true")
FIRING = notification()
RESOLVED = notification([alert(resolved=True)], (section("Verification", "", ("Look.", "")),))
RESTART = "kubectl delete pod a-1 -n prod && echo '<done>'"


def read(told, detail=Detail.FULL):
    payload = BOT.readable(BOT.render(told, detail))
    telegram_rules.check(payload)
    return telegram_rules.read(payload["message"])


def of_markdown(text):
    return notification(sections=(Section("Detection", (), parse(text)),))


def no(description, status=400, **parameters):
    body = {"ok": False, "error_code": status, "description": description}
    return answer(status, json.dumps(body | {"parameters": parameters}).encode())


async def send(told, reference, *answers, **fields):
    """The outcome, and the calls that were made: method and arguments."""
    async with destination.serve(in_turn(*answers)) as server:
        notifier = TelegramNotifier(
            **{"bot_token": TOKEN, "chat_id": -100123, "api_url": server.url("/api")} | fields
        )
        async with aiohttp.ClientSession() as session:
            sending = Sending(session, "msg-1", reference)
            outcome = await attempted(notifier, notifier.render(told), sending)
    calls = [(line.split()[1], json.loads(body)) for line, _, body in server.requests]
    return outcome, [(path.removeprefix(f"/api/bot{TOKEN}/"), said) for path, said in calls]


def test_a_typical_message_reads_from_alert_to_steps():
    found = read(FIRING)
    assert found.text.split("\n") == [
        "🔴 CRITICAL: PodCrash",
        "• A pod crashes",
        "    namespace=prod  pod=a-1",
        "",
        "Pods that crash",
        "alerts/pod-crashes-0, last updated 2026-11-01, SRE",
        "",
        "Detection",
        "Who is it?",
        "1. Look at the pod.",
        "See the dashboard.",
        "get",
        "2. Look at the log.",
        "It must say OOM.",
        "logs --previous",
        "",
        "Mitigation",
        "1. Restart it.",
        RESTART,
        "2. Else roll back.",
        "Carefully.",
        "",
        "Runbook · Silence · Query · Alertmanager",
    ]
    assert found.commands == ["get", "logs --previous", RESTART]
    assert found.codes == ["namespace=prod  pod=a-1", "OOM"]
    assert "https://g.example/d?a=1&b=2" in [url for _, url in found.links]


def test_the_alerts_that_are_not_shown_are_a_click_away():
    found = read(notification([alert(pod=f"a-{number}") for number in range(52)]))
    assert dict(found.links)["and 37 more"].startswith("http://am.example:9093/#/alerts?")


def test_a_resolved_message_says_how_long_it_fired_and_how_to_verify():
    lines = read(RESOLVED).text.split("\n")
    assert lines[:2] == ["🟢 RESOLVED: PodCrash", "• resolved: A pod crashes (after 1h 4m)"]
    assert "1. Look." in lines


def test_lengths_are_counted_as_telegram_counts_them():
    steps = [(f"Step {n}.", "😀" * 300) for n in range(9)]
    text = read(notification(sections=(section("Mitigation", "", *steps),))).text
    assert len(text.encode("utf-16-le")) // 2 <= 4096
    assert text.count("😀") == 6 * 300, "the first steps are told in full"
    assert "9. Step 8." in text


def test_what_does_not_fit_at_all_is_cut_and_says_so_and_its_links_stay():
    alerts = [alert(annotations={"summary": "語" * 400}, pod=f"a-{n}") for n in range(20)]
    found = read(notification(alerts, runbooks=80))
    assert "This is more than a Telegram message can hold: see the runbook page." in found.text
    assert [words for words, _ in found.links][-4:] == [
        *("Runbook", "Silence", "Query", "Alertmanager")
    ]


def test_an_alert_with_labels_beyond_all_limits_is_still_named():
    labels = {f"label{n}": "😀" * 200 for n in range(9)}
    found = read(notification([alert(annotations={"summary": "Out of disk"}, **labels)]))
    assert "• Out of disk" in found.text


def test_more_entities_than_telegram_takes_are_left_out_with_their_text():
    found = read(of_markdown("\n\n".join(f"`a{n}` and *b*" for n in range(90))))
    assert "a89" not in found.text
    assert [words for words, _ in found.links][-1] == "Alertmanager"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(st.sampled_from("ab `$&<>\"'\\|;*_~{}[]#@/é\t😀"), min_size=1, max_size=40).filter(
            str.strip
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_command_is_copied_exactly(lines):
    code = Code("\n".join(lines), "bash")
    found = read(notification(sections=(Section("Detection", (), (code,)),)))
    assert found.commands == ["\n".join(lines)]


def test_half_a_command_is_worse_than_none():
    found = read(notification(sections=(Section("Detection", (), (Code("x" * 5_000),)),)))
    assert found.commands == []
    assert "Runbook" in dict(found.links)


@pytest.mark.parametrize(
    "words",
    [
        *("@everyone", "@sre_lead", "#tag", "$USD", "/start", "/start@bot", "a@evil.example"),
        *("https://evil.example/x", "evil.com", "t.me/joinchat/x", "tg://resolve?domain=x"),
        *("*bold*", "[x](https://evil.example)", "<b>x</b>", "`x`", "||x||", "10.0.0.1/@x"),
    ],
)
def test_an_alert_can_neither_format_nor_link_nor_ping(words):
    hostile = alert(pod=words, annotations={"summary": words}, alertname=words)
    found = read(notification([hostile], sections=()))
    assert found.commands == []
    assert len(found.marked) == 3  # the title, the runbook's title, where it comes from
    assert {words for words, _ in found.links} == {
        *("Pods that crash", "Runbook", "Silence", "Query", "Alertmanager"),
    }
    assert found.text.replace("\u2060", "").count(words) == 3
    assert f"pod={words}" in "".join(found.codes), "labels are copied exactly"


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("**all `code` here**", "all code here"),
        ("***both***", "both"),
        ("[**x** `y`](https://h.example)", "x y"),
        ("[x](ftp://evil.example)", "x"),
        ("> quoted\n>\n> > twice", "▏ quoted\n▏ ▏ twice"),
        ("- a\n  - b\n- [x] c", "• a\n    • b\n☑ c"),
        ("3. c\n4. d", "3. c\n4. d"),
    ],
)
def test_markdown_is_shown_by_entities_or_words(markdown, text):
    assert f"\n{text}\n" in read(of_markdown(markdown)).text


def test_a_table_is_aligned_as_code():
    assert read(of_markdown("| a | b |\n|---|---|\n| 1 | 2 |")).commands == ["a | b\n--+--\n1 | 2"]


async def test_the_first_message_of_a_group_leaves_its_place():
    outcome, ((method, said),) = await send(FIRING, None, SENT)
    assert (method, said["chat_id"]) == ("sendMessage", -100123)
    assert "disable_notification" not in said
    assert outcome == Delivered(REFERENCE)


async def test_topic_silence_and_a_channels_name_are_sent_along():
    _, ((_, said),) = await send(
        FIRING, None, SENT, chat_id="@alerts", message_thread_id=5, disable_notifications=True
    )
    assert (said["chat_id"], said["message_thread_id"]) == ("@alerts", 5)
    assert said["disable_notification"] is True


@pytest.mark.parametrize(("told", "over"), [(FIRING, False), (RESOLVED, True)])
async def test_what_follows_changes_the_message_and_replies_to_it(told, over):
    outcome, ((one, changed), (other, reply)) = await send(told, REFERENCE, SENT, SENT)
    assert (one, changed["chat_id"], changed["message_id"]) == ("editMessageText", -100123, 7)
    assert (other, reply["reply_parameters"]["message_id"]) == ("sendMessage", 7)
    assert reply["reply_parameters"]["allow_sending_without_reply"] is True
    assert ("RESOLVED" in reply["text"]) is over
    assert "Verification" not in reply["text"]
    assert json.loads(outcome.reference) == json.loads(REFERENCE) | {"over": over}


async def test_without_replies_the_message_is_changed_silently():
    outcome, ((method, _),) = await send(FIRING, REFERENCE, SENT, reply=False)
    assert (method, outcome) == ("editMessageText", Delivered(REFERENCE))


async def test_a_new_story_begins_a_new_message():
    _, ((method, _),) = await send(FIRING, OVER, SENT)
    assert method == "sendMessage"


async def test_a_change_made_before_is_no_failure_and_its_reply_is_still_sent():
    unchanged = no("Bad Request: message is not modified: specified new message content is same")
    outcome, calls = await send(FIRING, REFERENCE, unchanged, SENT)
    assert [method for method, _ in calls] == ["editMessageText", "sendMessage"]
    assert outcome == Delivered(REFERENCE)


@pytest.mark.parametrize(
    "word",
    [
        "Bad Request: message to edit not found",
        "Bad Request: message can't be edited",
        "Bad Request: MESSAGE_ID_INVALID",
    ],
)
async def test_a_message_that_can_no_longer_be_changed_is_replaced(word):
    outcome, calls = await send(FIRING, REFERENCE, no(word), SENT)
    assert [method for method, _ in calls] == ["editMessageText", "sendMessage"]
    assert "reply_parameters" not in calls[1][1]
    assert isinstance(outcome, Delivered)


@pytest.mark.parametrize(
    "reference", ["", "{}", "null", "[1]", "x", REFERENCE.replace("-100123", "-100999")]
)
async def test_a_reference_that_no_delivery_to_this_chat_left_is_none(reference):
    outcome, ((method, _),) = await send(FIRING, reference, SENT)
    assert (method, outcome) == ("sendMessage", Delivered(REFERENCE))


@pytest.mark.parametrize(
    ("status", "word", "reason", "remedy"),
    [
        (400, "Bad Request: message is too long", Reason.REJECTED, Remedy.SMALLER),
        (400, "Bad Request: chat not found", Reason.MISCONFIGURED, Remedy.HOLD),
        (400, "Bad Request: CHAT_SEND_PLAIN_FORBIDDEN", Reason.MISCONFIGURED, Remedy.HOLD),
        (400, "Bad Request: TOPIC_CLOSED", Reason.MISCONFIGURED, Remedy.HOLD),
        (400, "Bad Request: message thread not found", Reason.MISCONFIGURED, Remedy.HOLD),
        (401, "Unauthorized", Reason.MISCONFIGURED, Remedy.HOLD),
        (403, "Forbidden: bot was kicked from the group chat", Reason.MISCONFIGURED, Remedy.HOLD),
        (404, "Not Found", Reason.MISCONFIGURED, Remedy.HOLD),
        (500, "Internal Server Error", Reason.SERVER_ERROR, Remedy.RETRY),
        (200, "Bad Request: something new", Reason.REJECTED, Remedy.SMALLER),
    ],
)
@pytest.mark.parametrize("reference", [None, REFERENCE])
async def test_words_of_the_api_mean_what_they_mean(status, word, reason, remedy, reference):
    outcome, _ = await send(FIRING, reference, no(word, status))
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.remedy, outcome.in_doubt) == (reason, remedy, False)
    assert word in outcome.message


async def test_a_link_that_telegram_refuses_costs_no_more_than_the_links():
    word = "Bad Request: entity URL 'http://x.y/?chat_id=1' is invalid: Wrong HTTP URL"
    outcome, ((_, first), (method, bare)) = await send(FIRING, None, no(word), SENT)
    assert (method, outcome) == ("sendMessage", Delivered(REFERENCE))
    assert bare["text"] == first["text"]
    assert bare["entities"] == [e for e in first["entities"] if e["type"] != "text_link"]
    assert bare["entities"] != first["entities"]


async def test_the_token_is_in_no_error_and_no_log(caplog):
    caplog.set_level(0)
    said = f"no such path: /api/bot{TOKEN}/sendMessage, nor {TOKEN.replace(':', '%3A')}"
    for status in (200, 302, 400, 401, 404, 429, 500):
        outcome, _ = await send(FIRING, None, no(said, status))
        assert TOKEN.split(":")[1] not in f"{outcome!r} {caplog.text}"


async def test_too_many_requests_are_waited_for_as_long_as_telegram_says():
    outcome, _ = await send(
        FIRING, None, no("Too Many Requests: retry after 17", 429, retry_after=17)
    )
    assert (outcome.reason, outcome.retry_after) == (Reason.RATE_LIMITED, 17)


async def test_a_group_that_has_become_a_supergroup_is_told_by_its_new_id():
    word = "Bad Request: group chat was upgraded to a supergroup chat"
    outcome, _ = await send(FIRING, None, no(word, migrate_to_chat_id=-1001234567890))
    assert outcome.remedy is Remedy.HOLD
    assert "-1001234567890" in outcome.message


async def test_a_token_that_is_none_is_not_sent_anywhere():
    outcome, calls = await send(FIRING, None, bot_token="123:a/../../x?")
    assert calls == []
    assert (outcome.reason, outcome.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "/../" not in outcome.message


@pytest.mark.parametrize("chat", ["alerts", "@1", "https://t.me/x", ""])
def test_a_chat_is_an_id_or_a_channels_name(chat):
    with pytest.raises(ValueError, match="chat_id"):
        TelegramNotifier(bot_token=TOKEN, chat_id=chat)
