"""Runbook pages, so that every link in a notification leads somewhere: the runbook, its commands
filled with the labels in the address, which alerts lead to it, and how it was used."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby, islice
from urllib.parse import quote

from aiohttp import web

from alert_router.alert_stats import Observed, ObservedAlert
from alert_router.enrich import AlertLabels, filling
from alert_router.markdown import Anchors, plain
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import ActionKind, Usage
from alert_router.preview.decision import matchers_text
from alert_router.runbook import Catalogue, Runbook
from alert_router.runbook.metadata import next_review
from alert_router.runbook.pictures import PictureFile, find_picture, is_picture
from alert_router.runtime import Runtime
from alert_router.server.api import RECENT
from alert_router.server.context import SITE
from alert_router.server.pages.context import PAGES
from alert_router.server.pages.episodes import clock
from alert_router.server.pages.render import (
    answer,
    beside,
    html,
    page,
    page_of,
    revision,
    short,
    steps_of,
    top,
)

_KEPT = 8 * 1024 * 1024  # characters of all pages that are kept
_MOST_LISTED = 50  # entries and alerts
_MOST_SECTIONS = 20  # of single alerts, whose use is shown
_MOST_STEPS = 500
_MOST_FIELDS = 20
_MOST_HEADINGS = 200
_PATIENCE = 3.0  # seconds that a page waits for counts
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class RunbookText:
    """What a page shows of a runbook and its routing: the HTML, the level, anchor and title of its
    headings, the labels that fill its commands, the matchers and places of the entries of the
    runbook table that lead to it, and how many more there are."""

    html: str
    headings: list[tuple[int, str, str]]
    fields: list[str]
    entries: list[tuple[str, str]]
    more_entries: int
    is_default: bool


@dataclass(slots=True)
class Rendered:
    """Pages of the catalogue in force, made once each and one at a time, in a thread: a long
    runbook takes a while, and who asks without end must not keep alerts from being accepted, nor
    others from what is made already."""

    catalogue: Catalogue | None = None
    texts: OrderedDict[str, RunbookText] = field(default_factory=OrderedDict)
    size: int = 0
    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    filling: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def text(
        self, catalogue: Catalogue, id_: str, make: Callable[[], RunbookText]
    ) -> RunbookText:
        """What is made of the runbook of that id."""
        if self.catalogue is catalogue and id_ in self.texts:
            self.texts.move_to_end(id_)
            return self.texts[id_]
        async with self.making:
            if self.catalogue is not catalogue:
                self.catalogue, self.size = catalogue, 0
                self.texts.clear()
            found = self.texts.get(id_)
            if found is None:
                found = self.texts[id_] = await asyncio.to_thread(make)
                self.size += len(found.html)
            self.texts.move_to_end(id_)
            while self.size > _KEPT and len(self.texts) > 1:
                self.size -= len(self.texts.popitem(last=False)[1].html)
            return found

    async def once(self, make: Callable[[], str]) -> str:
        """What is made, without keeping it."""
        async with self.filling:
            return await asyncio.to_thread(make)


RENDERED: web.AppKey[Rendered] = web.AppKey("rendered", Rendered)


async def to_index(_: web.Request) -> web.Response:
    """GET /runbooks: the index has a slash at its end, for its relative links."""
    raise web.HTTPFound("./runbooks/")


async def index(request: web.Request) -> web.Response:
    """GET /runbooks/: all runbooks by category."""
    catalogue = request.app[SITE].runtime().catalogue
    make = partial(_index, catalogue, top(request))
    return answer(await request.app[RENDERED].once(make), scripts=True)


def _index(catalogue: Catalogue, root: str) -> str:
    rows = sorted(catalogue.runbooks.values(), key=lambda runbook: runbook.id)
    groups = [
        (category, [(page_of(member), member) for member in members])
        for category, members in groupby(rows, key=lambda runbook: runbook.id.rpartition("/")[0])
    ]
    return page("index.html", root, groups=groups, broken=sorted(catalogue.broken), live="")


async def show(request: web.Request) -> web.StreamResponse:
    """GET /runbooks/{id}: one runbook, filled with the labels in the query, or a picture beside
    one. With `.md` at its end, as links between runbooks have it, the way is shown."""
    id_ = request.match_info["id"]
    catalogue = request.app[SITE].runtime().catalogue
    bare = id_.rstrip("/")
    runbook = catalogue.get(bare)
    if runbook is not None and id_.endswith("/") == runbook.is_index:
        return await _show(request, runbook)
    if runbook is None and is_picture(id_):
        picture = await request.app[PAGES].aside.run(find_picture, catalogue.root, id_)
        if picture is not None:
            return _picture(picture)
    if runbook is None and bare.endswith(".md"):
        runbook = catalogue.get(bare.removesuffix(".md"))
    if runbook is not None:
        # Only ids that the catalogue has get here, so that the target is always our own.
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        slash = "/" if runbook.is_index else ""
        raise web.HTTPFound(f"{top(request)}runbooks/{quote(runbook.id)}{slash}{query}")
    bare = bare.removesuffix(".md")
    near = sorted(key for key in catalogue.runbooks if key.endswith(bare.rpartition("/")[2]))
    text = page("missing.html", top(request), id=id_, near=near[:5], live="")
    return answer(text, status=404, scripts=True)


def _picture(picture: PictureFile) -> web.FileResponse:
    """The file under a policy that allows it nothing, should it be opened on its own."""
    headers = {
        "Content-Type": picture.media_type,
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "Cache-Control": "private, max-age=60",
    }
    return web.FileResponse(picture.path, headers=headers)


async def _show(request: web.Request, runbook: Runbook) -> web.Response:
    site, rendered = request.app[SITE], request.app[RENDERED]
    runtime = site.runtime()
    made = await rendered.text(runtime.catalogue, runbook.id, partial(_text, runbook, runtime))
    values = {name: request.query[name] for name in made.fields if request.query.get(name)}
    body = made.html
    if values:
        body = await rendered.once(lambda: _html(runbook, runtime, values))
    file = runbook.parent or runbook
    read = await _read_counts(request, file)

    def render() -> str:
        due = next_review(runbook.metadata)
        return page(
            "runbook.html",
            top(request),
            runbook=runbook,
            revision=revision(file),
            changed=_age(runtime.catalogue.modified(file.id)),
            due=due if due and due < datetime.now(UTC).date() else None,
            made=made,
            body=body,
            values=values,
            counts=None if read is None else _counts(file, runtime.catalogue, *read),
            clock=clock,
            live="",
        )

    return answer(await request.app[PAGES].aside.run(render), scripts=True)


def _html(runbook: Runbook, runtime: Runtime, values: Mapping[str, str]) -> str:
    """The runbook, filled if there are values."""
    blocks = runbook.blocks
    if values:
        labels = AlertLabels(values, runtime.label_rules)
        blocks = filling(runbook, rules=runtime.label_rules).blocks(blocks, labels)
    return html(blocks, beside, with_ids=True)


def _text(runbook: Runbook, runtime: Runtime) -> RunbookText:
    catalogue, loaded = runtime.catalogue, runtime.loaded
    file = (runbook.parent or runbook).id
    ids = {entry.runbook for entry in loaded.table.entries}
    leading = {id_ for id_ in ids if id_ and catalogue.file_of(catalogue.named(id_)) == file}
    entries = [
        (matchers_text(entry.matchers), short(entry.place))
        for entry in loaded.table.entries
        if entry.runbook in leading
    ]
    default = loaded.default_runbook
    return RunbookText(
        html=_html(runbook, runtime, {}),
        headings=[
            (heading.level, anchor, plain(heading.children))
            for anchor, heading in Anchors(runbook.blocks).items()
            if heading.level in (2, 3)
        ][:_MOST_HEADINGS],
        fields=filling(runbook, rules=runtime.label_rules).labels(runtime.label_rules)[
            :_MOST_FIELDS
        ],
        entries=entries[:_MOST_LISTED],
        more_entries=max(0, len(entries) - _MOST_LISTED),
        is_default=default is not None and catalogue.file_of(catalogue.named(default)) == file,
    )


def _age(changed: float | None) -> str:
    """`2026-11-23 10:04:12 UTC, 3 days ago`; "" if it is not known."""
    if changed is None:
        return ""
    days = int(max(0.0, time.time() - changed) // _DAY)
    ago = "today" if not days else f"{days} day{'' if days == 1 else 's'} ago"
    return f"{clock(changed)} UTC, {ago}"


@dataclass(frozen=True, slots=True)
class StepUse:
    """How often a step was done and was the one that helped, and after how many minutes it was
    done on average, "" if it never was."""

    title: str
    done: int
    fixed: int
    after: str


@dataclass(frozen=True, slots=True)
class RevisionUse:
    """What people did with a revision of a runbook."""

    revision: str
    done: int
    helped: int
    not_helped: int
    last_at: float


@dataclass(frozen=True, slots=True)
class RunbookCounts:
    """What the store counts of a runbook: the alerts that were received and led to it, the steps
    in their order if any was done, and the revisions, the one used last first."""

    alerts: list[ObservedAlert]
    steps: list[StepUse]
    revisions: list[RevisionUse]


_UsageOf = list[tuple[Runbook, list[Usage]]]


async def _read_counts(request: web.Request, file: Runbook) -> tuple[Observed, _UsageOf] | None:
    """What the store counts of a file; None if it does not answer soon: the runbook is shown
    anyway."""
    site = request.app[SITE]
    catalogue = site.runtime().catalogue
    parts = (catalogue.get(f"{file.id}#{it.anchor}") for it in file.alerts[:_MOST_SECTIONS])
    rows: _UsageOf = []
    try:
        async with asyncio.timeout(_PATIENCE):
            observed = await request.app[RECENT].read(site)
            for runbook in (file, *filter(None, parts)):
                used = partial(_usage, id_=runbook.id)
                rows.append((runbook, await site.ask(used)))
    except (StoreUnavailable, TimeoutError):
        return None
    return observed, rows


def _counts(
    file: Runbook, catalogue: Catalogue, observed: Observed, rows: _UsageOf
) -> RunbookCounts:
    alerts = [it for it in observed.alerts if catalogue.file_of(it.choices[0].runbook) == file.id]
    steps = [step for runbook, usage in rows if usage for step in _steps(runbook, usage)]
    revisions = _revisions([row for _, usage in rows for row in usage])
    return RunbookCounts(alerts[:_MOST_LISTED], steps, revisions)


async def _usage(store: Outbox, id_: str) -> list[Usage]:
    return await store.usage(id_)


def _steps(runbook: Runbook, usage: Sequence[Usage]) -> list[StepUse]:
    ticks: dict[str, list[Usage]] = {}
    fixed: Counter[str] = Counter()
    for row in usage:
        if row.kind is ActionKind.TICK:
            ticks.setdefault(row.step, []).append(row)
        elif row.kind is ActionKind.HELPED:
            fixed[row.step] += row.count
    found = []
    for key, title in islice(steps_of(runbook), _MOST_STEPS):
        done = sum(row.count for row in ticks.get(key, ()))
        seconds = sum(row.count * row.after for row in ticks.get(key, ()))
        after = f"{seconds / done / 60:.0f} min" if done else ""
        found.append(StepUse(title, done, fixed[key], after))
    return found


def _revisions(usage: Sequence[Usage]) -> list[RevisionUse]:
    by_revision: dict[str, list[Usage]] = {}
    for row in usage:
        by_revision.setdefault(row.revision, []).append(row)
    found = []
    for name, rows in by_revision.items():
        counts = {kind: sum(it.count for it in rows if it.kind is kind) for kind in ActionKind}
        found.append(
            RevisionUse(
                name,
                counts[ActionKind.TICK],
                counts[ActionKind.HELPED],
                counts[ActionKind.NOT_HELPED],
                max(row.last_at for row in rows),
            )
        )
    return sorted(found, key=lambda it: -it.last_at)[:_MOST_SECTIONS]
