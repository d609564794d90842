"""A notification as the parts of a message, in reading order, the same for every destination: what
a message says, how much of it, and in which order detail is given up."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import compress
from typing import TypeVar

from alert_router.fields import is_web_url
from alert_router.markdown import Block, Inline, Text
from alert_router.model import Alert
from alert_router.model.severity import Grade
from alert_router.notification import Detail, Notification, RunbookPart
from alert_router.notify import links, wording
from alert_router.notify.wording import one_line
from alert_router.runbook.model import Section, Step
from alert_router.runbook.sections import heading

_MAX_LABELS = 16
_MAX_DIFFERING = 12
# Characters of a description, and about how many of all together: steps need the room.
_MAX_TEXT, _MIN_TEXT, _ALL_TEXTS = 500, 120, 1500
_MAX_VALUE = 120  # characters of a label's name or value
_MAX_LINE = 300  # characters of a headline, a title, a note
_MAX_NOTES = 5
_MINUTE = 60  # seconds

_MORE = "…"  # after a step of which only the runbook page has the rest
_CONTINUED = " (continued)"
_FEW_STEPS = 3  # of a section that does not push the next one far down

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
class Mention:
    """Whom to mention, in the destination's own markup: words of the operator, not of an alert."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class When:
    """When an alert began, and ended; `now` is the time that its duration is shown for. UTC."""

    start: datetime | None = None
    end: datetime | None = None
    now: datetime | None = None

    def __str__(self) -> str:
        """`since 10:00 UTC (2h)`, with the date if it is not that of `now`."""
        if self.start is None:
            return ""
        if self.end is not None:
            return f"{self._clock(self.start)} to {self._clock(self.end)} UTC"
        lasted = self.now and wording.duration(self.start, _whole_minutes(self.start, self.now))
        return f"since {self._clock(self.start)} UTC" + (f" ({lasted})" if lasted else "")

    def _clock(self, moment: datetime) -> str:
        is_today = self.now is not None and moment.date() == self.now.date()
        return moment.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")


def _whole_minutes(start: datetime, end: datetime) -> datetime:
    """The end without the seconds of a duration of a minute or more."""
    seconds = int((end - start).total_seconds())
    return end if seconds < _MINUTE else start + timedelta(seconds=seconds - seconds % _MINUTE)


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert: its summary (empty if the group shares it), the labels that identify it, its
    description, when it began, and what it measured. Plain text, hostile."""

    text: str
    labels: tuple[tuple[str, str], ...]
    firing: bool
    description: str = ""
    when: When = When()
    value: str = ""

    def pairs(self, between: str = "  ") -> str:
        """`namespace=prod  pod=a-1`."""
        return _pairs(self.labels, between)

    def lines(self, between: str = "  ") -> list[str]:
        """The summary or else the labels, then what else there is, a line each."""
        return [*filter(None, (self.text, self.pairs(between), self.description, self.facts()))]

    def facts(self, when: str = "") -> str:
        """`since 10:00 UTC (2h) · value 97.2`; `when` replaces the time."""
        return " · ".join(filter(None, (when or str(self.when), self.value)))


@dataclass(frozen=True, slots=True)
class CommonFacts:
    """What concerns all alerts of a group: texts, or labels that they share. Plain text,
    hostile."""

    texts: tuple[str, ...]
    labels: tuple[tuple[str, str], ...] = ()

    def pairs(self, between: str = "  ") -> str:
        """`cluster=eu1  job=node`."""
        return _pairs(self.labels, between)

    def lines(self, between: str = "  ") -> list[str]:
        """The texts, and the labels on one line."""
        return [*self.texts, *([f"All: {self.pairs(between)}"] if self.labels else [])]


def _pairs(labels: tuple[tuple[str, str], ...], between: str) -> str:
    return between.join(f"{name}={value}" for name, value in labels)


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
    """A step: its number, its first words, and what follows them if it is shown in full; the
    standard name of its section, and the step that it shows."""

    number: int
    words: tuple[Inline, ...]
    blocks: tuple[Block, ...]
    section: str
    step: Step


@dataclass(frozen=True, slots=True)
class Links:
    """Links: words and URLs, all http or https."""

    pairs: tuple[tuple[str, str], ...]


OutlinePart = (
    Title
    | Mention
    | CommonFacts
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


# What a short reply to a message that was changed consists of.
REPLIED = (Title, Mention, CommonFacts, AlertLine, More)


def outline(notification: Notification, detail: Detail) -> Iterator[OutlinePart]:
    """The parts of a message with at most `detail`."""
    yield Title(wording.grade(notification), one_line(wording.title(notification), _MAX_LINE))
    if notification.mentions:
        yield Mention(notification.mentions)
    if notification.progress:
        yield CommonFacts((one_line(notification.progress, _MAX_LINE),))
    yield from _alerts(notification, detail)
    yield from _notes(notification)
    for part in notification.runbooks:
        yield _runbook(part, notification)
        if detail > Detail.MINIMAL:
            yield from _sections(part.sections, detail)
    if found := links.links(notification):
        yield Links(tuple(found))


def all_links(parts: Iterable[OutlinePart]) -> list[tuple[str, str]]:
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


def _alerts(notification: Notification, detail: Detail) -> Iterator[OutlinePart]:
    if notification.message is not None:
        yield TemplateText(notification.message)
        return
    group = notification.group
    shown, more = wording.alerts(notification, detail)
    texts = [_texts(alert, len(shown), detail) for alert in shown]
    # What all alerts say alike is said once, the most telling labels of each come first.
    same = [len(shown) > 1 and len(set(column)) == 1 for column in zip(*texts, strict=True)]
    names = wording.differing(group)[:_MAX_DIFFERING]
    if same[0] and names and (about := tuple(filter(None, compress(texts[0], same)))):
        yield CommonFacts(about)
    for alert, (summary, description) in zip(shown, texts, strict=True):
        labels = _short(
            [(name, alert.labels[name]) for name in names if name in alert.labels]
            if len(group.alerts) > 1
            else wording.labels(alert, notification.telling)[:_MAX_LABELS]
        )
        yield AlertLine(
            text=wording.line(alert, "" if same[0] and labels else summary),
            labels=labels,
            firing=alert.firing,
            description="" if same[0] and names and same[1] else description,
            when=When(alert.started, alert.ended, notification.composed_at),
            value=wording.value(alert),
        )
    if more:
        yield More(more, links.alerts(group))
    if len(group.alerts) > 1 and (labels := _short(wording.shared(group)[:_MAX_LABELS])):
        yield CommonFacts((), labels)


def _texts(alert: Alert, shown: int, detail: Detail) -> tuple[str, str]:
    """An alert's summary and, with enough detail, its description, shorter among many alerts."""
    summary, description = wording.texts(alert)
    limit = min(_MAX_TEXT, max(_MIN_TEXT, _ALL_TEXTS // shown)) if detail > Detail.MINIMAL else 0
    return one_line(summary, _MAX_LINE), one_line(description, limit) if limit else ""


def _short(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((one_line(name, _MAX_VALUE), one_line(value, _MAX_VALUE)) for name, value in pairs)


def _notes(notification: Notification) -> Iterator[OutlinePart]:
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


def _sections(sections: Sequence[Section], detail: Detail) -> Iterator[OutlinePart]:
    """The sections in order. In a long message the first step of each comes before all others."""
    is_long = any(len(section.steps) > _FEW_STEPS for section in sections[:-1])
    if detail is not Detail.FIRST_STEPS or not is_long:
        for section in sections:
            yield from _section(section, detail)
        return
    for section in sections:
        yield SectionTitle(one_line(heading(section), _MAX_LINE))
        if section.steps:
            yield _step(section, 1, detail)
        else:
            yield Body(section.intro)
    for section in sections:
        if (section.intro and section.steps) or len(section.steps) > 1:
            yield from _section(section, detail, start=2)


def _section(section: Section, detail: Detail, start: int = 1) -> Iterator[OutlinePart]:
    """A section, its steps from the number `start` on."""
    more = _CONTINUED if start > 1 else ""
    yield SectionTitle(one_line(heading(section), _MAX_LINE) + more)
    if detail > Detail.TITLES and section.intro:
        yield Body(section.intro)
    for number in range(start, len(section.steps) + 1):
        yield _step(section, number, detail)


def _step(section: Section, number: int, detail: Detail) -> StepLine:
    step = section.steps[number - 1]
    first, rest = wording.opening(step)
    if not wording.is_whole(number, detail):
        more = f" {_MORE}" if rest and not step.title.endswith(_MORE) else ""
        return StepLine(number, (Text(step.title + more),), (), section.name, step)
    words = first.children if first else (Text(step.title),)
    return StepLine(number, words, rest, section.name, step)
