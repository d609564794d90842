"""The page of an alert group: its alerts, the steps of its runbooks filled with an alert's labels,
and what happened so far."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote, urlencode

from aiohttp import web

from alert_router.deliver.progress import Done, Episode, actions_in, read_episodes
from alert_router.enrich import ANNOTATIONS, AlertLabels, enrich, filling
from alert_router.model import Alert
from alert_router.notification import Notification, RunbookPart
from alert_router.notify import links, wording
from alert_router.notify.message import When
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import History
from alert_router.runbook.model import Runbook
from alert_router.runbook.pictures import is_picture
from alert_router.runbook.sections import heading as section_heading
from alert_router.runbook.sections import with_keys
from alert_router.runtime import Runtime
from alert_router.server.context import SITE
from alert_router.server.pages.context import PAGES, stream
from alert_router.server.pages.episodes import Event, clock, timeline
from alert_router.server.pages.people import person, remember
from alert_router.server.pages.render import (
    TONES,
    answer,
    html,
    page,
    page_of,
    part,
    revision,
    top,
    unless_known,
)

_MOST_ALERTS = 50
_MOST_LABELS = 64  # of an alert, shown
_MOST_STEPS = 1_000  # of a page
_MOST_EARLIER = 10
_LONGEST = 500  # characters of a value
_MOST_IN_URL = 4_000  # characters of an address
# The sections that come first while it fires, and once all is resolved.
_FIRST = (("Detection", "Mitigation"), ("Verification", "Post-Incident"))


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert as its page shows it. `choose` is what a link to the commands for it names, or
    empty; `chosen` if the commands are for it."""

    summary: str
    description: str
    facts: str
    firing: bool
    labels: list[tuple[str, str]]
    all: list[tuple[str, str]]
    choose: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step: its key, its title as written in the runbook, a heading if the body does not begin
    with it, and the body as HTML."""

    key: str
    title: str
    heading: str
    body: str


@dataclass(frozen=True, slots=True)
class ShownSection:
    """A section: title, HTML before the first step, steps."""

    title: str
    intro: str
    steps: list[ShownStep]


@dataclass(frozen=True, slots=True)
class ShownRunbook:
    """A runbook with its sections. `page` is the path of its page from the root."""

    id: str
    title: str
    page: str
    provenance: str
    about: str
    revision: str
    sections: list[ShownSection]
    more_steps: int

    @property
    def steps(self) -> list[ShownStep]:
        """All steps."""
        return [step for section in self.sections for step in section.steps]


@dataclass(frozen=True, slots=True)
class EarlierEpisode:
    """An earlier time: a group of it, when it began, how long it lasted, what was done."""

    id: str
    began: str
    lasted: str
    done: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """Everything that the page shows, the same for everybody. `explain` is the query of the page
    that explains an alert without a runbook."""

    id: str
    identity: bytes
    since: float
    title: str
    severity: str
    tone: str
    state: str
    is_over: bool
    alerts: list[ShownAlert]
    more_alerts: int
    shared_texts: tuple[str, ...]
    shared_labels: list[tuple[str, str]]
    links: list[tuple[str, str]]
    notes: tuple[str, ...]
    runbooks: list[ShownRunbook]
    without: str
    explain: str
    timeline: list[Event]
    earlier: list[EarlierEpisode]
    done: Done

    @property
    def progress(self) -> str:
        """`2 of 6 done`, or empty."""
        steps = [(it.id, step.key) for it in self.runbooks for step in it.steps]
        if not steps:
            return ""
        return f"{sum(step in self.done.ticks for step in steps)} of {len(steps)} done"

    def parts(self) -> dict[str, str]:
        """The parts of the page that change, as HTML, by id."""
        made = {
            "head": part("div", "head", view=self),
            "outcome": part("div", "outcome", view=self),
            "alerts": part("div", "alerts", view=self),
            "timeline": part("div", "timeline", view=self),
        }
        for runbook in self.runbooks:
            for step in runbook.steps:
                tick = self.done.ticks.get((runbook.id, step.key))
                made[f"step-{step.key}"] = part(
                    "li",
                    "step",
                    id_=f"step-{step.key}",
                    class_="done" if tick else "",
                    step=step,
                    tick=tick,
                    is_over=self.is_over,
                )
        return made


_KEPT_APART = (
    "The database cannot be used at present. What you do here is kept, but other routers show it"
    " only once it can be: tell the others in another way, too."
)
NOT_HERE = (
    "The database cannot be used at present. Groups that were accepted before are shown again once"
    " it can be."
)


async def show(request: web.Request) -> web.Response:
    """GET /groups/{id}: with `?alert=FINGERPRINT` the commands are for that alert."""
    id_, chosen, who = request.match_info["id"], request.query.get("alert", ""), person(request)
    try:
        view = await _view(request, id_, chosen)
    except StoreUnavailable:
        return answer(page("error.html", top(request), text="The store cannot be read."), 503)
    is_spooling = request.app[SITE].outbox.is_spooling
    if view is None and is_spooling:
        return answer(page("error.html", top(request), text=NOT_HERE), 503)
    if view is None:
        text = "There is no such alert group, or it was deleted after its time."
        return answer(page("error.html", top(request), text=text), 404)
    query = f"?alert={quote(chosen, safe='')}" if chosen else ""
    text = page(
        "group.html",
        top(request),
        view=view,
        parts=view.parts(),
        who=who,
        chosen=chosen,
        kept_apart=_KEPT_APART if is_spooling else "",
        live=f"groups/{id_}/live{query}",
    )
    made = unless_known(request, answer(text, scripts=True))
    remember(request, made, who)
    return made


async def live(request: web.Request) -> web.StreamResponse:
    """GET /groups/{id}/live: what changes on that page."""
    id_, chosen = request.match_info["id"], request.query.get("alert", "")

    site, pages = request.app[SITE], request.app[PAGES]
    known: tuple[History, Runtime, float] | None = None
    parts: dict[str, str] = {}

    async def make() -> dict[str, str]:
        nonlocal known, parts
        history = await site.ask(lambda store: store.history(id_))
        if history is None:
            return {}
        now, runtime = site.outbox.now(), site.runtime()
        shown = (history, runtime, now // 60)
        if known is None or known[1] is not runtime or shown != known:  # else it is the same
            view = await pages.aside.run(make_view, history, id_, chosen, runtime, now)
            parts = {} if view is None else await pages.aside.run(view.parts)
            known = shown
        return parts

    return await stream(request, ("group", id_, chosen), make)


async def _view(request: web.Request, id_: str, chosen: str) -> GroupView | None:
    """What the page shows now; None where the group is not kept or cannot be read."""
    site, pages = request.app[SITE], request.app[PAGES]
    history = await site.ask(lambda store: store.history(id_))
    if history is None:
        return None
    make = partial(make_view, history, id_, chosen, site.runtime(), site.outbox.now())
    return await pages.aside.run(make)


def make_view(
    history: History, id_: str, chosen: str, runtime: Runtime, now: float
) -> GroupView | None:
    """What the page shows at the time `now`; None where the body cannot be read."""
    now -= now % 60  # so that durations change once a minute
    episodes = read_episodes(history, runtime.limits)
    episode = next(it for it in episodes if any(moment.id == id_ for moment in it.moments))
    group = episode.latest
    if group is None:
        return None
    bare = Notification(
        id="",
        groups=(),
        receiver="",
        notifier="",
        group=group,
        without_runbook=group.alerts,
        composed_at=datetime.fromtimestamp(episode.ended or now, UTC),
        external_url=runtime.external_url,
        scale=runtime.scale,
    )
    told = enrich(
        bare,
        choose=runtime.choose,
        runbook=runtime.catalogue.get,
        firing_sections=(),
        resolved_sections=(),
        rules=runtime.label_rules,
    )
    actions = actions_in(episode, episodes, history)
    runbooks, alerts = _runbooks(told, chosen, runtime)
    grade = wording.grade(told)
    shown = (*group.firing, *group.resolved)[:_MOST_ALERTS]
    texts = {wording.texts(alert) for alert in shown}
    is_shared = len(shown) > 1 and len(texts) == 1
    return GroupView(
        id=id_,
        identity=history.identity,
        since=episode.began,
        title=wording.one_line(wording.title(told), 300),
        severity=grade.word,
        tone=TONES[grade.level],
        state=_state(episode, now),
        is_over=episode.ended is not None,
        alerts=[_alert(alert, told, alerts, is_shared) for alert in shown],
        more_alerts=max(0, len(group.alerts) - len(shown)) + group.truncated_alerts,
        shared_texts=tuple(filter(None, next(iter(texts)))) if is_shared else (),
        shared_labels=_clipped(wording.shared(group)) if len(group.alerts) > 1 else [],
        links=links.links(told),
        notes=told.notes,
        runbooks=runbooks,
        without=_names(told.without_runbook) if runbooks else "",
        explain=_explain(told.without_runbook[0]) if told.without_runbook else "",
        timeline=timeline(episode, history, actions),
        earlier=_earlier(episode, episodes, history),
        done=Done.of(actions),
    )


def _state(episode: Episode, now: float) -> str:
    if episode.ended is None:
        return f"firing for {_lasted(episode.began, now)}, since {clock(episode.began)} UTC"
    lasted = _lasted(episode.began, episode.ended)
    return f"resolved after {lasted}, at {clock(episode.ended)} UTC"


def _lasted(start: float, end: float) -> str:
    began, ended = (datetime.fromtimestamp(moment, UTC) for moment in (start, end))
    return wording.duration(began, ended) if end - start >= 60 else "less than a minute"


def _names(alerts: Sequence[Alert]) -> str:
    return wording.one_line(", ".join(dict.fromkeys(map(wording.name_of, alerts))), _LONGEST)


def _explain(alert: Alert) -> str:
    """The query that explains the alert, with what of it fits into an address."""
    own = alert.annotations
    pairs = [("label", f"{name}={value}") for name, value in alert.labels.items()]
    pairs += [("annotation", f"{name}={own[name]}") for name in ANNOTATIONS if own.get(name)]
    query = ""
    for name, value in pairs:
        more = urlencode({name: value[:_MOST_IN_URL]}, errors="replace")
        if len(value) < _MOST_IN_URL and len(query) + len(more) < _MOST_IN_URL:
            query = f"{query}&{more}" if query else more
    return query


def _clipped(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (wording.one_line(name, 100), wording.one_line(value, _LONGEST))
        for name, value in pairs[:_MOST_LABELS]
    ]


def _alert(
    alert: Alert, told: Notification, chosen: Sequence[Alert], is_shared: bool
) -> ShownAlert:
    group = told.group
    several = len(group.alerts) > 1
    names = wording.differing(group) if several else []
    pairs = [(name, alert.labels[name]) for name in names if name in alert.labels]
    summary, description = ("", "") if is_shared else wording.texts(alert)
    when = str(When(alert.started, alert.ended, told.composed_at))
    has_runbook = all(alert is not other for other in told.without_runbook)
    return ShownAlert(
        summary=wording.one_line(summary, 300),
        description=description,
        facts=" · ".join(filter(None, (when, wording.value(alert)))),
        firing=alert.firing,
        labels=_clipped(pairs if several else wording.labels(alert)),
        all=_clipped([*alert.labels.items(), *alert.annotations.items()]),
        choose=alert.fingerprint if several and has_runbook else "",
        chosen=several and any(alert is other for other in chosen),
    )


def _earlier(
    episode: Episode, episodes: Sequence[Episode], history: History
) -> list[EarlierEpisode]:
    found = []
    for other in reversed([it for it in episodes if it.began < episode.began]):
        actions = actions_in(other, episodes, history)
        lasted = f"for {_lasted(other.began, other.ended)}" if other.ended else ""
        done = Done.of(actions)
        titles = [tick.title for tick in done.ticks.values()]
        words = wording.one_line("; ".join(titles), 300)
        found.append(EarlierEpisode(other.moments[-1].id, clock(other.began), lasted, words))
    return found[:_MOST_EARLIER]


# Runbooks


def _runbooks(
    told: Notification, chosen: str, runtime: Runtime
) -> tuple[list[ShownRunbook], list[Alert]]:
    """The runbooks filled, and the alert that each is filled for: the chosen one, else the oldest
    that fires."""
    shown, alerts, left = [], [], _MOST_STEPS
    for it in told.runbooks:
        runbook = runtime.catalogue.get(it.id)
        if runbook is None:
            continue
        alert = _for(it, chosen)
        order = _FIRST[not told.group.firing]
        sections = list(_sections(runbook, it, alert, runtime, order, left))
        count = sum(len(section.steps) for section in sections)
        left -= count
        alerts.append(alert)
        about = _about(it, alert, told)
        shown.append(
            ShownRunbook(
                id=it.id,
                title=it.title,
                page=page_of(runbook),
                provenance=wording.provenance(it),
                about=about,
                revision=revision(runbook.parent or runbook),
                sections=sections,
                more_steps=sum(len(keys) for _, keys in with_keys(runbook, it.id)) - count,
            )
        )
    return shown, alerts


def _for(it: RunbookPart, chosen: str) -> Alert:
    firing = [alert for alert in it.alerts if alert.firing] or it.alerts
    oldest = min(firing, key=lambda alert: (alert.started is None, alert.started or 0))
    return next((alert for alert in it.alerts if alert.fingerprint == chosen), oldest)


def _about(it: RunbookPart, alert: Alert, told: Notification) -> str:
    if len(told.group.alerts) == 1:
        return ""
    which = f"{wording.name_of(alert)} {wording.subject(alert, told, 4)}".rstrip()
    return wording.one_line(f"commands are for {which}", _LONGEST)


def _sections(
    runbook: Runbook,
    it: RunbookPart,
    alert: Alert,
    runtime: Runtime,
    first_ones: tuple[str, ...],
    most: int,
) -> Iterator[ShownSection]:
    """The runbook's sections filled for the alert, the `first_ones` first, with at most so many
    steps."""
    sections = with_keys(runbook, it.id)
    sections.sort(key=lambda pair: pair[0].name not in first_ones)
    prepared = filling(runbook, it.url, runtime.label_rules)
    pages = f"{runtime.external_url}/runbooks/"

    def picture(url: str) -> str | None:  # relative links are resolved to it.url
        is_ours = url.startswith(pages) and is_picture(url)
        return f"../runbooks/{url.removeprefix(pages)}" if is_ours else None

    labels = AlertLabels(alert.labels, runtime.label_rules)
    for section, keys in sections:
        filled = prepared.section(section, labels, most)
        title = "" if section is runbook.lead else section_heading(filled)
        steps = []
        for key, written, step in zip(keys, section.steps, filled.steps):  # noqa: B905 - `most`
            first, rest = wording.opening(step)
            heading = "" if first is not None else step.title
            blocks = step.blocks if first is not None else rest
            steps.append(ShownStep(key, written.title, heading, html(blocks, picture)))
        most -= len(steps)
        yield ShownSection(title, html(filled.intro, picture), steps)
