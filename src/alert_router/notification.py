"""A notification: an alert group enriched with runbooks, knowing nothing of any destination.

How it is made is `enrich`; how it looks is each notifier's own affair.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from alert_router.markdown import Block
from alert_router.model import Alert, AlertGroup, Status
from alert_router.model.severity import STANDARD, Scale
from alert_router.runbook.model import Section


class Detail(IntEnum):
    """How much a rendering tells, in the one order in which detail is given up."""

    MINIMAL = 0  # the alerts and a link
    TITLES = 1  # and the runbooks' titles and step titles
    FIRST_STEPS = 2  # and the first step of each section in full
    FULL = 3  # and every step


@dataclass(frozen=True, slots=True)
class RunbookPart:
    """A runbook as it stands in a notification, with the alerts it is for.

    `sections` have their placeholders filled, in the order in which they are to be shown.
    `commands_for` is the alert whose labels the commands carry, where the alerts differ.
    """

    id: str
    title: str
    url: str
    alerts: tuple[Alert, ...]
    sections: tuple[Section, ...] = ()
    commands_for: Alert | None = None
    owner: str = ""
    last_updated: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """What a notifier renders.

    `id` is the webhook id: stable over resends of the same batch. `groups` are the ids of the
    accepted groups it stands for. `without_runbook` lists alerts that no runbook is for.
    `notes` are sentences about trouble in enriching (a broken runbook), shown to people.
    `title` and `message`, where a template of the notifier's made them, stand for the title and
    for the list of the alerts; `scale` says which severities there are and how they look.
    """

    id: str
    groups: tuple[str, ...]
    receiver: str
    notifier: str
    group: AlertGroup
    runbooks: tuple[RunbookPart, ...] = ()
    without_runbook: tuple[Alert, ...] = ()
    notes: tuple[str, ...] = ()
    accepted_at: datetime | None = None
    resent: bool = False
    external_url: str = field(default="")
    title: str = ""
    message: tuple[Block, ...] | None = None
    scale: Scale = STANDARD

    @property
    def status(self) -> Status:
        """Firing while any alert fires."""
        return self.group.status
