"""Files that describe many alerts: each alert gets its own section, and never another's."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alert_router.enrich import enrich, select_runbook
from alert_router.markdown import plain, to_text
from alert_router.model import Alert, AlertGroup
from alert_router.notification import Notification
from alert_router.routing import RunbookEntry, RunbookTable
from alert_router.runbook import Catalogue, parse_runbook

PLAYBOOKS = """# Queue playbooks

How we run the queue. Set `NAMESPACE` first.

## Alerts

### QueueBrokerDown

The broker does not answer.

How to **investigate**:

- Look at the log of the broker.

How to **fix**:

1. Start the broker.

### QueueDiskFull {#disk}

#### Symptoms

1. Look at the volume.

#### Resolution

1. Delete old segments.

### Alert: `QueueLagging` (warning)

1. Add consumers.

## Replacing a broker

1. Drain it.
"""
ENTRY = "playbooks"


def load(root: Path, **texts: str) -> Catalogue:
    for name, text in texts.items():
        path = root / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Catalogue.load(root)


def message(
    catalogue: Catalogue, name: str, *, table: str | None = None, url: str = ""
) -> Notification:
    """The notification of one firing alert with default sections."""
    alert = Alert.model_validate(
        {
            "status": "firing",
            "labels": {"alertname": name, "namespace": "prod"},
            "annotations": {"runbook_url": url},
            "fingerprint": "f",
        }
    )
    entries = RunbookTable([] if table is None else [RunbookEntry((), table)])
    group = AlertGroup.model_validate({"groupKey": "k", "status": "firing", "alerts": [alert]})
    bare = Notification("n", ("g",), "r", "console", group, external_url="https://x.example")
    return enrich(
        bare,
        choose=lambda each: select_runbook(each, entries, catalogue, None),
        runbook=catalogue.get,
        firing_sections=("Detection", "Mitigation"),
        resolved_sections=("Verification",),
    )


def shown(notification: Notification) -> str:
    """Everything that the message says of runbooks, without notes."""
    sections = [section for part in notification.runbooks for section in part.sections]
    blocks = [b for s in sections for b in (*s.intro, *(b for t in s.steps for b in t.blocks))]
    titles = [plain(s.title) for s in sections] + [t.title for s in sections for t in s.steps]
    return "\n".join([to_text(blocks), *titles])


@pytest.mark.parametrize(
    ("name", "reference", "anchor"),
    [
        ("QueueDiskFull", "https://wiki.example/docs/playbooks.md#queuediskfull", "disk"),
        ("QueueDiskFull", "https://wiki.example/docs/playbooks/#disk", "disk"),
        ("QueueDiskFull", "https://wiki.example/docs/playbooks.html#user-content-Disk", "disk"),
        ("QueueDiskFull", "https://wiki.example/docs/playbooks.md", "disk"),
        ("QueueDiskFull", "https://wiki.example/docs/playbooks.md#gone", "disk"),
        ("Renamed", "https://wiki.example/docs/playbooks.md#queuebrokerdown", "queuebrokerdown"),
        ("QueueLagging", "playbooks.md#Alert-QueueLagging-warning", "alert-queuelagging-warning"),
        ("QueueLagging", "", "alert-queuelagging-warning"),
        ("Renamed", "playbooks#replacing-a-broker", "replacing-a-broker"),
    ],
)
def test_an_alert_gets_the_section_that_its_url_or_name_names(
    tmp_path: Path, name: str, reference: str, anchor: str
) -> None:
    catalogue = load(tmp_path, playbooks=PLAYBOOKS)

    (part,) = message(catalogue, name, url=reference).runbooks

    assert part.id == f"playbooks#{anchor}"
    assert part.url == f"https://x.example/runbooks/playbooks#{anchor}"
    assert part.sections


def test_the_headings_of_a_section_are_its_sections(tmp_path: Path) -> None:
    catalogue = load(tmp_path, playbooks=PLAYBOOKS)

    (part,) = message(catalogue, "QueueDiskFull").runbooks

    assert [plain(section.title) for section in part.sections] == ["Symptoms", "Resolution"]
    assert part.title == "QueueDiskFull"


def test_bold_lines_within_a_section_are_headings(tmp_path: Path) -> None:
    (part,) = message(load(tmp_path, playbooks=PLAYBOOKS), "QueueBrokerDown").runbooks

    assert [section.name for section in part.sections] == ["Investigation", "Mitigation"]


def test_a_section_without_headings_is_sent_whole(tmp_path: Path) -> None:
    (part,) = message(load(tmp_path, playbooks=PLAYBOOKS), "QueueLagging").runbooks

    assert [step.title for section in part.sections for step in section.steps] == ["Add consumers."]


@pytest.mark.parametrize("table", ["playbooks#disk", "playbooks.md#queuediskfull", "playbooks.md"])
def test_the_table_names_a_section(tmp_path: Path, table: str) -> None:
    (part,) = message(load(tmp_path, playbooks=PLAYBOOKS), "QueueDiskFull", table=table).runbooks

    assert part.id == "playbooks#disk"


def test_an_alert_without_a_section_gets_a_link_to_the_file_and_no_steps(tmp_path: Path) -> None:
    notification = message(load(tmp_path, playbooks=PLAYBOOKS), "QueueOther", table="playbooks")

    (part,) = notification.runbooks
    assert part.url == "https://x.example/runbooks/playbooks"
    assert not part.sections
    assert "QueueOther" in notification.notes[0]
    assert "playbooks has sections for other alerts" in notification.notes[0]


def test_the_heading_of_all_alerts_is_not_one_alert(tmp_path: Path) -> None:
    notification = message(load(tmp_path, playbooks=PLAYBOOKS), "Other", url="playbooks.md#alerts")

    assert not any(part.sections for part in notification.runbooks)


def test_a_fragment_of_another_alert_does_not_hide_the_alerts_own_section(tmp_path: Path) -> None:
    catalogue = load(tmp_path, playbooks=PLAYBOOKS)

    (part,) = message(catalogue, "QueueDiskFull", url="playbooks.md#queuebrokerdown").runbooks

    assert part.id == "playbooks#disk"


def test_the_section_of_a_runbook_about_one_alert_is_the_whole_runbook(tmp_path: Path) -> None:
    text = "# Node down\n\n## Symptoms\n\n1. Look.\n\n## Mitigation\n\n1. Boot it.\n"
    catalogue = load(tmp_path, NodeDown=text)

    (part,) = message(
        catalogue, "NodeDown", url="https://w.example/NodeDown.md#mitigation"
    ).runbooks

    assert part.id == "NodeDown"
    assert [section.name for section in part.sections] == ["Detection", "Mitigation"]


def test_headings_that_repeat_the_same_sections_are_alerts_of_their_own(tmp_path: Path) -> None:
    body = "### Impact\n\nBad.\n\n### Steps\n\n1. Do {}.\n\n"
    text = f"# SOPs\n\n## Cache Too Small\n\n{body.format('A')}## Cache Is Down\n\n" + body.format(
        "B"
    )
    catalogue = load(tmp_path, sops=text)

    assert "Do B." in shown(message(catalogue, "CacheIsDown", url="sops.md"))
    assert "Do" not in shown(message(catalogue, "CacheUnknown", url="sops.md"))


def test_the_cases_of_one_alert_stay_together(tmp_path: Path) -> None:
    body = "### Diagnosis\n\n1. Look {0}.\n\n### Fix\n\n1. Do {0}.\n\n"
    text = "# Slow\n\n" + "".join(f"## Case {n}: x\n\n{body.format(n)}" for n in "12")
    catalogue = load(tmp_path, slow=text)

    said = shown(message(catalogue, "ApiLatency", table="slow"))

    assert all(words in said for words in ("Look 1.", "Do 1.", "Look 2.", "Do 2."))


def test_a_variable_that_the_file_sets_elsewhere_stays(tmp_path: Path) -> None:
    text = (
        "# P\n\n```sh\nNAMESPACE=x\n```\n\n## QueueDown\n\n```sh\nkubectl -n $NAMESPACE get po\n```"
        "\n\n## QueueFull\n\n1. Do.\n"
    )
    catalogue = load(tmp_path, playbooks=text)

    assert "$NAMESPACE" in shown(message(catalogue, "QueueDown"))


def test_an_alerts_own_text_is_sent_without_the_alerts_below_it(tmp_path: Path) -> None:
    text = "# P\n\n## QueueDown\n\n1. Do A.\n\n### QueueDownInEurope\n\n1. Do B.\n"
    catalogue = load(tmp_path, playbooks=text)

    said = shown(message(catalogue, "QueueDown"))

    assert "Do A." in said
    assert "Do B." not in said


@pytest.mark.parametrize(
    "heading",
    [
        "High memory usage on node",
        "High memory usage on node (critical)",
        "HIGH MEMORY-USAGE ON NODE!",
    ],
)
@pytest.mark.parametrize(
    ("name", "is_own"),
    [
        ("HighMemoryUsageOnNode", True), ("high_memory_usage_on_node", True),
        ("HighMemoryUsageOnNodes", False), ("HighMemoryUsage", False), ("MemoryUsageOnNode", False),
        ("KubeHighMemoryUsageOnNode", False), ("HighMemoryUsageOnNode2", False),
        ("High", False), ("", False), ("***", False), ("HighMemoryUsageOnNоde", False),
    ],
)  # fmt: skip
def test_a_heading_in_plain_words_is_that_of_the_alert_with_exactly_these_words(
    tmp_path: Path, heading: str, name: str, is_own: bool
) -> None:
    catalogue = load(
        tmp_path, nodes=f"# Nodes\n\n## {heading}\n\nDo this.\n\n## Other\n\nDo that.\n"
    )
    [found] = catalogue.by_reference("nodes", name)
    assert (found != "nodes") is is_own


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("QueueDown", "QueueDown"),
        ("`QueueDown`", "QueueDown"),
        ("Alert: QueueDown", "QueueDown"),
        ('"QueueDown" alert', "QueueDown"),
        ("QueueDown (critical)", "QueueDown"),
        ("3. QueueDown: no broker answers", "QueueDown"),
        ("QueueFull, QueueDown", "QueueDown"),
        ("QueueFull and QueueDown", "QueueDown"),
        ("When `QueueDown` fires", "QueueDown"),
        ("When QueueDown fires", "QueueDown"),
        ("If QueueDown is firing:", "QueueDown"),
        ("Troubleshooting QueueDown", "QueueDown"),
        ("Alert 3: QueueDown", "QueueDown"),
        ("🔥 QueueDown runbook", "QueueDown"),
        ("queue_broker_down", "queue_broker_down"),
        ("Queue Down", "QueueDown"),
    ],
)
def test_a_heading_names_its_alert(tmp_path: Path, heading: str, name: str) -> None:
    text = f"# P\n\n## {heading}\n\n1. Do this.\n\n## OtherAlertFiring\n\n1. Do that.\n"
    catalogue = load(tmp_path, playbooks=text)

    assert "Do this." in shown(message(catalogue, name, table="playbooks"))


@pytest.mark.parametrize(
    "text",
    [
        "**QueueDown**\n\n1. Do this.\n\n**DiskFull**\n\n1. Do that.\n",
        '=== "QueueDown"\n\n    1. Do this.\n\n=== "DiskFull"\n\n    1. Do that.\n',
        "<details>\n<summary>QueueDown</summary>\n\n1. Do this.\n\n</details>\n\n"
        "<details>\n<summary>DiskFull</summary>\n\n1. Do that.\n\n</details>\n",
    ],
)
def test_bold_lines_tabs_and_details_with_names_of_alerts_are_sections(
    tmp_path: Path, text: str
) -> None:
    catalogue = load(tmp_path, playbooks=f"# P\n\n{text}")

    for name, does, others in (("QueueDown", "this", "that"), ("DiskFull", "that", "this")):
        said = shown(message(catalogue, name, url="playbooks.md"))
        assert f"Do {does}." in said
        assert f"Do {others}." not in said
    assert "Do " not in shown(message(catalogue, "Another", url="playbooks.md"))


def test_a_fragment_chooses_between_two_sections_of_the_same_alert(tmp_path: Path) -> None:
    text = "".join(
        f"## {n}\n\n1. Do {i}.\n\n" for i, n in enumerate(["DiskFull"] * 2 + ["NodeBad"])
    )
    catalogue = load(tmp_path, playbooks=f"# P\n\n{text}")

    said = [shown(message(catalogue, "DiskFull", url=f"playbooks#diskfull{n}")) for n in ("", "-1")]
    assert ["Do 0." in said[0], "Do 1." in said[1]] == [True, True]
    assert ["Do 1." in said[0], "Do 0." in said[1]] == [False, False]


@pytest.mark.parametrize("heading", ["RootCause", "PostgreSQL", "APIs", "Steps", "Redis"])
def test_words_in_mixed_case_are_not_alerts(heading: str) -> None:
    text = f"# P\n\n## {heading}\n\n1. Do.\n\n## {heading}\n\n1. Do.\n"

    assert not parse_runbook(text, id="p", path="p.md").alerts


_NAMES = st.lists(
    st.sampled_from([f"Queue{a}{b}" for a in ("Disk", "Node", "Api") for b in ("Down", "Slow")]),
    min_size=2,
    unique=True,
)
_HEADINGS = st.sampled_from(["{}", "`{}`", "Alert: {}", "{} (page)", "{} {{#x-{}}}", "**{}**"])
_BODIES = st.sampled_from(
    [
        "1. Run {0}.\n",
        "Text about {0}.\n",
        "**Fix**\n\n1. Run {0}.\n",
        "{1} Diagnosis\n\n1. See {0}.\n\n{1} Mitigation\n\n```sh\nrun {0}\n```\n",
        "{1} How it scales\n\nOnly {0}.\n",
    ]
)


@given(
    names=_NAMES,
    heading=_HEADINGS,
    bodies=st.lists(_BODIES, min_size=6, max_size=6),
    level=st.integers(1, 4),
    intro=st.sampled_from(["", "# Playbooks\n\nRead this.\n\n", "# Alerts\n\n1. Breathe.\n\n"]),
    fragment=st.sampled_from(["", "#gone", "#alerts", "#playbooks", "#{}"]),
    missing=st.booleans(),
)
def test_no_message_has_the_steps_of_another_alert(
    tmp_path_factory: pytest.TempPathFactory,
    names: Sequence[str],
    heading: str,
    bodies: Sequence[str],
    level: int,
    intro: str,
    fragment: str,
    missing: bool,
) -> None:
    mark = "#" * (level + 1)
    written = names[:-1] if missing and len(names) > 2 else names
    text = intro + "".join(
        f"{mark} {heading.format(name, name.lower())}\n\n{body.format(f'M-{name}-M', mark + '#')}\n"
        for name, body in zip(written, bodies, strict=False)
    )
    catalogue = load(tmp_path_factory.mktemp("r"), playbooks=text)

    for name in names:
        said = shown(message(catalogue, name, url=f"playbooks.md{fragment.format(name)}"))
        others = [other for other in names if other != name and f"M-{other}-M" in said]
        assert not others
        assert name not in written or f"M-{name}-M" in said


@pytest.mark.parametrize(
    "line", ["## A-1\n", "## {#\n", "## " + "{" * 50 + "\n", "**Fix**\n\n", "## QueueDown\n\nx\n"]
)
def test_a_megabyte_of_headings_is_read_in_seconds(tmp_path: Path, line: str) -> None:
    catalogue = load(tmp_path, big=line * (900_000 // len(line) // 4))

    assert message(catalogue, "QueueDown", table="big#fix").runbooks
