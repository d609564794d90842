"""Which runbook an alert gets, and why."""

from pathlib import Path
from typing import Any

import pytest

from alert_router.enrich import Choice, select_runbook
from alert_router.matcher import parse_matchers
from alert_router.model import Alert, AlertGroup
from alert_router.routing import RunbookEntry, RunbookTable
from alert_router.runbook import Catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    for id in ("alerts/redis", "alerts/pod-crashes", "a/same", "b/same", "default"):
        path = tmp_path / f"{id}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {id}\n\n## Mitigation\n\n1. Do.\n")
    return Catalogue.load(tmp_path)


def table(*entries: tuple[str, str | None]) -> RunbookTable:
    return RunbookTable(
        [RunbookEntry(tuple(parse_matchers(matchers)), runbook) for matchers, runbook in entries]
    )


def alert(name: str = "X", **annotations: str) -> Alert:
    data: dict[str, Any] = {"status": "firing", "labels": {"alertname": name}, "fingerprint": "f"}
    return Alert(**data, annotations=annotations)


def test_the_table_comes_first(catalogue: Catalogue) -> None:
    entries = table(("alertname=Y", "default"), ("alertname=X", "alerts/redis"))

    chosen = select_runbook(alert(runbook="default"), entries, catalogue, None)

    assert chosen == Choice("alerts/redis", "table", 1)


def test_null_in_the_table_means_no_runbook(catalogue: Catalogue) -> None:
    chosen = select_runbook(alert("redis"), table(("alertname=redis", None)), catalogue, "default")

    assert chosen == Choice(None, "table", 0)


def test_an_unknown_id_in_the_table_is_reported_and_skipped(catalogue: Catalogue) -> None:
    chosen = select_runbook(alert("redis"), table(("alertname=redis", "gone")), catalogue, None)

    assert (chosen.runbook, chosen.way, chosen.entry) == ("alerts/redis", "name", 0)
    assert "gone" in (chosen.problem or "")


@pytest.mark.parametrize("annotation", ["runbook", "runbook_url"])
def test_the_annotation_comes_second(catalogue: Catalogue, annotation: str) -> None:
    given = alert("default", **{annotation: "https://wiki.example.org/x/alerts/redis.md#top"})

    assert select_runbook(given, table(), catalogue, None) == Choice("alerts/redis", "annotation")


def test_the_file_named_like_the_alert_comes_third(catalogue: Catalogue) -> None:
    given = alert("PodCrashes", runbook_url="https://elsewhere.example.org/unknown")

    assert select_runbook(given, table(), catalogue, "default") == Choice(
        "alerts/pod-crashes", "name"
    )


def test_the_default_comes_last(catalogue: Catalogue) -> None:
    assert select_runbook(alert(), table(), catalogue, "default") == Choice("default", "default")
    assert select_runbook(alert(), table(), catalogue, None) == Choice(None, "none")
    gone = select_runbook(alert(), table(), catalogue, "gone")
    assert gone.way == "none"
    assert "default_runbook names the runbook gone" in (gone.problem or "")


def test_an_ambiguous_name_is_skipped(catalogue: Catalogue) -> None:
    chosen = select_runbook(alert("Same"), table(), catalogue, "default")

    assert (chosen.runbook, chosen.way) == ("default", "default")
    assert "a/same, b/same" in (chosen.problem or "")


def test_an_alert_without_a_name_gets_the_default(catalogue: Catalogue) -> None:
    assert select_runbook(alert(""), table(), catalogue, "default").way == "default"


def test_a_reference_that_is_too_long_is_reported_and_skipped(catalogue: Catalogue) -> None:
    given = alert("pod-crashes", runbook_url="/a" * 200_000 + "/alerts/redis")

    chosen = select_runbook(given, table(), catalogue, None)

    assert (chosen.runbook, chosen.way) == ("alerts/pod-crashes", "name")
    assert "longer than 2000 characters" in (chosen.problem or "")


def on_route(**labels: str) -> Alert:
    body = {"groupKey": "k", "status": "firing", "routeLabels": labels}
    alerts = [{"status": "firing", "labels": {"alertname": "X"}, "fingerprint": "f"}]
    return AlertGroup.model_validate(body | {"alerts": alerts}).alerts[0]


def test_the_runbook_that_alertmanager_s_route_names_comes_before_the_table(
    catalogue: Catalogue,
) -> None:
    entries = table(("alertname=X", "default"))
    given = on_route(runbook="alerts/redis")
    assert select_runbook(given, entries, catalogue, None) == Choice("alerts/redis", "table")


@pytest.mark.parametrize("named", ["gone", "x" * 5000, ""])
def test_a_route_that_names_no_runbook_leaves_the_choice_to_the_table(
    catalogue: Catalogue, named: str
) -> None:
    chosen = select_runbook(
        on_route(runbook=named), table(("alertname=X", "default")), catalogue, None
    )
    assert (chosen.runbook, chosen.entry) == ("default", 0)
    assert ("gone" in (chosen.problem or "")) == (named == "gone")


def test_an_entry_of_the_table_matches_labels_of_the_route(catalogue: Catalogue) -> None:
    entries = table(("team=db", "alerts/redis"))
    assert select_runbook(on_route(team="db"), entries, catalogue, None).entry == 0
