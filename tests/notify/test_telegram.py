"""Telegram's messages, and the bot that keeps them up to date."""

import json
from dataclasses import replace

import aiohttp
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alert_router.markdown import Code, parse
from alert_router.notification import Detail
from alert_router.notify.base import Delivered, Failed, Reason, Remedy, Sending
from alert_router.notify.telegram import TelegramNotifier, is_linked, literal
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


async def send(told, reference, *answers, only_change=False, **fields):
    """The outcome, and the calls that were made: method and arguments."""
    async with destination.serve(in_turn(*answers)) as server:
        notifier = TelegramNotifier(
            **{"bot_token": TOKEN, "chat_id": -100123, "api_url": server.url("/api")} | fields
        )
        async with aiohttp.ClientSession() as session:
            sending = Sending(session, "msg-1", reference, only_change=only_change)
            outcome = await attempted(notifier, notifier.render(told), sending)
    calls = [(line.split()[1], json.loads(body)) for line, _, body in server.requests]
    return outcome, [(path.removeprefix(f"/api/bot{TOKEN}/"), said) for path, said in calls]


def test_a_typical_message_reads_from_alert_to_steps():
    found = read(FIRING)
    assert found.text.split("\n") == [
        "🔴 CRITICAL: PodCrash",
        "• A pod crashes",
        "    namespace=prod  pod=a-1",
        "    since 10:00 UTC (2h)",
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


async def test_who_has_it_is_near_the_top_and_rings_nobody():
    told = replace(FIRING, progress="Ana @sre <b> has it, 2 of 6 done")
    outcome, ((method, said),) = await send(told, REFERENCE, SENT, only_change=True)
    assert (method, outcome) == ("editMessageText", Delivered())
    lines = said["text"].splitlines()
    assert "Ana @\u2060sre <b> has it, 2 of 6 done" in lines[:3]


async def test_a_change_alone_never_begins_a_message():
    assert await send(FIRING, None, only_change=True) == (Delivered(), [])
    gone = no("Bad Request: message to edit not found")
    outcome, ((method, _),) = await send(FIRING, REFERENCE, gone, only_change=True)
    assert (method, outcome) == ("editMessageText", Delivered())


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


LINKED_BOT = TelegramNotifier(bot_token="123:token", chat_id=-100123)
LINKS = ("Runbook", "Silence", "Query", "Alertmanager")


def read_message(told, detail=Detail.FULL):
    payload = LINKED_BOT.readable(LINKED_BOT.render(told, detail))
    telegram_rules.check(payload)
    return telegram_rules.read(payload["message"])


def shown_markdown(text):
    return read_message(notification(sections=(Section("Detection", (), parse(text)),)))


def commands(*lengths):
    """Steps each with a command of that many characters that names its step."""
    return [
        (f"Step {number}.", f"```bash\n{f'run-{number} '.ljust(length, 'x')}\n```")
        for number, length in enumerate(lengths, 1)
    ]


def shown(found):
    return [command.split()[0] for command in found.commands]


@pytest.mark.parametrize(
    "url",
    [
        *("http://prometheus.monitoring.svc:9090/graph", "https://a.example", "HTTPS://A.B/?q#f"),
        *(
            "http://10.0.0.1:9093/",
            "http://[::1]:9093/x",
            "https://bücher.example/é",
            "http://a.b.",
        ),
    ],
)
def test_an_address_with_a_dot_in_its_host_is_linked(url):
    assert is_linked(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost:9095/runbooks", "http://alertmanager:9093", "https://x", "http://."),
        *("http://.a", "http://a..b", "http://a.b:0/", "http://a.b:65536/", "http://a.b:/"),
        *(
            "http://a.b:x/",
            "http://user@a.b/",
            "http://[1::2::3]/",
            "http:///a.b",
        ),
        *("ftp://a.b/", "mailto:a@b.example", "tg://resolve?domain=a", "javascript:alert(1.0)", ""),
        *("a.b/c", "https://a.b/" + "x" * 1800),
    ],
)
def test_an_address_that_telegram_would_refuse_a_message_for_is_not_linked(url):
    assert not is_linked(url)


def test_links_to_hosts_without_a_dot_stand_in_the_text_to_be_copied():
    alerts = [alert() | {"generatorURL": "http://prometheus-0:9090/graph?g0.expr=up"}]
    found = read_message(notification(alerts, externalURL="http://alertmanager:9093"))
    assert [words for words, _ in found.links] == ["Pods that crash", "the dashboard", "Runbook"]
    assert "Query (http://prometheus-0:9090/graph?g0.expr=up)" in found.text
    assert found.codes[-1] == "http://alertmanager:9093"


def test_every_runbook_can_be_reached_though_its_host_has_no_dot():
    told = notification(runbooks=2)
    local = "http://localhost:9095/runbooks/"
    parts = [
        type(part)(
            **{name: getattr(part, name) for name in part.__slots__} | {"url": local + part.id}
        )
        for part in told.runbooks
    ]
    moved = type(told)(**{n: getattr(told, n) for n in told.__slots__} | {"runbooks": tuple(parts)})
    found = read_message(moved)
    assert found.codes.count(f"{local}alerts/pod-crashes-0") == 1
    assert found.codes.count(f"{local}alerts/pod-crashes-1") == 1
    assert f"Runbook ({local}alerts/pod-crashes-0)" in found.text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("[logs](http://kibana:5601/app)", "logs (http://kibana:5601/app)"),
        ("<http://kibana:5601/app>", "http://kibana:5601/app"),
        ("[us](mailto:sre@a.example)", "us (mailto:sre@a.example)"),
        ("**[x](http://kibana/)** b", "x (http://kibana/) b"),
        ("[x](http://kibana/?q=" + "y" * 300 + ")", "x"),
        ("[x](ftp://h.example/)", "x"),
        ("[x](../other.md)", "x"),
    ],
)
def test_a_runbooks_link_is_never_lost_for_telegrams_sake(markdown, text):
    assert f"\n{text}\n" in shown_markdown(markdown).text


@pytest.mark.parametrize(
    "words",
    [
        *("💩.la", "a–b.com", "xn--e1afmkfd.xn--p1ai", "x.рф", "10.244.1.17:9091", "1.2.3.4.5"),
        *("#\u200ctag", "#ආ", "$1INCH", "4111 1111 1111 1111", "4111111111111111", "+4930123456"),
        *("a@1.evil.com", "ftp://evil.com", "TG://x", "ton://x", "mailto:a@evil.com", "@ab_"),
        *("/a@bot", "«evil.com»", "...evil.com", "~.com", "https://user:pw@evil.com:80/x?y#z"),
    ],
)
def test_telegram_finds_nothing_in_what_an_alert_says(words):
    found = read_message(notification([alert(annotations={"summary": words})], sections=()))
    assert found.text.replace("\u2060", "").count(words) == 1


@pytest.mark.parametrize(
    "words", ["0.5 of 1.25.3 at 99.9%", "v2.11.0", "Ends. Then: a/b c-d a:b", "1,000 of 12:30:00"]
)
def test_words_in_which_telegram_finds_nothing_are_copied_exactly(words):
    assert literal(words).text == words


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.text(st.sampled_from("abcom019.@#$/:+- _~A💩é\u200c\u2060語"), max_size=40)
    | st.lists(
        st.sampled_from(["a", "1", ".", "com", "@", "://", "10.0.0.1", "4111111111111111", " "])
    ).map("".join)
)
@example("1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1")
@example("10.0.0.1.com")
def test_nothing_is_found_in_any_words_and_none_is_lost(words):
    text = literal(words).text
    for kind, pattern in telegram_rules.FOUND.items():
        assert not pattern.search(text), kind
    assert text.replace("\u2060", "") == words.replace("\u2060", "")


def test_room_that_is_left_is_used_for_the_steps_of_mitigation_first():
    told = (
        section("Detection", "", *commands(300, 1500, 1500)),
        section("Mitigation", "", *commands(300, 900, 900)),
    )
    found = read_message(notification(sections=told))
    assert shown(found) == ["run-1", "run-1", "run-2", "run-3"]
    assert "2. Step 2. …\n3. Step 3. …\n\nMitigation" in found.text


def test_a_step_too_long_for_the_room_leaves_it_to_the_next():
    told = (section("Mitigation", "", *commands(100, 5000, 200)),)
    found = read_message(notification(sections=told))
    assert shown(found) == ["run-1", "run-3"]
    assert "2. Step 2. …\n3. Step 3.\nrun-3" in found.text


def test_a_first_step_too_long_costs_no_other_step_its_command():
    told = (
        section("Detection", "", *commands(5000, 200)),
        section("Mitigation", "", *commands(200, 300)),
    )
    found = read_message(notification(sections=told))
    assert shown(found) == ["run-2", "run-1", "run-2"]


@pytest.mark.parametrize("detail", [Detail.MINIMAL, Detail.TITLES, Detail.FIRST_STEPS])
def test_no_more_is_told_than_is_asked_for(detail):
    told = (section("Mitigation", "", *commands(100, 5000, 200)),)
    expected = ["run-1"] if detail is Detail.FIRST_STEPS else []
    assert shown(read_message(notification(sections=told), detail)) == expected


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.integers(10, 2500), max_size=8),
    st.lists(st.integers(10, 2500), min_size=1, max_size=8),
)
def test_every_command_is_whole_and_more_detail_has_no_fewer_of_them(first, then):
    told = notification(
        sections=(
            section("Detection", "", *commands(*first)),
            section("Mitigation", "", *commands(*then)),
        )
    )
    expected = {under.split("\n")[1] for _, under in (*commands(*first), *commands(*then))}
    kept = [read_message(told, detail).commands for detail in Detail]
    assert all(set(each) <= expected for each in kept)
    assert [len(each) for each in kept] == sorted(len(each) for each in kept)
