"""Slack's bot: one message a group, changed when the group changes."""

import json
from dataclasses import replace

import aiohttp
import pytest

from alert_router.notify.base import Delivered, Failed, Reason, Remedy, Sending
from alert_router.notify.slack import MAX_TOTAL, SlackNotifier
from tests.notify import destination
from tests.notify.destination import answer, attempted, in_turn
from tests.notify.notifications import alert, notification, section

OK = b'{"ok": true, "channel": "C1", "ts": "1.2"}'
REFERENCE = '{"channel":"C1","ts":"1.2","over":false}'
OVER = REFERENCE.replace("false", "true")
FIRING = notification()
RESOLVED = notification([alert(resolved=True)], (section("Verification", "", ("Look.", "")),))


def no(word, **more):
    return answer(200, json.dumps({"ok": False, "error": word} | more).encode())


async def send(told, reference, *answers, only_change=False, **fields):
    """The outcome, and the calls that were made: method and arguments."""
    async with destination.serve(in_turn(*answers)) as server:
        notifier = SlackNotifier(
            bot_token="xoxb-s3cr3t", channel="#alerts", api_url=server.url("/api"), **fields
        )
        async with aiohttp.ClientSession() as session:
            sending = Sending(session, "msg-1", reference, only_change=only_change)
            outcome = await attempted(notifier, notifier.render(told), sending)
    for _, headers, _ in server.requests:
        assert headers["authorization"] == "Bearer xoxb-s3cr3t"
    calls = [(line.split()[1], json.loads(body)) for line, _, body in server.requests]
    return outcome, [(path.removeprefix("/api/"), arguments) for path, arguments in calls]


async def test_the_first_message_of_a_group_leaves_its_place():
    outcome, ((method, said),) = await send(FIRING, None, answer(200, OK))
    assert (method, said["channel"]) == ("chat.postMessage", "#alerts")
    assert outcome == Delivered(REFERENCE)


@pytest.mark.parametrize(("told", "over"), [(FIRING, False), (RESOLVED, True)])
async def test_what_follows_changes_the_message_and_is_told_in_its_thread(told, over):
    outcome, calls = await send(told, REFERENCE, answer(200, OK), answer(200, OK))
    (one, changed), (other, reply) = calls
    assert (one, changed["channel"], changed["ts"]) == ("chat.update", "C1", "1.2")
    assert (other, reply["channel"], reply["thread_ts"]) == ("chat.postMessage", "C1", "1.2")
    assert reply["reply_broadcast"] is False
    assert json.loads(outcome.reference)["over"] is over
    assert ("RESOLVED" in reply["text"]) is over
    assert "Verification" not in json.dumps(reply)


async def test_a_new_story_begins_a_new_message():
    _, ((method, _),) = await send(FIRING, OVER, answer(200, OK))
    assert method == "chat.postMessage"


async def test_a_group_resolved_once_more_changes_its_message_still():
    _, ((method, _), _) = await send(RESOLVED, OVER, answer(200, OK), answer(200, OK))
    assert method == "chat.update"


async def test_without_a_thread_the_message_is_changed_silently():
    outcome, ((method, _),) = await send(FIRING, REFERENCE, answer(200, OK), thread=False)
    assert (method, outcome) == ("chat.update", Delivered(REFERENCE))


async def test_who_has_it_is_near_the_top_and_rings_nobody():
    told = replace(FIRING, progress="Ana <!channel> *b* has it, 2 of 6 done")
    outcome, ((method, changed),) = await send(told, REFERENCE, answer(200, OK), only_change=True)
    assert (method, outcome) == ("chat.update", Delivered())
    header, first, *_ = changed["blocks"]
    assert header["type"] == "header"
    line = "Ana &lt;!channel&gt; *b* has it, 2 of 6 done"
    assert first["text"]["type"] == "plain_text"
    assert first["text"]["text"].startswith(line)


@pytest.mark.parametrize("reference", [None, OVER, "{}"])
async def test_a_change_alone_never_begins_a_message(reference):
    assert await send(FIRING, reference, only_change=True) == (Delivered(), [])
    gone = no("message_not_found")
    outcome, ((method, _),) = await send(FIRING, REFERENCE, gone, only_change=True)
    assert (method, outcome) == ("chat.update", Delivered())


async def test_what_the_thread_is_told_can_be_shown_in_the_channel():
    _, (_, (_, reply)) = await send(
        FIRING, REFERENCE, answer(200, OK), answer(200, OK), broadcast=True
    )
    assert reply["reply_broadcast"] is True


@pytest.mark.parametrize("word", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_message_that_can_no_longer_be_changed_is_replaced(word):
    outcome, calls = await send(FIRING, REFERENCE, no(word), answer(200, OK.replace(b"1.2", b"3")))
    assert [method for method, _ in calls] == ["chat.update", "chat.postMessage"]
    assert "thread_ts" not in calls[1][1]
    assert json.loads(outcome.reference)["ts"] == "3"


async def test_a_thread_that_is_gone_does_not_repeat_the_message():
    outcome, _ = await send(FIRING, REFERENCE, answer(200, OK), no("thread_not_found"))
    assert outcome == Delivered(REFERENCE)


@pytest.mark.parametrize("reference", ["", "{}", "null", "[1]", "x", '{"channel": "C1"}'])
async def test_a_reference_that_no_delivery_left_is_none(reference):
    outcome, ((method, _),) = await send(FIRING, reference, answer(200, OK))
    assert (method, outcome) == ("chat.postMessage", Delivered(REFERENCE))


@pytest.mark.parametrize(
    ("word", "reason", "remedy", "in_doubt"),
    [
        ("ratelimited", Reason.RATE_LIMITED, Remedy.RETRY, False),
        ("internal_error", Reason.SERVER_ERROR, Remedy.RETRY, True),
        ("fatal_error", Reason.SERVER_ERROR, Remedy.RETRY, True),
        ("service_unavailable", Reason.SERVER_ERROR, Remedy.RETRY, False),
        ("msg_blocks_too_long", Reason.REJECTED, Remedy.SMALLER, False),
        ("invalid_blocks", Reason.REJECTED, Remedy.SMALLER, False),
        ("invalid_auth", Reason.MISCONFIGURED, Remedy.HOLD, False),
        ("channel_not_found", Reason.MISCONFIGURED, Remedy.HOLD, False),
        ("not_in_channel", Reason.MISCONFIGURED, Remedy.HOLD, False),
        ("something_new", Reason.MISCONFIGURED, Remedy.HOLD, False),
    ],
)
@pytest.mark.parametrize("reference", [None, REFERENCE])
async def test_a_word_of_the_api_means_what_it_means(word, reason, remedy, in_doubt, reference):
    outcome, _ = await send(FIRING, reference, no(word))
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.remedy, outcome.in_doubt) == (reason, remedy, in_doubt)
    assert outcome.message == f"Slack says: {word}"


async def test_a_limit_in_a_good_answers_clothes_is_waited_for():
    body = b'{"ok": false, "error": "ratelimited"}'
    outcome, _ = await send(FIRING, None, answer(200, body, "Retry-After: 30"))
    assert outcome.retry_after == 30


async def test_a_change_whose_thread_was_not_told_is_tried_again():
    outcome, calls = await send(FIRING, REFERENCE, answer(200, OK), answer(503))
    assert (outcome.reason, outcome.in_doubt) == (Reason.SERVER_ERROR, False)
    assert len(calls) == 2


async def test_an_answer_that_says_nothing_is_none():
    outcome, _ = await send(FIRING, None, answer(200, b"[]"))
    assert (outcome.reason, outcome.in_doubt) == (Reason.BAD_ANSWER, True)


async def test_a_success_without_a_place_is_a_success():
    outcome, _ = await send(FIRING, None, answer(200, b'{"ok": true}'))
    assert outcome == Delivered()


async def test_no_error_tells_the_token():
    outcome, _ = await send(FIRING, None, no("xoxb-s3cr3t is no token"))
    assert "s3cr3t" not in outcome.message


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "give one of `url`"),
        ({"url": "https://h", "bot_token": "x", "channel": "#a"}, "give one of `url`"),
        ({"bot_token": "x"}, "`bot_token` and `channel` go together"),
        ({"url": "https://h", "channel": "#a"}, "`bot_token` and `channel` go together"),
        ({"bot_token": "x", "channel": "#a", "thread": False, "broadcast": True}, "goes with"),
        ({"bot_token": "x", "channel": "#a", "api_url": "https://h/?a"}, "api_url"),
    ],
)
def test_what_does_not_go_together_is_an_error(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        SlackNotifier.model_validate(fields)


def test_a_repeat_of_what_may_have_arrived_says_so():
    notifier = SlackNotifier(bot_token="x", channel="#a")
    again = notifier.readable(notifier.render(replace(FIRING, resent=True)))
    for said in (again["message"], again["reply"]):  # the thread's reply may be a repeat too
        assert "Sent again: an earlier attempt may have arrived." in json.dumps(said)


BUTTONS = SlackNotifier(bot_token="xoxb-1", app_token="xapp-1", channel="#a")


def actions_of(told):
    """The elements of the buttons' block, of a message within the limits."""
    blocks = BUTTONS.render(told).message["blocks"]
    assert len(blocks) <= 50
    assert len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) <= MAX_TOTAL
    found = [block["elements"] for block in blocks if block["type"] == "actions"]
    assert len(found) <= 1
    return found[0] if found else []


def test_buttons_are_above_the_links_only_where_they_are_configured():
    blocks = BUTTONS.render(FIRING).message["blocks"]
    assert [block["type"] for block in blocks[-2:]] == ["actions", "context"]
    plain = SlackNotifier(bot_token="xoxb-1", channel="#a").render(FIRING).message["blocks"]
    assert all(block["type"] != "actions" for block in plain)


def test_a_message_with_buttons_has_no_links_to_act():
    told = replace(FIRING, actions=(("I have it", "https://router.example/act/x"),))
    assert "/act/" not in json.dumps(BUTTONS.render(told).message)


@pytest.mark.parametrize("title", ["", "&" * 500, "<!channel> *b*", "x" * 10_000, "\n\x00"])
def test_however_many_steps_there_are_and_whatever_they_are_called_the_message_fits(title):
    long = section("Mitigation", "", *((f"Step {n}", "```\nrun\n```\n" * 30) for n in range(60)))
    steps = tuple((f"{number:012x}", title) for number in range(500))
    told = replace(notification(sections=(long,)), steps_left=steps)
    take, done = actions_of(told)
    assert take["value"] == "g-2 take"
    assert len(done["options"]) == 20
    for option in done["options"]:
        assert 1 <= len(option["text"]["text"]) <= 75
        assert option["text"]["type"] == "plain_text"
        assert "<" not in option["text"]["text"]
        assert len(option["value"]) <= 75
    assert len({element["action_id"] for element in (take, done)}) == 2


def test_after_the_end_there_is_one_question_and_none_without_a_runbook():
    values = [element["value"] for element in actions_of(RESOLVED)]
    assert values == ["g-2 helped alerts/pod-crashes-0", "g-2 not_helped alerts/pod-crashes-0"]
    assert actions_of(notification([alert(resolved=True)], runbooks=0)) == []
