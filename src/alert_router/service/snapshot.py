"""One consistent state of configuration, routing and runbooks, read from disk at once.

It is replaced whole or not at all; when to read it is the router's to say.
"""

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alert_router.config import Loaded, cross_check, load
from alert_router.config.model import Auth, Http, HttpLimits
from alert_router.deliver import Desk
from alert_router.deliver.policy import Schedule
from alert_router.enrich import select_runbook
from alert_router.model import BodyLimits
from alert_router.model.problem import Problem
from alert_router.notify.base import Notifier
from alert_router.notify.guard import Guard
from alert_router.outbox.model import Destination
from alert_router.pipeline import Receivers
from alert_router.runbook import Catalogue
from alert_router.service.watch import fingerprint
from alert_router.web.site import Credentials, Limits, State


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a reload replaces."""

    loaded: Loaded
    state: State
    desk: Desk
    schedule: Schedule
    notifiers: Mapping[Destination, Notifier]
    guard: Guard
    problems: tuple[Problem, ...]

    watched: tuple[Path, ...]
    seen: bytes  # the fingerprint of what is watched, from before it was read


def read(path: Path, previous: Snapshot | None = None) -> Snapshot:
    """The state on disk. Raises ProblemsError if it cannot be used; a runbook that cannot be
    read is a problem, and its previous version stays."""
    began = time.time()
    loaded = load(path)
    config = loaded.config
    watched = (*loaded.files, config.runbooks.path)
    seen = b"" if _changed_since(began, loaded.files) else fingerprint(watched)
    catalogue = Catalogue.load(config.runbooks.path, previous.state.catalogue if previous else None)
    decide = partial(
        select_runbook, table=loaded.table, catalogue=catalogue, default=loaded.default_runbook
    )
    notifiers = {
        Destination(receiver.name, notifier.identity): notifier
        for receiver in config.receivers
        for notifier in receiver.notifiers
    }
    names = {
        receiver.name: tuple(notifier.identity for notifier in receiver.notifiers)
        for receiver in config.receivers
    }
    http = config.http
    return Snapshot(
        loaded=loaded,
        state=State(
            receivers=Receivers(loaded.tree, names, config.severities.scale()),
            catalogue=catalogue,
            credentials=_credentials(http.auth),
            dedup_window=config.delivery.dedup_window,
            limits=Limits(http.max_body, http.body_timeout, _body_limits(http.limits)),
            choose=decide,
            external_url=http.external_url,
        ),
        desk=Desk(
            choose=decide,
            runbook=catalogue.get,
            external_url=external_url(http),
            scale=config.severities.scale(),
            limits=_body_limits(http.limits),
        ),
        schedule=Schedule(
            min_backoff=config.delivery.min_backoff,
            max_backoff=config.delivery.max_backoff,
            hold_backoff=config.delivery.hold_backoff,
            urgent_backoff=config.delivery.urgent_backoff,
            retry_after_cap=config.delivery.retry_after_cap,
        ),
        notifiers=notifiers,
        guard=Guard(config.delivery.private_destinations),
        problems=(
            *loaded.problems,
            *catalogue.problems,
            *cross_check(loaded, catalogue),
        ),
        watched=watched,
        seen=seen,
    )


def _changed_since(moment: float, files: tuple[Path, ...]) -> bool:
    """Whether one of the files may have changed while it was being read."""
    try:
        return any(file.stat().st_mtime >= moment - 1 for file in files)
    except OSError:
        return True


def external_url(http: Http) -> str:
    """Where people reach the pages: what is configured, else a guess that serves at home."""
    if http.external_url:
        return http.external_url.rstrip("/")
    anywhere = http.listen.host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
    host = socket.gethostname() if anywhere else http.listen.host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{http.listen.port}"


def _credentials(auth: Auth | None) -> Credentials:
    if auth is None:
        return Credentials()
    return Credentials(
        bearer=auth.bearer,
        username=auth.username,
        password=auth.password,
        protect=frozenset(auth.protect),
    )


def _body_limits(limits: HttpLimits) -> BodyLimits:
    return BodyLimits(
        alerts=limits.alerts, labels=limits.labels, name=limits.name, value=limits.value
    )
