"""Everything that a reload replaces, as one consistent value.

The server, the intake and the delivery ask for it when they begin with something, and finish that
with what they were given.
"""

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alert_router.config import Loaded, cross_check, load
from alert_router.config.model import Config, Http
from alert_router.config.web import WebFlags
from alert_router.enrich import Choice, LabelRules, select_runbook
from alert_router.model import Alert, BodyLimits
from alert_router.model.problem import Problem
from alert_router.model.severity import Scale
from alert_router.notify.base import Notifier
from alert_router.notify.egress import Guard
from alert_router.outbox.model import Destination
from alert_router.routing import RouteTree
from alert_router.runbook import Catalogue
from alert_router.watch import fingerprint, has_changed_since


@dataclass(frozen=True, slots=True)
class Runtime:
    """The configuration and what was made of it: the compiled tables, the runbooks, the notifiers.

    `names` are those of every receiver's notifiers; `limits`, `scale` and `label_rules` are the
    configuration's in the form that is applied; `external_url` is where people reach the pages,
    without a slash at its end; `seen` is the fingerprint of the `watched` files from before they
    were read.
    """

    loaded: Loaded
    catalogue: Catalogue
    notifiers: Mapping[Destination, Notifier]
    names: Mapping[str, tuple[str, ...]]
    scale: Scale
    label_rules: LabelRules
    limits: BodyLimits
    guard: Guard
    external_url: str
    problems: tuple[Problem, ...]
    watched: tuple[Path, ...]
    seen: bytes

    @property
    def config(self) -> Config:
        """The configuration as it is written."""
        return self.loaded.config

    @property
    def tree(self) -> RouteTree:
        """Which receivers an alert is routed to."""
        return self.loaded.tree

    def choose(self, alert: Alert) -> Choice:
        """Which runbook an alert has, and how that was decided."""
        return select_runbook(
            alert,
            table=self.loaded.table,
            catalogue=self.catalogue,
            default=self.loaded.default_runbook,
        )


def read_runtime(
    path: Path, previous: Runtime | None = None, flags: WebFlags | None = None
) -> Runtime:
    """What is on disk, and what flags replace of it. Raises ProblemsError if it cannot be used; a
    runbook that cannot be read is a problem, and its previous version stays."""
    flags = flags or WebFlags()
    began = time.time()
    loaded = flags.applied(load(path))
    config = loaded.config
    watched = (*loaded.files, config.runbooks.path)
    seen = b"" if has_changed_since(began, loaded.files) else fingerprint(watched)
    catalogue = Catalogue.load(
        config.runbooks.path,
        previous.catalogue if previous else None,
        config.runbooks.known_headings(),
    )
    limits = config.http.limits
    return Runtime(
        loaded=loaded,
        catalogue=catalogue,
        notifiers={
            Destination(receiver.name, notifier.identity): notifier
            for receiver in config.receivers
            for notifier in receiver.notifiers
        },
        names={
            receiver.name: tuple(notifier.identity for notifier in receiver.notifiers)
            for receiver in config.receivers
        },
        scale=config.severities.scale(),
        label_rules=config.runbooks.label_rules(),
        limits=BodyLimits(limits.alerts, limits.labels, limits.name, limits.value),
        guard=Guard(config.delivery.private_destinations),
        external_url=external_url(config.http, flags.route_prefix),
        problems=(
            *loaded.problems,
            *catalogue.problems,
            *cross_check(loaded.runbooks_named, catalogue),
        ),
        watched=watched,
        seen=seen,
    )


def external_url(http: Http, prefix: str = "") -> str:
    """Where people reach the pages: what is configured, else a guess that serves at home."""
    if http.external_url:
        return http.external_url.rstrip("/")
    anywhere = http.listen.host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
    host = socket.gethostname() if anywhere else http.listen.host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{http.listen.port}{prefix}"
