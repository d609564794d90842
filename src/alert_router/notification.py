"""A notification: an alert group enriched with runbooks, independent of any destination."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from alert_router.markdown import Block
from alert_router.model import Alert, AlertGroup, Status
from alert_router.model.severity import STANDARD, Scale
from alert_router.runbook.model import Section


class Detail(IntEnum):
    """How much a rendering shows. To fit a limit, detail is reduced in this order."""

    MINIMAL = 0  # the alerts and a link
    TITLES = 1  # plus the titles of runbooks and steps
    FIRST_STEPS = 2  # plus the first step of each section in full
    FULL = 3  # plus all steps


@dataclass(frozen=True, slots=True)
class RunbookPart:
    """A runbook in a notification, with the alerts it is for.

    `sections` have their placeholders filled, in the order to show. `commands_for` is the alert
    whose labels are in the commands, if the alerts differ.
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

    `id` is the webhook id, the same when the same batch is sent again. `groups` are the ids of
    the accepted groups that it covers. `without_runbook` lists alerts without a runbook. `notes`
    are messages for readers, such as problems of enriching. `title` and `message` come from the
    notifier's templates, if any, and replace the title and the list of alerts. `scale` defines
    the severities and how they look. `composed_at` is the time that durations are shown for.
    `mentions` are whom the notifier mentions, in the destination's own markup. `telling` are names
    of labels that come first where the group has only one alert. `progress` says who has it and
    how many steps are done, in a name that anybody may have chosen. `actions` are words and URLs
    of links with which readers can act, `steps_left` keys and titles of steps that are not done.
    """

    id: str
    groups: tuple[str, ...]
    receiver: str
    notifier: str
    group: AlertGroup
    runbooks: tuple[RunbookPart, ...] = ()
    without_runbook: tuple[Alert, ...] = ()
    notes: tuple[str, ...] = ()
    composed_at: datetime | None = None
    resent: bool = False
    external_url: str = ""
    title: str = ""
    message: tuple[Block, ...] | None = None
    scale: Scale = STANDARD
    mentions: tuple[str, ...] = ()
    telling: tuple[str, ...] = ()
    progress: str = ""
    actions: tuple[tuple[str, str], ...] = ()
    steps_left: tuple[tuple[str, str], ...] = ()

    @property
    def status(self) -> Status:
        """Firing if any alert fires."""
        return self.group.status
