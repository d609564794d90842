"""One consistent state of configuration, routing and runbooks, and watching their files."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

import structlog
from watchfiles import awatch

from alert_router.config import Loaded, cross_check, load
from alert_router.config.model import Auth, Http, HttpLimits
from alert_router.deliver import Desk
from alert_router.deliver.policy import Schedule
from alert_router.enrich import select_runbook
from alert_router.model import BodyLimits
from alert_router.model.problem import Problem
from alert_router.notify.base import Notifier
from alert_router.notify.egress import Guard
from alert_router.outbox.model import Destination
from alert_router.receive import Receivers
from alert_router.runbook import Catalogue
from alert_router.server.context import Credentials, Limits, State

log = structlog.get_logger(__name__)

_POLL = 5.0  # seconds; a look costs a stat for each file
_DEBOUNCE = 400  # milliseconds: an editor or a sync writes several files in a row


def fingerprint(paths: Iterable[Path]) -> bytes:
    """What the files below the paths look like from outside: names, sizes, times.

    Equal fingerprints mean nothing to do; symbolic links are followed. What cannot be looked at,
    or goes meanwhile, is passed over. 16 bytes.
    """
    digest = blake2b(digest_size=16)
    for root in paths:
        for path in _at_and_below(root):
            try:
                stat = path.stat()
            except OSError:
                continue
            seen = f"{path}\0{stat.st_mtime_ns}\0{stat.st_size}\0{stat.st_ino}\n"
            digest.update(os.fsencode(seen))  # a name may be any bytes
    return digest.digest()


def _at_and_below(root: Path) -> Iterator[Path]:
    if not _is_directory(root):
        yield root
    for directory, folders, files in os.walk(root):
        folders.sort()
        yield from (Path(directory, name) for name in sorted(folders + files))


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # one that may not be looked at
        return False


async def changes(paths: Iterable[Path], seen: bytes) -> AsyncIterator[None]:
    """Yields each time that the paths' fingerprint is another than the last; the first is compared
    with `seen`, taken when the paths were read, so that no change falls between. Never ends."""
    paths = list(paths)
    async for _ in _ticks({path if _is_directory(path) else path.parent for path in paths}):
        now = await asyncio.to_thread(fingerprint, paths)
        if now != seen:
            seen = now
            yield


async def _ticks(directories: set[Path]) -> AsyncIterator[None]:
    """Whenever something may have changed: at once, at an event, or a while without one."""
    yield
    existing = [directory for directory in directories if _is_directory(directory)]
    if existing:
        try:
            async for _ in awatch(
                *existing,
                debounce=_DEBOUNCE,
                rust_timeout=int(_POLL * 1000),
                yield_on_timeout=True,
                recursive=True,
            ):
                yield
        except OSError as error:  # no inotify watches left: polling still serves
            log.warning("cannot watch directories; polling instead", error=str(error))
    while True:
        await asyncio.sleep(_POLL)
        yield


@dataclass(frozen=True, slots=True)
class Runtime:
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


def read_runtime(path: Path, previous: Runtime | None = None) -> Runtime:
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
    return Runtime(
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
