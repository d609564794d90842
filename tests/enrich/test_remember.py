"""Choices remembered: the same answers, with fewer questions."""

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.enrich import Choice, choose, remembering
from alert_router.matcher import parse_matchers
from alert_router.model import Alert
from alert_router.routing import RunbookEntry, RunbookTable


def alert(labels: dict[str, str], annotations: dict[str, str] | None = None) -> Alert:
    return Alert.model_construct(
        status="firing", labels=labels, annotations=annotations or {}, fingerprint="f"
    )


TABLES = [
    RunbookTable([RunbookEntry(parse_matchers(text), f"entry-{text}") for text in texts])
    for texts in (
        ['a="x"', 'b=~"x|y",a!="y"', 'alertname="x"'],
        ['c=""', 'b=~".*y",c="x"'],
        ['a="x",b="y"'],
        [],
    )
]


class Every:
    """A catalogue that has every runbook of a word."""

    def get(self, id: str) -> object:
        return object()

    def by_reference(self, reference: str) -> list[str]:
        return [reference, "other"] if reference == "two" else [reference]

    def by_name(self, alertname: str) -> list[str]:
        return [alertname] if alertname == "y" else []


names = st.sampled_from(["a", "b", "c", "d", "alertname"])
values = st.sampled_from(["", "x", "y", "two"])
annotations = st.dictionaries(st.sampled_from(["runbook", "runbook_url", "summary"]), values)
alerts = st.builds(alert, st.dictionaries(names, values), annotations)


@settings(deadline=None)
@given(st.sampled_from(TABLES), st.lists(alerts, max_size=30))
def test_what_is_remembered_is_what_would_be_chosen(
    table: RunbookTable, asked: list[Alert]
) -> None:
    def decide(one: Alert) -> Choice:
        return choose(one, table, Every(), None)  # type: ignore[arg-type]

    remembered = remembering(decide, table.names)
    assert [remembered(one) for one in asked] == [decide(one) for one in asked]


def questions(*asked: Alert) -> int:
    """How often it was looked for, by a table that asks for `component`."""
    count = 0

    def decide(_: Alert) -> Choice:
        nonlocal count
        count += 1
        return Choice(None, "none")

    remembered = remembering(decide, {"component"})
    for one in asked:
        remembered(one)
    return count


def test_alerts_that_differ_in_nothing_that_is_asked_for_are_looked_for_once() -> None:
    labels = {"alertname": "RedisDown", "component": "redis"}
    first = alert(labels)
    assert questions(first, alert(labels | {"pod": "b"}, {"summary": "other"})) == 1
    assert questions(first, alert(labels | {"component": "api"})) == 2
    assert questions(first, alert(labels | {"alertname": "RedisSlow"})) == 2
    assert questions(first, alert(labels, {"runbook_url": "x"})) == 2


def test_what_is_very_long_is_not_kept() -> None:
    long = alert({"alertname": "x" * 10_000})
    assert questions(long, long) == 2


def test_more_alerts_than_are_kept_are_all_answered() -> None:
    many = [alert({"alertname": str(number)}) for number in range(5000)]
    assert questions(*many, many[-1]) == 5000
