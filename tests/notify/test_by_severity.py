"""Settings of a notifier that depend on the severity."""

from dataclasses import replace

import pytest

from alert_router.deliver.compose import render
from alert_router.notification import Detail
from alert_router.notify.slack import SlackNotifier
from alert_router.notify.telegram import TelegramNotifier
from tests.notify.notifications import alert, notification

URL = "https://hooks.example/services/T/B/x"


def slack(**keys):
    return SlackNotifier(url=URL, **keys)


@pytest.mark.parametrize(
    ("detail", "severity", "most"),
    [
        ({}, "critical", Detail.FULL),
        ("titles", "critical", Detail.TITLES),
        ({"critical": "steps", "default": "link"}, "page", Detail.FIRST_STEPS),
        ({"P1": "steps", "default": "link"}, "critical", Detail.FIRST_STEPS),
        ({"critical": "steps", "default": "link"}, "info", Detail.MINIMAL),
        ({"critical": "steps"}, "info", Detail.FULL),
    ],
)
def test_how_much_is_said_depends_on_the_severity(detail, severity, most):
    told = notification([alert(severity=severity)])
    assert slack(detail=detail).most_detail(told) is most


def test_a_resolved_group_has_a_detail_of_its_own():
    told = notification([alert(resolved=True)])
    assert (
        slack(detail={"resolved": "link", "critical": "full"}).most_detail(told) is Detail.MINIMAL
    )


def test_a_message_has_no_more_detail_than_its_readers_want():
    payload, detail = render(notification(), slack(detail="titles"), Detail.FULL)
    assert detail is Detail.TITLES
    assert payload == slack().render(notification(), Detail.TITLES)
    assert render(notification(), slack(), Detail.MINIMAL)[1] is Detail.MINIMAL


@pytest.mark.parametrize("wrong", ["most", 3, {"critical": "most"}, ["full"]])
def test_an_unknown_detail_is_refused(wrong):
    with pytest.raises(ValueError, match="expected one of full, steps, titles, link"):
        slack(detail=wrong)


def test_the_worst_severity_decides_whom_to_mention():
    notifier = slack(mention={"critical": ["S012AB3CD", "U012AB3CD"], "default": "@here"})
    both = notification([alert(severity="page"), alert(severity="info")])
    assert "<!subteam^S012AB3CD> <@U012AB3CD> CRITICAL" in notifier.render(both)["text"]
    assert "<!here> INFO" in notifier.render(notification([alert(severity="info")]))["text"]
    nobody = replace(both, group=notification([alert(resolved=True)]).group)
    assert notifier.render(nobody)["text"].startswith("RESOLVED")


def test_a_telegram_user_without_a_name_is_mentioned_by_number():
    notifier = TelegramNotifier(bot_token="1:x", chat_id=1, mention=["Ann 😀 <12345>"])
    found = notifier.render(notification()).message
    (entity,) = (one for one in found["entities"] if one["type"] == "text_mention")
    assert entity["user"] == {"id": 12345}
    raw = found["text"].encode("utf-16-le")[2 * entity["offset"] :][: 2 * entity["length"]]
    assert raw.decode("utf-16-le") == "Ann 😀"
