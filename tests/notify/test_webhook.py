"""The webhook's body and headers."""

import base64
import json

import aiohttp
import pytest
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from alert_router.markdown import Code
from alert_router.notification import Detail
from alert_router.notify.base import Delivered, Reason, Remedy, Sending
from alert_router.notify.webhook import WebhookNotifier
from alert_router.runbook.model import Section
from tests.notify import destination
from tests.notify.destination import attempted
from tests.notify.notifications import alert, body, notification


def render(told, detail=Detail.FULL):
    return json.loads(WebhookNotifier(url="http://h").render(told, detail))


async def sent(notifier_fields, id_="msg-1"):
    async with destination.serve(destination.answer(200)) as server:
        notifier = WebhookNotifier(url=server.url("/hook"), **notifier_fields)
        async with aiohttp.ClientSession() as session:
            payload = notifier.render(notification())
            assert await attempted(notifier, payload, Sending(session, id_)) == Delivered()
    return server.requests[0]


def test_it_is_alertmanagers_body_and_more():
    alerts = [alert(pod="a-1"), alert(pod="a-2", resolved=True)]
    found = render(notification(alerts, orgId=1, notification_reason="new alerts added"))
    came = json.loads(body(alerts, orgId=1, notification_reason="new alerts added"))
    assert {key: found[key] for key in came if key != "alerts"} == {
        key: came[key] for key in came if key != "alerts"
    }
    assert [{k: a[k] for k in alerts[0]} for a in found["alerts"]] == alerts
    assert list(found)[:3] == ["version", "groupKey", "truncatedAlerts"]


def test_runbooks_are_data():
    (runbook,) = render(notification())["runbooks"]
    assert runbook["id"] == "alerts/pod-crashes-0"
    assert runbook["commands_for"] is None
    assert len(runbook["alerts"][0]) == 16
    detection, mitigation = runbook["sections"]
    assert detection["text"] == "Who is it?"
    assert detection["steps"][1]["commands"] == [
        {"language": "bash", "text": "logs --previous", "values": {}}
    ]
    assert mitigation["steps"][0]["title"] == "Restart it."
    (command,) = mitigation["steps"][0]["commands"]
    assert command["text"] == "kubectl delete pod a-1 -n prod && echo '<done>'"


def test_what_was_not_filled_in_is_beside_the_command():
    code = Code("ls ${POD:?}", "bash", values=(("POD", "a;b"),))
    (section,) = render(notification(sections=(Section("Detection", (), (code,)),)))["runbooks"][0][
        "sections"
    ]
    assert section["commands"][0]["values"] == {"POD": "a;b"}


def test_it_says_what_it_stands_for():
    assert render(notification(notes=("broken",)))["alert_router"] == {
        "id": "msg-1",
        "groups": ["g-1", "g-2"],
        "receiver": "team",
        "notifier": "it",
        "resent": False,
        "notes": ["broken"],
    }


def test_strange_characters_pass_through():
    words = "\x00 \u2028 \u202e <!channel> é"
    found = render(notification([alert(pod=words, other="\ud800")]))
    assert found["alerts"][0]["labels"]["pod"] == words
    assert found["alerts"][0]["labels"]["other"] == "\ufffd"


async def test_the_id_is_a_header_that_a_resend_keeps():
    _, headers, _ = await sent({}, id_="msg-7")
    assert headers["webhook-id"] == "msg-7"
    assert headers["webhook-timestamp"].isdigit()


async def test_it_authenticates_as_it_is_told():
    _, headers, _ = await sent({"bearer_token": "t0ken", "headers": {"X-Key": "k"}})
    assert (headers["authorization"], headers["x-key"]) == ("Bearer t0ken", "k")
    _, headers, _ = await sent({"username": "me", "password": "pässword"})
    assert base64.b64decode(headers["authorization"].split()[1]).decode() == "me:pässword"


async def test_a_signature_is_one_that_the_standards_own_library_verifies():
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    _, headers, body = await sent({"signing_secret": secret})
    assert Webhook(secret).verify(body, headers)["alerts"]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"PodCrash", b"PodCrush"), headers)


@pytest.mark.parametrize("secret", ["whsec_é", "whsec_", "no base64 at all!"])
async def test_a_signing_secret_that_is_none_holds_the_destination(secret):
    notifier = WebhookNotifier(url="http://127.0.0.1:1/", signing_secret=secret)
    async with aiohttp.ClientSession() as session:
        failed = await attempted(notifier, b"{}", Sending(session, "1"))
    assert (failed.reason, failed.remedy) == (Reason.MISCONFIGURED, Remedy.HOLD)
    assert "signing_secret" in failed.message
    assert "no base64" not in failed.message


async def test_a_large_body_arrives_whole():
    told = notification([alert(annotations={"summary": "x" * 3_000_000})])
    async with destination.serve(destination.answer(200)) as server:
        notifier = WebhookNotifier(url=server.url())
        async with aiohttp.ClientSession() as session:
            assert await attempted(notifier, notifier.render(told), Sending(session, "1"))
    assert server.requests[0][2] == notifier.render(told)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"bearer_token": "t", "username": "u", "password": "p"}, "not both"),
        ({"username": "u"}, "go together"),
        ({"password": "p"}, "go together"),
        ({"username": "a:b", "password": "p"}, "colon"),
        ({"headers": {"Content-Length": "1"}}, "set by the router"),
        ({"headers": {"Webhook-Id": "1"}}, "set by the router"),
        ({"headers": {"X: y": "1"}}, "name of a header"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "given twice"),
        ({"headers": {"authorization": "x"}, "bearer_token": "t"}, "set by the other keys"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(fields, said):
    with pytest.raises(ValidationError, match=said):
        WebhookNotifier(url="http://h", **fields)
