"""A notification as the parts of a message, in the order in which they are read.

What is said, how much of it, and in which order detail is given up stands here once, for every
destination; how a part looks, and whether all fit, is each notifier's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from alert_router.markdown import Block, Inline, Text
from alert_router.model.severity import Grade
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import summary
from alert_router.notify.links import alerts as all_alerts
from alert_router.notify.links import links
from alert_router.notify.summary import one_line
from alert_router.runbook.model import Section, Step

_MAX_LABELS = 8
_MAX_VALUE = 120  # characters of a label's name or value
_MAX_LINE = 300  # characters of a headline, a title, a note
_MAX_NOTES = 5

_MORE = "…"  # behind a step of which only the runbook's page has the rest

RESENT = "Sent again: whether an earlier try arrived is not known."

Payload = TypeVar("Payload")


@dataclass(frozen=True, slots=True)
class Title:
    """The first line: the grade of what fires, and what it is called. Plain text."""

    grade: Grade
    text: str

    def __str__(self) -> str:
        """`CRITICAL: KubePodCrashLooping (2 firing)`."""
        return f"{self.grade.word}: {self.text}"


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert: what it says of itself, and the labels that tell it from others. Plain text,
    hostile."""

    text: str
    labels: tuple[tuple[str, str], ...]
    firing: bool

    def pairs(self, between: str = "  ") -> str:
        """`namespace=prod  pod=a-1`."""
        return between.join(f"{name}={value}" for name, value in self.labels)


@dataclass(frozen=True, slots=True)
class More:
    """How many alerts are not shown, and where all of them are: http or https, or empty."""

    count: int
    url: str = ""

    def __str__(self) -> str:
        return f"and {self.count} more"


@dataclass(frozen=True, slots=True)
class Message:
    """What a template says instead of the list of alerts."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about what is missing. Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class RunbookTitle:
    """Where a runbook begins: its title and page, where it comes from, and, where there is more
    than one answer, which alerts it is for. Plain text."""

    text: str
    url: str
    provenance: str
    about: str


@dataclass(frozen=True, slots=True)
class SectionTitle:
    """The heading of a section. Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Body:
    """What a section says before its first step."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step: its number, its first words, and what follows them if it is told in full."""

    number: int
    words: tuple[Inline, ...]
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Links:
    """Where to go from here: words and addresses, all http or https."""

    pairs: tuple[tuple[str, str], ...]


Part = (
    Title
    | AlertLine
    | More
    | Message
    | Note
    | RunbookTitle
    | SectionTitle
    | Body
    | StepLine
    | Links
)


def outline(notification: Notification, detail: Detail) -> Iterator[Part]:
    """The parts of a message that tells at most `detail`."""
    yield Title(summary.grade(notification), one_line(summary.title(notification), _MAX_LINE))
    yield from _alerts(notification, detail)
    yield from _notes(notification)
    for part in notification.runbooks:
        yield _runbook(part, notification)
        if detail > Detail.MINIMAL:
            for section in part.sections:
                yield from _section(section, detail)
    if found := links(notification):
        yield Links(tuple(found))


def fit(
    most: Detail,
    make: Callable[[Detail], Payload],
    fits: Callable[[Payload], bool],
) -> Payload:
    """The payload with the most detail that fits, from `most` down; the least detailed one where
    none does, for the caller to cut."""
    payload = make(most)
    for level in range(most - 1, Detail.MINIMAL - 1, -1):
        if fits(payload):
            break
        payload = make(Detail(level))
    return payload


def _alerts(notification: Notification, detail: Detail) -> Iterator[Part]:
    if notification.message is not None:
        yield Message(notification.message)
        return
    shown, more = summary.alerts(notification, detail)
    for alert in shown:
        labels = tuple(
            (one_line(name, _MAX_VALUE), one_line(value, _MAX_VALUE))
            for name, value in summary.labels(alert)[:_MAX_LABELS]
        )
        yield AlertLine(summary.line(alert, _MAX_LINE), labels, alert.firing)
    if more:
        group = notification.group
        yield More(more, all_alerts(group.external_url, group.group_labels))


def _notes(notification: Notification) -> Iterator[Part]:
    if notification.resent:
        yield Note(RESENT)
    for note in notification.notes[:_MAX_NOTES]:
        yield Note(one_line(note, _MAX_LINE))
    if not notification.runbooks:
        yield Note(summary.NO_RUNBOOK)
    elif notification.without_runbook:
        yield Note(one_line(summary.without_runbook(notification), _MAX_LINE))


def _runbook(part: RunbookPart, notification: Notification) -> RunbookTitle:
    return RunbookTitle(
        text=one_line(part.title, _MAX_LINE),
        url=part.url,
        provenance=one_line(summary.provenance(part), _MAX_LINE),
        about=one_line(summary.about(part, notification), 2 * _MAX_LINE),
    )


def _section(section: Section, detail: Detail) -> Iterator[Part]:
    yield SectionTitle(one_line(summary.heading(section), _MAX_LINE))
    if detail > Detail.TITLES and section.intro:
        yield Body(section.intro)
    for number, step in enumerate(section.steps, 1):
        yield _step(step, number, whole=summary.is_whole(number, detail))


def _step(step: Step, number: int, *, whole: bool) -> StepLine:
    first, rest = summary.opening(step)
    if not whole:
        more = f" {_MORE}" if rest and not step.title.endswith(_MORE) else ""
        return StepLine(number, (Text(step.title + more),))
    return StepLine(number, first.children if first else (Text(step.title),), rest)
