"""What an alert would get, before it fires: its runbook and receivers, why, and the message of each
destination. Nothing is stored or sent."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs, urlencode

from aiohttp import web

from alert_router.deliver.compose import Unmade
from alert_router.model import Alert, AlertGroup, PayloadError
from alert_router.preview.decision import Decision, matchers_text, mismatch, reason
from alert_router.preview.messages import ShownMessage, make_previews, shown_message
from alert_router.preview.sample_alert import as_group, make_alert, make_group
from alert_router.redaction import clip
from alert_router.routing import EntryStep, Miss, RouteStep
from alert_router.runtime import Runtime
from alert_router.server.api import pairs
from alert_router.server.context import SITE
from alert_router.server.pages.context import PAGES
from alert_router.server.pages.people import FORM, NOT_OURS
from alert_router.server.pages.render import answer, page, page_of, short, top
from alert_router.server.requests import Busy, from_other_site, read_body

_MOST_BODY = 1024 * 1024  # bytes of a form
_MOST_LABELS_TEXT = 4_000  # characters
_LONGEST_LINK = 7_000  # characters: a request line of more than 8,190 bytes is refused
_MOST_KEPT = 100_000  # characters of the text that the form shows again
_MOST_DECISIONS = 10
_MOST_ROUTES = 50
_MOST_MESSAGES = 50
_SECONDS = 20.0  # for an explanation, of which no message is begun after
_RENDER_SECONDS = 10.0

_JSON = re.compile(r'\s{0,99}(?:\[|\{\s{0,99}["}])')
_NAME = re.compile(r"(?:^|[\s,{])(?P<name>[^\W\d][\w.:-]*)[ \t]{0,9}=[ \t]{0,9}")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_PLAIN = re.compile(r'[^\s",{}\\]+')


class NotExplained(Exception):
    """Why there is no explanation, for people, with the status of the answer."""

    def __init__(self, text: str, status: int = 400) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Question:
    """What to explain: a payload or the labels of one alert, as if posted to `receiver`, "" for no
    certain one. `text` is how the form shows it."""

    text: str = ""
    annotations: str = ""
    receiver: str = ""
    is_resolved: bool = False
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class TriedMatchers:
    """An entry of the runbook table or a route that was tried, with what it leads to, and for each
    matcher that does not match what it found. `depth` is that of the route."""

    matchers: str
    leads_to: str
    place: str
    is_match: bool
    is_result: bool
    misses: list[tuple[str, str]]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class ShownDecision:
    """The decision about an alert, and how many others of the payload get the same. `runbook_page`
    is the path of the runbook's page from the root, "" if it has none; `create` is the query of the
    page that creates one."""

    labels: list[tuple[str, str]]
    others: int
    runbook: str
    runbook_page: str
    section: str
    why: str
    problem: str
    entries: list[TriedMatchers]
    more_entries: int
    create: str
    receivers: tuple[str, ...]
    routes: list[TriedMatchers]
    more_routes: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that the page shows of a question."""

    decisions: list[ShownDecision]
    more_decisions: int
    messages: list[ShownMessage]
    more_messages: int


async def show(request: web.Request) -> web.Response:
    """GET /explain: with `label=NAME=VALUE`, as `/api/v1/resolve` takes it, the explanation."""
    try:
        question = _from_query(request)
        explanation = await _explain(request, question) if question.payload else None
    except NotExplained as error:
        return await _page(request, Question(), error=error)
    return await _page(request, question, explanation)


async def ask(request: web.Request) -> web.Response:
    """POST /explain: labels lead to the link that explains them; a payload is explained."""
    question = Question()
    try:
        with request.app[PAGES].budget.share() as share:
            http = request.app[SITE].runtime().config.http
            if from_other_site(request, http.external_url) or request.content_type != FORM:
                raise NotExplained(NOT_OURS, 403)
            most = min(http.max_body, _MOST_BODY)
            try:
                body = await read_body(request, most, http.body_timeout, share)
            except web.HTTPRequestEntityTooLarge:
                raise NotExplained(
                    f"This is over {most} bytes: use `alert-router preview`.", 413
                ) from None
            except web.RequestPayloadError:
                raise NotExplained("The form could not be read.") from None
            except (TimeoutError, Busy):
                raise NotExplained("The router is busy: try again.", 503) from None
            form = await request.app[PAGES].aside.run(_fields, body)
            text, receiver = form.get("what", ""), form.get("receiver", "")
            question = Question(text[:_MOST_KEPT], form.get("annotations", ""), receiver)
            if not _JSON.match(text):
                return web.Response(status=303, headers={"Location": _link(form)})
            question = Question(question.text, "", receiver, payload=text.encode())
            return await _page(request, question, await _explain(request, question))
    except NotExplained as error:
        return await _page(request, question, error=error)


def _fields(body: bytes) -> dict[str, str]:
    try:
        found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _link(form: Mapping[str, str]) -> str:
    """The link that explains the labels of a form, relative to the page."""
    query = [("label", f"{name}={value}") for name, value in _parsed(form.get("what", ""))]
    if not query:
        raise NotExplained("Write at least one label, such as alertname=HighErrorRate.")
    annotations = _parsed(form.get("annotations", ""))
    query += [("annotation", f"{name}={value}") for name, value in annotations]
    query += [(name, form[name]) for name in ("receiver", "status") if form.get(name)]
    link = f"./explain?{urlencode(query, errors='replace')}"
    if len(link) > _LONGEST_LINK:
        raise NotExplained("These labels are too long: paste a payload.", 413)
    return link


def _parsed(text: str) -> Iterator[tuple[str, str]]:
    """Labels as people paste them: `a=b c=d`, one per line, or as a series `{a="b", c="d"}`. A
    value ends where the next name begins."""
    if len(text) > _MOST_LABELS_TEXT:
        raise NotExplained("These labels are too long: paste a payload.", 413)
    at = 0
    while match := _NAME.search(text, at):
        at = match.end()
        if quoted := _QUOTED.match(text, at):
            at = quoted.end()
            try:
                yield match["name"], json.loads(quoted[0], strict=False)
            except ValueError:  # an escape that JSON does not have
                yield match["name"], quoted[0][1:-1]
            continue
        line = text.find("\n", at)
        next_ = _NAME.search(text, at)
        ends = [len(text), *([line] if line >= 0 else []), *([next_.start()] if next_ else [])]
        end = min(ends)
        yield match["name"], text[at:end].strip(" \t\r,}")
        at = end


def _from_query(request: web.Request) -> Question:
    query, limits = request.query, request.app[SITE].runtime().limits
    try:
        labels = pairs(query.getall("label", ()), "label", limits)
        annotations = pairs(query.getall("annotation", ()), "annotation", limits)
    except ValueError as error:
        raise NotExplained(f"{error}.") from None
    is_resolved = query.get("status") == "resolved"
    payload = b""
    if labels:
        alert = make_alert(labels, annotations, resolved=is_resolved)
        payload = json.dumps(make_group(alert).as_json()).encode()
    text, more = _written(labels, "\n"), _written(annotations, " ")
    return Question(text, more, query.get("receiver", ""), is_resolved, payload)


def _written(labels: Mapping[str, str], between: str) -> str:
    """Labels as `_parsed` reads them."""
    return between.join(
        f"{name}={value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)}"
        for name, value in labels.items()
    )


async def _page(
    request: web.Request,
    question: Question,
    explanation: Explanation | None = None,
    error: NotExplained | None = None,
) -> web.Response:
    make = partial(
        page,
        "explain.html",
        top(request),
        question=question,
        receivers=list(request.app[SITE].runtime().names),
        explanation=explanation,
        error=str(error or ""),
        is_link=request.method == "GET",
        live="",
    )
    text = await request.app[PAGES].aside.run(make)
    return answer(text, error.status if error else 200, scripts=True)


async def _explain(request: web.Request, question: Question) -> Explanation:
    runtime = request.app[SITE].runtime()
    try:
        async with asyncio.timeout(_SECONDS):
            return await request.app[PAGES].explaining.run(explain, question, runtime)
    except PayloadError as error:
        raise NotExplained(f"This is not an alert group: {error}") from None
    except Unmade as error:
        raise NotExplained(f"A message could not be rendered: {error}.", 500) from None
    except TimeoutError:
        raise NotExplained("This takes too long: use `alert-router preview`.", 503) from None


def explain(question: Question, runtime: Runtime) -> Explanation:
    """The explanation, with the code that decides and renders for real. Raises PayloadError, and
    Unmade if a message cannot be rendered."""
    receiver = question.receiver if question.receiver in runtime.names else ""
    raw = as_group(question.payload)
    group = AlertGroup.within(runtime.limits, raw)[0]
    same: dict[object, list[Alert]] = {}
    for alert in group.alerts:
        choice = runtime.choose(alert)
        receivers = runtime.tree.match(alert.matching_labels)
        same.setdefault((choice.runbook, choice.way, choice.entry, receivers), []).append(alert)
    alike = list(same.values())
    previews = make_previews(raw, runtime, receiver, seconds=_RENDER_SECONDS)
    return Explanation(
        [_decision(alerts, receiver, runtime) for alerts in alike[:_MOST_DECISIONS]],
        max(0, len(alike) - _MOST_DECISIONS),
        [shown_message(it) for it in previews[:_MOST_MESSAGES]],
        max(0, len(previews) - _MOST_MESSAGES),
    )


def _decision(alerts: Sequence[Alert], receiver: str, runtime: Runtime) -> ShownDecision:
    alert, table = alerts[0], runtime.loaded.table
    decision = Decision.of(alert, runtime)
    choice = decision.choice
    entries, more_entries = decision.telling()
    routes = [] if receiver else list(decision.routes)
    if len(routes) > _MOST_ROUTES:
        routes = [step for step in routes if step.matched]
    runbook = runtime.catalogue.get(choice.runbook) if choice.runbook else None
    whole = runbook and (runbook.parent or runbook)
    return ShownDecision(
        labels=[(clip(name, 100), clip(value, 300)) for name, value in alert.labels.items()][:64],
        others=len(alerts) - 1,
        runbook=(whole.title or whole.id) if whole else choice.runbook or "",
        runbook_page=page_of(runbook) if runbook else "",
        section=runbook.title if runbook and runbook.parent else "",
        why=reason(choice, table, short),
        problem=choice.problem or "",
        entries=[_entry(step) for step in entries],
        more_entries=more_entries,
        create=_create(alert) if choice.way == "none" and alert.name else "",
        receivers=(receiver,) if receiver else decision.receivers,
        routes=[_route(step) for step in routes[:_MOST_ROUTES]],
        more_routes=0 if receiver else len(decision.routes) - len(routes[:_MOST_ROUTES]),
    )


def _create(alert: Alert) -> str:
    return urlencode({"alert": clip(alert.name, 200)}, errors="replace")


def _entry(step: EntryStep) -> TriedMatchers:
    leads_to = step.entry.runbook or "none wanted"
    misses, place = _misses(step.misses), short(step.entry.place)
    return TriedMatchers(
        matchers_text(step.entry.matchers), leads_to, place, step.matched, step.matched, misses
    )


def _route(step: RouteStep) -> TriedMatchers:
    leads_to = step.receiver + (" (continue)" if step.route.continue_ else "")
    misses, place = _misses(step.misses), short(step.route.place)
    matchers, depth = matchers_text(step.route.matchers), len(step.path)
    return TriedMatchers(matchers, leads_to, place, step.matched, step.is_result, misses, depth)


def _misses(misses: Sequence[Miss]) -> list[tuple[str, str]]:
    return [(str(miss.matcher), clip(mismatch(miss), 300)) for miss in misses]
