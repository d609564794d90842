"""From an alert group to a notification."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alert_router.enrich import Choice, enrich
from alert_router.enrich.shell import compile_fence
from alert_router.markdown import Code, Link, Paragraph, plain, to_text
from alert_router.model import Alert, AlertGroup
from alert_router.notification import Notification, RunbookPart
from alert_router.runbook import Runbook, parse_runbook

_START = datetime(2026, 1, 1, tzinfo=UTC)
_TEXT = """# Pods

**Owner**: SRE

## Detection

1. Look at $pod

   ```bash
   kubectl logs $pod -n $namespace
   ```

## Mitigation

```bash
kubectl get pods -n $namespace
```

## Verification

Is $pod well?
"""


def alert(name: str, age: int = 0, *, firing: bool = True, **labels: str) -> Alert:
    data: dict[str, Any] = {
        "status": "firing" if firing else "resolved",
        "labels": {"alertname": name, **labels},
        "startsAt": (_START - timedelta(minutes=age)).isoformat(),
        "fingerprint": f"{name}{age}{labels}",
    }
    return Alert(**data)


def group(*alerts: Alert) -> AlertGroup:
    base = AlertGroup.model_validate({"groupKey": "k", "status": "firing", "alerts": alerts[:1]})
    return base.with_alerts(alerts)


_ROWS = """# Queue alerts

## Mitigation

{}
"""
_TABLE = """| Alert | Action |
|---|---|
| QueueDown | Restart it. |
| | Then wait. |
| {} | Drop it. |
"""


def by_name(one: Alert) -> Choice:
    return Choice(one.name if one.name != "None" else None, "name")


def book(id: str, text: str = _TEXT) -> Runbook:
    return parse_runbook(text, id=id, path=f"{id}.md")


def write(
    of: AlertGroup,
    choose: Callable[[Alert], Choice] = by_name,
    runbook: Callable[[str], Runbook | None] = book,
) -> Notification:
    bare = Notification(
        id="n",
        groups=("g",),
        receiver="r",
        notifier="console",
        group=of,
        external_url="https://router.example.org",
    )
    return enrich(
        bare,
        choose=choose,
        runbook=runbook,
        firing_sections=("Detection", "Mitigation", "Escalation"),
        resolved_sections=("Verification", "Post-Incident"),
    )


def commands(part: RunbookPart) -> list[str]:
    blocks = [
        block
        for section in part.sections
        for block in (*section.intro, *(b for step in section.steps for b in step.blocks))
    ]
    return [block.text for block in blocks if isinstance(block, Code)]


def test_each_runbook_comes_once_in_the_order_of_its_first_firing_alert() -> None:
    found = write(
        group(
            alert("Over", firing=False),
            alert("B", firing=False),
            alert("A", pod="1"),
            alert("None"),
            alert("B"),
            alert("A", pod="2"),
        )
    )

    parts = [(part.id, len(part.alerts)) for part in found.runbooks]
    assert parts == [("A", 2), ("B", 2), ("Over", 1)]
    assert found.runbooks[2].sections == ()
    assert [one.name for one in found.without_runbook] == ["None"]
    assert found.notes == ()


def test_a_firing_group_has_detection_and_mitigation_filled() -> None:
    [part] = write(group(alert("A", pod="web", namespace="ns"))).runbooks

    assert [section.name for section in part.sections] == ["Detection", "Mitigation"]
    assert part.sections[0].steps[0].title == "Look at web"
    assert commands(part) == ["kubectl logs web -n ns", "kubectl get pods -n ns"]
    assert part.commands_for is None
    assert (part.title, part.owner) == ("Pods", "SRE")


@pytest.mark.parametrize(
    ("content", "own"),
    [
        (_TABLE.format("`QueueSlow`"), "Restart it. Then wait."),
        ("- **QueueDown**: Restart it.\n- **QueueSlow**: Drop it.", "Restart it."),
        ("1. QueueSlow: Drop it.\n2. `QueueDown` - Restart it.", "Restart it."),
        (_TABLE.format("Cause"), "Restart it. Then wait. Drop it."),
        ("1. ```sh\n   Then wait.\n   ```\n2. `QueueDown`: Restart it.", "Then wait. Restart it."),
        ("- QueueSlow: Drop it.\n- QueueFull: Restart it.", "Drop it. Restart it."),
    ],
)
def test_an_alert_gets_its_own_rows_where_each_alert_has_one(content: str, own: str) -> None:
    runbook = book("QueueDown", _ROWS.format(content))
    [section] = write(group(alert("QueueDown")), runbook=lambda _: runbook).runbooks[0].sections
    text = to_text((*section.intro, *(block for step in section.steps for block in step.blocks)))

    for action in ("Restart it.", "Then wait.", "Drop it."):
        assert (action in text) == (action in own)


def test_a_resolved_group_has_verification() -> None:
    [part] = write(group(alert("A", firing=False, pod="web"))).runbooks

    assert [section.name for section in part.sections] == ["Verification"]


def test_commands_have_the_labels_of_the_oldest_firing_alert() -> None:
    oldest = alert("A", 5, pod="old", namespace="ns")
    found = write(
        group(
            alert("A", 1, pod="new", namespace="ns"),
            oldest,
            alert("A", 5, pod="as-old", namespace="ns"),
            alert("A", 9, firing=False, pod="over", namespace="ns"),
        )
    )

    [part] = found.runbooks
    assert part.commands_for is oldest
    assert commands(part)[0] == "kubectl logs old -n ns"


def test_labels_that_the_runbook_does_not_use_may_differ() -> None:
    [part] = write(
        group(alert("A", pod="p", namespace="n", x="1"), alert("A", pod="p", namespace="n", x="2"))
    ).runbooks

    assert part.commands_for is None


def test_a_label_of_another_alert_is_not_used() -> None:
    [part] = write(group(alert("A", 1, namespace="n"), alert("A", namespace="n", pod="p"))).runbooks

    assert commands(part)[0] == "kubectl logs FILL_IN_pod -n n"


def test_a_broken_runbook_affects_only_its_own_alerts() -> None:
    def runbook(id: str) -> Runbook | None:
        if id == "Broken":
            raise ValueError("secret")
        return None if id == "Gone" else book(id)

    found = write(group(alert("Broken"), alert("Gone"), alert("A")), runbook=runbook)

    assert [part.id for part in found.runbooks] == ["Broken", "Gone", "A"]
    assert [len(part.sections) for part in found.runbooks] == [0, 0, 2]
    assert [note.split(":")[0] for note in found.notes] == [
        "The runbook Broken could not be shown",
        "The runbook Gone could not be shown",
    ]


def test_problems_of_choosing_are_noted_once_and_lose_no_alert() -> None:
    def choose(one: Alert) -> Choice:
        if one.name == "Bad":
            raise ValueError
        return Choice(None, "none", problem="Which?")

    found = write(group(alert("Bad"), alert("A"), alert("B")), choose=choose)

    assert len(found.without_runbook) == 3
    assert found.notes == ("Bad: no runbook could be chosen: ValueError.", "Which?")


def test_a_runbook_without_the_wanted_sections_shows_another() -> None:
    def runbook(id: str) -> Runbook:
        texts = {
            "Steps": "# S\n\n## Overview\n\nx\n\n## Verification\n\n1. Do.\n",
            "Prose": "# P\n\nJust words about $pod.\n",
        }
        return book(id, texts[id])

    steps, prose = write(group(alert("Steps"), alert("Prose", pod="web")), runbook=runbook).runbooks

    assert [section.name for section in steps.sections] == ["Verification"]
    assert "Just words about web." in repr(prose.sections)


def titles(text: str, *wanted: str) -> list[str]:
    """The titles of the sections of a firing alert with this runbook."""
    bare = Notification("n", ("g",), "r", "console", group(alert("A")))
    found = enrich(
        bare,
        choose=by_name,
        runbook=lambda id: book(id, text),
        firing_sections=wanted or ("Detection", "Mitigation"),
        resolved_sections=(),
    )
    return [plain(section.title) for section in found.runbooks[0].sections]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "# Broker offline {#broker}\n\n## Symptoms {#s}\n\n1. a\n\n## Fix {#f}\n\n1. b\n",
            ["Symptoms", "Fix"],
        ),
        ("# A\n\n## Investigation\n\n1. a\n\n## Fix\n\n1. b\n", ["Investigation", "Fix"]),
        (
            "# A\n\n## Detection\n\n## Investigation\n\n1. a\n\n## Fix\n\nx\n",
            ["Investigation", "Fix"],
        ),
        ("# A\n\n## Fix\n\n1. b\n\n## Symptoms\n\n1. a\n", ["Symptoms", "Fix"]),
        ("# A\n\n**Symptoms**\n\n1. a\n\n**Fix:**\n\n1. b\n", ["Symptoms", "Fix:"]),
        ("# A\n\n**Symptoms**\na\n\nHow to **fix**:\n\n1. b\n", ["Symptoms", "How to fix:"]),
        ("# A\n\n**Check the disk**\n\n1. a\n\n**Boot**\n\n1. b\n", ["Check the disk", "Boot"]),
        ("# A\n\n## Runbook for A\n\n### Symptoms\n\na\n\n### Fix\n\nb\n", ["Symptoms", "Fix"]),
        (
            "# A\n\n## Overview\n\nx\n\n## Boot it\n\n1. b\n\n## Links\n\n1. c\n\n## Ask\n\nd\n",
            ["Boot it", "Ask"],
        ),
        (
            "# A\n\n## Symptoms\n\na\n\n## Boot it\n\n`reboot -f`\n\n## Example alert\n\n    x\n",
            ["Symptoms", "Boot it"],
        ),
        (
            "# A\n\n## Checks\n\n- a\n\n## How to investigate\n\n`ls /x`\n\n## Fix\n\nb\n",
            ["Checks", "How to investigate", "Fix"],
        ),
        ("# A\n\n1. a\n\n## References\n\nb\n", ["A"]),
        ("# A\n\n**Owner:** me\n\nabout\n\n## Fix\n\n1. a\n", ["Fix"]),
        ("# A\n\n## Overview\n\n1. a\n\n## Impact\n\nb\n", []),
        ("## A\n\n### Symptoms\n\na\n\n### Fix\n\nb\n", ["Symptoms", "Fix"]),
    ],
)
def test_a_firing_alert_shows_what_to_do_under_the_authors_own_headings(
    text: str, expected: list[str]
) -> None:
    assert titles(text) == expected


def test_wanted_sections_are_shown_alone() -> None:
    text = "# A\n\n## Impact\n\nx\n\n## Boot\n\n1. b\n"

    assert titles(text, "Severity") == ["Impact"]
    assert titles(text, "boot") == ["Boot"]


def test_the_page_url_is_encoded() -> None:
    [part] = write(group(alert("A B/ü?"))).runbooks

    assert part.url == "https://router.example.org/runbooks/A%20B/%C3%BC%3F"


def test_the_commands_of_a_runbook_are_read_once() -> None:
    once = book("A", _TEXT.replace("logs", "logs --since=17m").replace("get", "get -w"))
    before = compile_fence.cache_info().misses
    for number in range(3):
        write(group(alert("A", pod=f"p{number}", namespace="n")), runbook=lambda _: once)

    assert compile_fence.cache_info().misses == before + 2


@pytest.mark.parametrize(
    ("id", "path", "url"),
    [
        ("a/kafka", "a/kafka/index.md", "a/kafka/"),
        ("a/kafka", "a/kafka/README.md", "a/kafka/"),
        ("a/kafka", "a/kafka.md", "a/kafka"),
        ("index", "index.md", "index"),
    ],
)
def test_links_of_a_folders_page_are_relative_to_the_folder(id: str, path: str, url: str) -> None:
    text = "# K\n\n## Mitigation\n\nSee [more](more.md).\n"
    found = write(
        group(alert(id)), runbook=lambda _: parse_runbook(text, id=id, path=path)
    ).runbooks[0]

    base = found.url.removesuffix(url)
    assert base.endswith("/runbooks/")
    (paragraph,) = found.sections[0].intro
    assert isinstance(paragraph, Paragraph)
    (link,) = [span for span in paragraph.children if isinstance(span, Link)]
    assert link.url == f"{base}{url[: url.rfind('/') + 1]}more"
