"""A notification as the parts of a message, in reading order, the same for every destination: what
a message says, how much of it, and in which order detail is given up."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from alert_router.fields import is_web_url
from alert_router.markdown import Block, Inline, Text
from alert_router.model.severity import Grade
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import links, wording
from alert_router.notify.wording import one_line
from alert_router.runbook.model import Section, Step

_MAX_LABELS = 8
_MAX_VALUE = 120  # characters of a label's name or value
_MAX_LINE = 300  # characters of a headline, a title, a note
_MAX_NOTES = 5

_MORE = "…"  # after a step of which only the runbook page has the rest

RESENT = "Sent again: an earlier attempt may have arrived."

Payload = TypeVar("Payload")


@dataclass(frozen=True, slots=True)
class Title:
    """The first line: the worst severity that fires, and the alerts' name. Plain text."""

    grade: Grade
    text: str

    def __str__(self) -> str:
        """`CRITICAL: KubePodCrashLooping (2 firing)`."""
        return f"{self.grade.word}: {self.text}"


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert: its summary, and the labels that identify it. Plain text, hostile."""

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
class TemplateText:
    """The text of the notifier's template, instead of the list of alerts."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about the message, such as what is missing. Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class RunbookTitle:
    """The start of a runbook: its title and page, its id, date and owner, and, where alerts
    differ, which ones it is for. Plain text."""

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
    """The text of a section before its first step."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step: its number, its first words, and what follows them if it is shown in full."""

    number: int
    words: tuple[Inline, ...]
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Links:
    """Links: words and URLs, all http or https."""

    pairs: tuple[tuple[str, str], ...]


Part = (
    Title
    | AlertLine
    | More
    | TemplateText
    | Note
    | RunbookTitle
    | SectionTitle
    | Body
    | StepLine
    | Links
)


def outline(notification: Notification, detail: Detail) -> Iterator[Part]:
    """The parts of a message with at most `detail`."""
    yield Title(wording.grade(notification), one_line(wording.title(notification), _MAX_LINE))
    yield from _alerts(notification, detail)
    yield from _notes(notification)
    for part in notification.runbooks:
        yield _runbook(part, notification)
        if detail > Detail.MINIMAL:
            for section in part.sections:
                yield from _section(section, detail)
    if found := links.links(notification):
        yield Links(tuple(found))


def all_links(parts: Iterable[Part]) -> list[tuple[str, str]]:
    """Words and URL of the first runbook's page and of the links, http or https."""
    runbooks: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    for part in parts:
        if isinstance(part, RunbookTitle):
            runbooks.append(("Runbook", part.url))
        elif isinstance(part, Links):
            links += part.pairs
    return [(words, url) for words, url in (*runbooks[:1], *links) if is_web_url(url)]


def fit(
    most: Detail,
    make: Callable[[Detail], Payload],
    fits: Callable[[Payload], bool],
) -> Payload:
    """The payload with the most detail that fits, from `most` down; the least detailed one where
    none fits, for the caller to cut."""
    payload = make(most)
    for level in range(most - 1, Detail.MINIMAL - 1, -1):
        if fits(payload):
            break
        payload = make(Detail(level))
    return payload


def _alerts(notification: Notification, detail: Detail) -> Iterator[Part]:
    if notification.message is not None:
        yield TemplateText(notification.message)
        return
    shown, more = wording.alerts(notification, detail)
    for alert in shown:
        labels = tuple(
            (one_line(name, _MAX_VALUE), one_line(value, _MAX_VALUE))
            for name, value in wording.labels(alert)[:_MAX_LABELS]
        )
        yield AlertLine(wording.line(alert, _MAX_LINE), labels, alert.firing)
    if more:
        group = notification.group
        yield More(more, links.alerts(group.external_url, group.group_labels))


def _notes(notification: Notification) -> Iterator[Part]:
    if notification.resent:
        yield Note(RESENT)
    for note in notification.notes[:_MAX_NOTES]:
        yield Note(one_line(note, _MAX_LINE))
    if not notification.runbooks:
        yield Note(wording.NO_RUNBOOK)
    elif notification.without_runbook:
        yield Note(one_line(wording.without_runbook(notification), _MAX_LINE))


def _runbook(part: RunbookPart, notification: Notification) -> RunbookTitle:
    return RunbookTitle(
        text=one_line(part.title, _MAX_LINE),
        url=part.url,
        provenance=one_line(wording.provenance(part), _MAX_LINE),
        about=one_line(wording.about(part, notification), 2 * _MAX_LINE),
    )


def _section(section: Section, detail: Detail) -> Iterator[Part]:
    yield SectionTitle(one_line(wording.heading(section), _MAX_LINE))
    if detail > Detail.TITLES and section.intro:
        yield Body(section.intro)
    for number, step in enumerate(section.steps, 1):
        yield _step(step, number, whole=wording.is_whole(number, detail))


def _step(step: Step, number: int, *, whole: bool) -> StepLine:
    first, rest = wording.opening(step)
    if not whole:
        more = f" {_MORE}" if rest and not step.title.endswith(_MORE) else ""
        return StepLine(number, (Text(step.title + more),))
    return StepLine(number, first.children if first else (Text(step.title),), rest)
