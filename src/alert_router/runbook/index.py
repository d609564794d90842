"""The index of a catalogue: the page that says which runbooks there are and how they are kept.

Made from the runbooks alone, so that the same runbooks always make the same page; what it says is
in `index.md.jinja`. Reading and writing the file is for the command.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from alert_router.runbook.catalogue import Catalogue
from alert_router.runbook.model import Runbook
from alert_router.runbook.review import next_review, parse_date, parse_interval
from alert_router.runbook.template import template

DEFAULT_INTERVAL = "90d"

_MARK = re.compile(
    r"<!-- alert-router runbook index(?:; audited (?P<day>\S+))?; audit every (?P<interval>\S+) -->"
)
_PURPOSE = {
    "alerts": "what to do when an alert fires",
    "incidents": "how to lead through an incident",
    "operations": "how to carry out planned work",
}


@dataclass(frozen=True, slots=True)
class Audit:
    """When all runbooks were last gone through together, and how often they are to be."""

    last: date | None = None
    interval: str = DEFAULT_INTERVAL

    @property
    def next(self) -> date | None:
        """When the next one is due; None before the first."""
        days = parse_interval(self.interval)
        return self.last + timedelta(days) if self.last and days else None


def audit_of(page: str) -> Audit:
    """The audit that an index tells of; of a page that is no index, none yet."""
    match = _MARK.search(page)
    if match is None:
        return Audit()
    interval = match["interval"] if parse_interval(match["interval"]) else DEFAULT_INTERVAL
    return Audit(parse_date(match["day"] or ""), interval)


def is_index(page: str) -> bool:
    """Whether a page was made by `index`, and may be made anew."""
    return _MARK.search(page) is not None


def index(catalogue: Catalogue, audit: Audit) -> str:
    """The page, Markdown."""
    runbooks = [_row(runbook) for _, runbook in sorted(catalogue.runbooks.items())]
    categories = Counter(row["category"] for row in runbooks)
    return _TEMPLATE.render(
        audit=audit,
        runbooks=runbooks,
        categories=[
            {"name": name, "purpose": _PURPOSE.get(name, ""), "count": count}
            for name, count in sorted(categories.items())
        ],
        severities=sorted(
            Counter(row["severity"].lower() or "not said" for row in runbooks).items()
        ),
    )


def _row(runbook: Runbook) -> dict[str, str]:
    told = {key: runbook.metadata.get(key, "") for key in ("severity", "last_updated", "owner")}
    due = next_review(runbook.metadata)
    return told | {
        "id": runbook.id,
        "title": runbook.title,
        "category": runbook.id.rpartition("/")[0],
        "next_review": str(due or ""),
    }


def _cell(text: str) -> str:
    """Text that can neither end its cell nor become markup of its own."""
    return re.sub(r"([\\`*_{}\[\]<>|&~])", r"\\\1", " ".join(text.split()))


def _target(id: str) -> str:
    """An id as the destination of a link."""
    return re.sub(r"[\s()<>\\%|#?]", lambda match: f"%{ord(match[0]):02X}", id)


_TEMPLATE = template("index.md.jinja", cell=_cell, target=_target)
