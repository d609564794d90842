"""Which alerts have a runbook, of those that came in and of those that rules define, the ones
without first; and the skeleton of a runbook for those."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import floor
from urllib.parse import urlencode

from aiohttp import web

from alert_router.alert_stats import Observed, ObservedAlert
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import KEPT_DAYS, OTHERS
from alert_router.runbook import Catalogue
from alert_router.runbook.generate import check_id, id_for, routing_entry, scaffold
from alert_router.runtime import Runtime
from alert_router.server.api import RECENT
from alert_router.server.context import SITE
from alert_router.server.pages.context import PAGES
from alert_router.server.pages.render import answer, page, page_of, top
from alert_router.server.rule_coverage import RuleAlert, RuleReport

_MOST_LISTED = 500
_MOST_NAME = 300  # characters of an alert's name
_ORDER = ("uncovered", "covered", "none-wanted")
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    """An alert name with its counts, and its runbook with the path of its page from the root.
    `create` and `explain` are the queries of the pages that create a runbook and explain it."""

    name: str
    state: str
    notified: int
    received: int
    last: str
    runbook: str
    runbook_page: str
    create: str
    explain: str


async def show(request: web.Request) -> web.Response:
    """GET /coverage: the alert names of the last 30 days."""
    site = request.app[SITE]
    try:
        found = await request.app[RECENT].read(site)
    except StoreUnavailable:
        return answer(page("error.html", top(request), text="The store cannot be read."), 503)
    make = partial(_page, found, site.runtime().catalogue, top(request))
    return answer(await request.app[PAGES].aside.run(make), scripts=True)


def _page(found: Observed, catalogue: Catalogue, root: str) -> str:
    ranked = sorted(found.alerts, key=lambda it: _ORDER.index(it.state))  # keeps the rank within
    return page(
        "coverage.html",
        root,
        rows=[_row(alert, catalogue) for alert in ranked[:_MOST_LISTED]],
        more=max(0, len(ranked) - _MOST_LISTED),
        days=KEPT_DAYS,
        without=sum(it.state == "uncovered" for it in ranked),
        names=len(ranked),
        percent=_percent(found.totals.percent),
        live="",
    )


def _percent(share: float) -> str:
    return f"{floor(share * 10) / 10:g}"


def _row(alert: ObservedAlert, catalogue: Catalogue) -> ReceivedAlert:
    id_ = alert.choices[0].runbook
    runbook = catalogue.get(id_) if id_ else None
    may_create = alert.state == "uncovered" and alert.name not in ("", OTHERS)
    return ReceivedAlert(
        name=alert.name or "(no name)",
        state=alert.state,
        notified=alert.counts.notified,
        received=alert.counts.received,
        last=alert.last_seen.date().isoformat(),
        runbook=id_,
        runbook_page=page_of(runbook) if runbook else "",
        create=_create(alert.name) if may_create else "",
        explain=_explain(alert.name),
    )


def _create(name: str, severity: str = "") -> str:
    query = {"alert": name} | ({"severity": severity} if severity in _SEVERITIES else {})
    return urlencode(query, errors="replace")


def _explain(name: str, severity: str = "") -> str:
    labels = [("label", f"alertname={name}")]
    if severity in _SEVERITIES:
        labels.append(("label", f"severity={severity}"))
    return urlencode(labels, errors="replace")


# Rules


@dataclass(frozen=True, slots=True)
class RuleRow:
    """An alert that a rule defines, and the runbooks that it can get: the id, and the path of its
    page from the root."""

    alert: RuleAlert
    runbooks: list[tuple[str, str]]
    create: str
    explain: str


async def show_rules(request: web.Request) -> web.Response:
    """GET /coverage/rules: the alerts that the rule files in `checks.rules` define."""
    runtime, pages = request.app[SITE].runtime(), request.app[PAGES]
    report = RuleReport()
    if runtime.config.checks.rules:
        report = await pages.rule_coverage.read(runtime, pages.aside)
    made = await pages.aside.run(partial(_rules_page, report, runtime, top(request)))
    return answer(made, 503 if report.failure else 200, scripts=True)


def _rules_page(report: RuleReport, runtime: Runtime, root: str) -> str:
    return page(
        "coverage_rules.html",
        root,
        has_rules=bool(runtime.config.checks.rules),
        report=report,
        rows=[_rule_row(alert, runtime.catalogue) for alert in report.alerts],
        percent=_percent(report.totals.get("percent", 0)),
        live="",
    )


def _rule_row(alert: RuleAlert, catalogue: Catalogue) -> RuleRow:
    found = {id_: catalogue.get(id_) for id_ in alert.runbooks}
    may_create = alert.state in ("uncovered", "depends")
    return RuleRow(
        alert,
        runbooks=[(id_, page_of(it) if it else "") for id_, it in found.items()],
        create=_create(alert.name, alert.severity) if may_create else "",
        explain=_explain(alert.name, alert.severity),
    )


# The skeleton


async def new(request: web.Request) -> web.Response:
    """GET /coverage/new: what `runbook new` writes for `alert`, as a page, or with `download` as a
    file."""
    query, error = request.query, ""
    alert = query.get("alert", "")[:_MOST_NAME]
    id_ = query.get("id") or id_for(alert)
    try:
        check_id(id_)
    except ValueError as why:
        error, id_ = f"{id_[:_MOST_NAME]}: {why}.", id_for(alert)
    severity = query.get("severity", "")
    severity = severity if severity in _SEVERITIES else "warning"
    owner = query.get("owner", "")[:_MOST_NAME] or "TODO"
    alerts = [alert] if alert else []
    today = datetime.now(UTC).date()
    text = scaffold(id_, title="", alerts=alerts, severity=severity, owner=owner, today=today)
    if "download" in query and not error:
        return _file(id_, text)
    made = page(
        "new_runbook.html",
        top(request),
        alert=alert,
        id=id_,
        severity=severity,
        severities=_SEVERITIES,
        owner=owner,
        text=text,
        entry=routing_entry(id_, alerts) if alerts else "",
        exists=request.app[SITE].runtime().catalogue.get(id_) is not None,
        error=error,
        live="",
    )
    return answer(made, 400 if error else 200, scripts=True)


def _file(id_: str, text: str) -> web.Response:
    name = f"{id_.rpartition('/')[2]}.md"  # letters, digits, - and _
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    }
    return web.Response(text=text, content_type="text/markdown", charset="utf-8", headers=headers)
