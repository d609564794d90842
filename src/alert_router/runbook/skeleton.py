"""The beginning of a new runbook: all sections, with TODO where somebody has to write.

Where the file goes is the command's; what it says is in `skeleton.md.jinja`.
"""

import re
from collections.abc import Sequence
from datetime import date

import yaml

from alert_router.runbook.parse import title_from
from alert_router.runbook.template import template

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def check_id(id: str) -> str:
    """The id of a new runbook. Raises ValueError with what is wrong with one that cannot be."""
    parts = id.split("/")
    if len(parts) < 2 or not all(_SEGMENT.fullmatch(part) for part in parts):
        raise ValueError(
            "expected CATEGORY/NAME of letters, digits, - and _, such as alerts/kafka-lag"
        )
    return id


def skeleton(
    id: str, *, title: str, alerts: Sequence[str], severity: str, owner: str, today: date
) -> str:
    """The page, Markdown. Alert names stand as code, and in PromQL as a string."""
    return _TEMPLATE.render(
        title=title or title_from(id),
        category=id.rpartition("/")[0],
        alerts=[" ".join(alert.replace("`", "'").split()) for alert in alerts],
        severity=severity,
        owner=owner,
        today=today.isoformat(),
    )


def _scalar(text: str) -> str:
    """A text as a YAML scalar on one line."""
    written = yaml.safe_dump(
        " ".join(text.split()), width=10**6, allow_unicode=True, default_flow_style=True
    )
    return written.removesuffix("\n...\n").strip()


def _heading(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", " ".join(text.split()))


def _string(text: str) -> str:
    """A text between the double quotes of PromQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


_TEMPLATE = template("skeleton.md.jinja", scalar=_scalar, heading=_heading, promql=_string)
