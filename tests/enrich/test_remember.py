"""Choices remembered: the same answers, with fewer questions."""

from hypothesis import given
from hypothesis import strategies as st

from alert_router.alert import Alert
from alert_router.enrich import Choice, remembering


def alert(labels: dict[str, str], annotations: dict[str, str] | None = None) -> Alert:
    return Alert.model_construct(
        status="firing", labels=labels, annotations=annotations or {}, fingerprint="f"
    )


def told(one: Alert) -> Choice:
    """A choice that tells everything a choice may depend on."""
    wanted = {name: one.annotations.get(name) for name in ("runbook", "runbook_url")}
    return Choice(f"{sorted(one.labels.items())} {wanted}", "table")


words = st.sampled_from(["", "a", "b", "runbook", "runbook_url", "alertname"])
alerts = st.builds(
    alert, st.dictionaries(words, words, max_size=4), st.dictionaries(words, words, max_size=3)
)


@given(st.lists(alerts, max_size=30))
def test_what_is_remembered_is_what_would_be_chosen(asked: list[Alert]) -> None:
    choose = remembering(told)
    assert [choose(one) for one in asked] == [told(one) for one in asked]


def questions(*asked: Alert) -> int:
    """How often it was asked for."""
    count = 0

    def choose(_: Alert) -> Choice:
        nonlocal count
        count += 1
        return Choice(None, "none")

    remembered = remembering(choose)
    for one in asked:
        remembered(one)
    return count


def test_the_same_alert_is_looked_for_once_whatever_else_it_says() -> None:
    labels = {"alertname": "RedisDown", "pod": "a"}
    assert questions(alert(labels), alert(dict(labels), {"summary": "other"})) == 1
    assert questions(alert(labels), alert(labels | {"pod": "b"})) == 2
    assert questions(alert(labels), alert(labels, {"runbook_url": "x"})) == 2


def test_what_is_very_long_is_not_kept() -> None:
    long = alert({"alertname": "x" * 10_000})
    assert questions(long, long) == 2


def test_more_alerts_than_are_kept_are_all_answered() -> None:
    many = [alert({"pod": str(number)}) for number in range(5000)]
    assert questions(*many, many[-1]) == 5000
