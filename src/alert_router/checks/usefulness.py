"""Whether the message for an alert says what there is to do, judged by the message itself.

Each runbook of a collection is enriched for an alert named like it, with the labels of
`SAMPLE_LABELS`, in the namespace that its commands name, and with default settings. A section has
something to do if it has a step, a list, a command, or more than a few words that are no TODO.

- `both`: Detection (or Investigation in its place) and Mitigation are in the message, each with
  something to do. `one-side`: only one of them. `other`: neither, but what comes in their place is
  not an introduction and has steps, lists or commands. `none`: no section, or nothing in it.
- A message *says* what to do with `both`; or with `one-side` or `other` if no other section of the
  file has steps or commands, unless it is about something else. It never does if the runbook has
  commands and none of them is in the message.
- The section of each alert counts as a runbook if its file is organized by alerts. Any text of more
  than a few words is something to do there.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from alert_router.enrich import (
    AlertLabels,
    Choice,
    FillOutcome,
    FoundPlaceholder,
    enrich,
    filling,
)
from alert_router.formats import NOT_READ
from alert_router.markdown import (
    Block,
    Code,
    CodeSpan,
    Heading,
    ListBlock,
    Paragraph,
    Strong,
    all_blocks,
    all_spans,
    plain,
    texts,
    to_text,
)
from alert_router.markdown.commandline import is_command
from alert_router.model import AlertGroup, Labels
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Notifier
from alert_router.notify.slack import SlackNotifier
from alert_router.runbook import Catalogue, Runbook, Section
from alert_router.runbook.sections import Headings

# Every label that alerts of kube-prometheus and its kin are about. An alert has some of them. `vm`,
# `clusteroperator`, `apiservice` and `unit` are what the label `name` means in some.
SAMPLE_LABELS: Labels = {
    "cluster": "prod-eu-1",
    "namespace": "prod",
    "pod": "api-7d9f8-abcde",
    "container": "api",
    "node": "node-3",
    "instance": "10.0.0.7:9100",
    "job": "api",
    "service": "api",
    "endpoint": "metrics",
    "deployment": "api",
    "replicaset": "api-7d9f8",
    "statefulset": "db",
    "daemonset": "agent",
    "job_name": "backup-28000000",
    "cronjob": "backup",
    "horizontalpodautoscaler": "api",
    "poddisruptionbudget": "api",
    "resourcequota": "compute",
    "ingress": "api",
    "persistentvolumeclaim": "data-db-0",
    "persistentvolume": "pvc-0b1c2d3e",
    "device": "sda1",
    "mountpoint": "/var",
    "vm": "vm-1",
    "clusteroperator": "dns",
    "apiservice": "v1beta1.metrics.k8s.io",
    "unit": "kubelet.service",
    "severity": "critical",
}

_NO_LABELS: Labels = MappingProxyType({})

Usefulness = Literal["both", "one-side", "other", "none"]
Content = Literal["absent", "empty", "steps", "list", "text", "wall"]
Shortcoming = Literal[
    "",
    "format-not-read",
    "unreadable",
    "several-alerts",
    "nothing-written",
    "nested-heading",
    "bold-heading",
    "heading-not-recognized",
    "no-headings",
    "left-out",
    "one-side-written",
    "neither-side-written",
]

# For people, by reason; "" where both sides are there, but none of the runbook's commands.
REASONS: Mapping[str, str] = {
    "format-not-read": "the format of the file is not read",
    "unreadable": "the file cannot be read, or is empty",
    "several-alerts": "one file for several alerts: the alert's own section is not in the message",
    "nothing-written": "the section is there, but says nothing",
    "nested-heading": "the section is below another section",
    "bold-heading": "the section begins with a bold line instead of a heading",
    "heading-not-recognized": "headings that are not recognized",
    "no-headings": "no headings",
    "left-out": "other sections have steps or commands that are not in the message",
    "one-side-written": "only prose, or only one side is written",
    "neither-side-written": "only prose, or nothing about what to do",
    "": "none of its commands is in the message",
}

_SIDES = {"Detection": ("Detection", "Investigation"), "Mitigation": ("Mitigation",)}
_ELSEWHERE = frozenset(
    ("Overview", "Severity", "Prerequisites", "Verification", "Communication", "Escalation")
) | {"Post-Incident"}
_INTRODUCTION = re.compile(
    r"overview|example|before|intro|prereq|about|background|purpose|contents?$|links|reference|"
    r"tl;?dr|meaning|summary|description|owner|metadata|"
    r"alert (?:definition|behaviour|behavior|rule)|"
    r"automation|metrics?$|services?$|dashboards?|dependencies|severit|recent changes|definitions|"
    r"see also|changelog|revision history|further (?:reading|info)|architecture|schedule",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"(?:\W|todo|tbd|tba|fixme|n/?a|none|wip|coming soon|to be (?:done|written|added)|"
    r"work in progress|no content|empty|section|add|here|insert|command needed)*+",
    re.IGNORECASE,
)
_FEW = 40  # characters; less is not an instruction
_MAX_ALERTS = 300  # of a file; each takes time in proportion to the whole file
_WALL = 600  # characters of prose without a list

_NO_COMMANDS = frozenset(("promql", "yaml", "json", "text", "sql", "go", "python"))
_PROMPT = re.compile(r"^\s*(?:[$#>]|\w[\w.@~:/-]{0,80}[$#%>])\s+")


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the message for one runbook says. `alert` is set for a section in a file for many.

    `has_steps`: both sides have steps. `is_wall`: a side is only prose, and long. `is_cut`: Slack's
    message no longer has every step in full. `commands`: which of the runbook's commands are in the
    message, "" if it has none. `reason` is why the state is not `both`. `unknown_headings` are
    the section headings that mean no standard section.
    """

    id: str
    alert: str
    state: Usefulness
    says: bool
    reason: Shortcoming = ""
    has_steps: bool = False
    is_wall: bool = False
    is_cut: bool = False
    commands: Literal["", "none", "some", "all"] = ""
    unknown_headings: tuple[str, ...] = ()
    placeholders: tuple[FoundPlaceholder, ...] = ()


@dataclass(slots=True)
class Summary:
    """Counts over assessments. `unread` are the files of formats that are not read, by suffix:
    each is a runbook that says nothing."""

    runbooks: int = 0
    says: int = 0
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    several_alerts: int = 0
    has_steps: int = 0
    is_wall: int = 0
    is_cut: int = 0
    placeholders: Counter[FillOutcome] = field(default_factory=Counter)
    in_commands: Counter[FillOutcome] = field(default_factory=Counter)
    not_filled: Counter[tuple[str, FillOutcome]] = field(default_factory=Counter)
    unknown_headings: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    @property
    def percent(self) -> float:
        """The share that says what to do; 0 without runbooks."""
        return 100 * self.says / self.runbooks if self.runbooks else 0.0

    @property
    def percent_filled(self) -> float:
        """The share of the placeholders that is filled; 0 without placeholders."""
        return _percent_filled(self.placeholders)

    @property
    def percent_filled_in_commands(self) -> float:
        """The share of the placeholders in commands that is filled; 0 without any."""
        return _percent_filled(self.in_commands)

    def add(self, it: Assessment) -> None:
        """Count an assessment."""
        self.runbooks += 1
        self.says += it.says
        self.states[it.state] += 1
        self.reasons[it.reason] += not it.says
        self.commands[it.commands] += it.commands != ""
        self.several_alerts += it.alert != ""
        self.has_steps += it.has_steps
        self.is_wall += it.is_wall
        self.is_cut += it.is_cut
        self.placeholders.update(found.outcome for found in it.placeholders)
        self.in_commands.update(found.outcome for found in it.placeholders if found.in_command)
        self.not_filled.update(
            (found.written, found.outcome)
            for found in it.placeholders
            if found.outcome is not FillOutcome.FILLED
        )
        if it.state != "both":
            headings = (" ".join(each.lower().split()) for each in it.unknown_headings)
            self.unknown_headings.update(list(dict.fromkeys(headings)))

    def add_unread(self, suffixes: Counter[str]) -> None:
        """Count files that are not read."""
        self.unread += suffixes
        self.runbooks += suffixes.total()
        self.states["unread"] += suffixes.total()
        self.reasons["format-not-read"] += suffixes.total()

    def __iadd__(self, other: "Summary") -> "Summary":
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


def _percent_filled(outcomes: Counter[FillOutcome]) -> float:
    total = outcomes.total()
    return 100 * outcomes[FillOutcome.FILLED] / total if total else 0.0


def unread(catalogue: Catalogue) -> Counter[str]:
    """The number of files in formats that are not read, by suffix."""
    known = {*catalogue.runbooks, *catalogue.broken}
    found: Counter[str] = Counter()
    for folder, _, files in os.walk(catalogue.root):
        for file in files:
            path = Path(folder, file).relative_to(catalogue.root)
            suffix = path.suffix.lower()
            found[suffix] += suffix in NOT_READ and path.with_suffix("").as_posix() not in known
    return +found


def assess(catalogue: Catalogue, id: str, labels: Labels = _NO_LABELS) -> Iterator[Assessment]:
    """The assessment of a runbook, or one for each alert if its file is organized by alerts.
    `labels` are those of the sample alert besides or instead of the usual ones."""
    runbook = catalogue.get(id)
    if runbook is None or not runbook.by_alerts:
        sample = _sample(catalogue, id, id.rpartition("/")[2], labels)
        yield assess_message(catalogue, id, sample)
        return
    for heading in runbook.alerts[:_MAX_ALERTS]:
        name = heading.names[0]
        chosen = catalogue.named(id, name)
        sample = _sample(catalogue, chosen, name, labels)
        yield assess_message(catalogue, chosen, sample, alert=name)


def _sample(catalogue: Catalogue, id: str, alert: str, labels: Labels) -> Labels:
    """The labels of an alert of this name, in the namespace that the runbook's commands name."""
    runbook = catalogue.get(id)
    namespace = filling(runbook).namespace() if runbook else ""
    return {
        **SAMPLE_LABELS,
        **({"namespace": namespace} if namespace else {}),
        **labels,
        "alertname": alert,
    }


def assess_message(catalogue: Catalogue, id: str, labels: Labels, alert: str = "") -> Assessment:
    """The assessment of the message for one alert with these labels that gets this runbook."""
    runbook = catalogue.get(id)
    if runbook is None:
        return Assessment(id, alert, "none", says=False, reason="unreadable")
    message = _message(catalogue, id, labels)
    sections = message.runbooks[0].sections
    state, sides = _state(runbook, sections)
    known = AlertLabels(labels)
    commands = _commands_shown(runbook, sections, known)
    shown_lines = {section.line for section in sections}
    held = any(_to_do(it) for it in runbook.own_sections if it.line not in shown_lines)
    unknown = [it.title for it in runbook.own_sections if not it.name and not it.reference]
    return Assessment(
        runbook.id,
        alert,
        state,
        says=state != "none" and commands != "none" and (state == "both" or not held),
        reason="" if state == "both" else _reason(runbook, sides, catalogue.headings, held=held),
        has_steps=all(content == "steps" for content in sides.values()),
        is_wall="wall" in sides.values(),
        is_cut=state != "none" and _is_cut(message),
        commands=commands,
        unknown_headings=tuple(plain(title).strip() for title in unknown),
        placeholders=tuple(filling(runbook).placeholders(known)),
    )


def _message(catalogue: Catalogue, id: str, labels: Labels) -> Notification:
    """What a notifier with default settings is given for one firing alert with this runbook."""
    alert = {
        "status": "firing",
        "labels": dict(labels),
        "annotations": {},
        "startsAt": "2026-01-01T00:00:00Z",
        "fingerprint": "0123456789abcdef",
    }
    group = AlertGroup.model_validate({"groupKey": "{}:{}", "status": "firing", "alerts": [alert]})
    fields = Notifier.model_fields
    return enrich(
        Notification(
            id="1",
            groups=("1",),
            receiver="oncall",
            notifier="slack",
            group=group,
            external_url="https://alerts.example.org",
        ),
        choose=lambda _alert: Choice(id, "name"),
        runbook=catalogue.get,
        firing_sections=fields["firing_sections"].default,
        resolved_sections=fields["resolved_sections"].default,
    )


def _state(runbook: Runbook, sections: Sequence[Section]) -> tuple[Usefulness, dict[str, Content]]:
    """The state of a message with these sections, and what it has on each side."""
    sides = {
        side: _content([section for section in sections if section.name in names])
        for side, names in _SIDES.items()
    }
    good = sum(content not in ("absent", "empty") for content in sides.values())
    state: Usefulness = ("none", "one-side", "both")[good]
    if state == "none":
        is_own = runbook.parent is not None and len(to_text(_all_blocks(sections))) >= _FEW
        state = "other" if is_own or any(map(_instead, sections)) else "none"
    return state, sides


def _content(sections: Sequence[Section]) -> Content:
    if not sections:
        return "absent"
    steps = [step for section in sections for step in section.steps]
    if steps:
        return (
            "empty"
            if _is_empty("".join(it.title + to_text(it.blocks) for it in steps))
            else "steps"
        )
    blocks = [block for section in sections for block in section.intro]
    text = to_text(blocks)
    if _is_empty(text):
        return "empty"
    if any(isinstance(block, ListBlock | Code) for block in blocks):
        return "list"
    return "wall" if len(text) > _WALL else "text"


def _is_empty(text: str) -> bool:
    text = text.strip()
    return len(text) < _FEW / 2 or _EMPTY.fullmatch(text) is not None


def _is_elsewhere(section: Section) -> bool:
    """Whether it is about something else than what to do."""
    title = section.name or plain(section.title)
    is_named = section.name in _ELSEWHERE or _INTRODUCTION.search(title) is not None
    return section.reference or is_named


def _to_do(section: Section) -> bool:
    return not _is_elsewhere(section) and bool(
        section.steps or next(commands_in(_all_blocks([section])), None)
    )


def _instead(section: Section) -> bool:
    """Whether a section that is shown in the place of both sides says what to do."""
    blocks = _all_blocks([section])
    text = to_text(blocks).strip()
    if _is_elsewhere(section) or _EMPTY.fullmatch(text):
        return False
    if len(text) < _FEW / 2:
        return bool(section.steps)
    return bool(section.steps) or any(isinstance(block, ListBlock | Code) for block in blocks)


def _commands_shown(
    runbook: Runbook, sections: Sequence[Section], labels: AlertLabels
) -> Literal["", "none", "some", "all"]:
    """How many of the commands, filled, are in the message."""
    prepared = filling(runbook)
    own = runbook.own_sections
    if own:
        filled = [prepared.section(it, labels) for it in own if not _is_elsewhere(it)]
        there = set(commands_in(_all_blocks(filled)))
    else:
        there = set(commands_in(prepared.blocks(runbook.blocks, labels)))
    kept = there & set(commands_in(_all_blocks(sections)))
    if not there:
        return ""
    return "all" if kept == there else "some" if kept else "none"


def commands_in(blocks: Iterable[Block]) -> Iterator[str]:
    """The command lines in code blocks and inline code, without prompts."""
    for block in all_blocks(blocks):
        if isinstance(block, Code) and block.language not in _NO_COMMANDS:
            for line in block.text.splitlines():
                if is_command(line):
                    yield " ".join(_PROMPT.sub("", line).split())
        for span in all_spans(chain.from_iterable(texts(block))):
            if isinstance(span, CodeSpan) and " " in span.text.strip() and is_command(span.text):
                yield " ".join(span.text.split())


def _is_cut(message: Notification) -> bool:
    slack = SlackNotifier.model_construct(type="slack")
    steps = sum(len(section.steps) for section in message.runbooks[0].sections)
    return steps > 2 and slack.render(message, Detail.FULL) == slack.render(
        message, Detail.FIRST_STEPS
    )


def _reason(
    runbook: Runbook, sides: Mapping[str, Content], known: Headings, *, held: bool
) -> Shortcoming:
    """The likeliest reason, by what a reader finds in the file."""
    if runbook.by_alerts:
        return "several-alerts"
    wanting = [side for side, content in sides.items() if content in ("absent", "empty")]
    if all(sides[side] == "empty" for side in wanting):
        return "nothing-written"
    own = {section.name for section in runbook.sections}
    headings = [plain(it.children) for it in runbook.blocks if isinstance(it, Heading)]
    if any(side in wanting and side not in own for side in known.names(headings)):
        return "nested-heading"
    if any(side in wanting for side in known.names(list(_bold_lines(runbook.blocks)))):
        return "bold-heading"
    if not runbook.sections:
        return "no-headings"
    if any(not it.name and len(to_text(_all_blocks([it]))) >= _FEW for it in runbook.sections):
        return "heading-not-recognized"
    if held:
        return "left-out"
    return "one-side-written" if len(wanting) == 1 else "neither-side-written"


def _bold_lines(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        if (
            isinstance(block, Paragraph)
            and block.children
            and isinstance(block.children[0], Strong)
        ):
            yield plain(block.children[:1]).strip().rstrip(":")


def _all_blocks(sections: Iterable[Section]) -> list[Block]:
    return [
        block
        for section in sections
        for blocks in (section.intro, *(step.blocks for step in section.steps))
        for block in blocks
    ]
