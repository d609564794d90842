"""The router as a whole: an async context manager that starts, reloads and stops its parts."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from alert_router.alert_stats import AlertCounters, ReceivedAlerts
from alert_router.aside import Aside
from alert_router.config.web import WebFlags
from alert_router.deliver import DeliverContext, Deliverer
from alert_router.deliver.action_links import LinkKey
from alert_router.metrics import Metrics
from alert_router.model.problem import Place, Problem, ProblemsError
from alert_router.notify.base import Sending
from alert_router.notify.egress import AddressInfo, Resolver
from alert_router.outbox.base import Outbox, StoreEnded, StoreUnavailable
from alert_router.outbox.model import Fault, Role
from alert_router.outbox.opening import open_outbox
from alert_router.runtime import Runtime, read_runtime
from alert_router.server.app import build
from alert_router.server.connections import Listener, share
from alert_router.server.context import LastReload, ReloadResult, Site
from alert_router.server.heartbeat import Heartbeats
from alert_router.server.requests import Budget
from alert_router.server.slack_buttons import SlackButtons
from alert_router.server.status import LoopLag, StoreStatus
from alert_router.server.tasks import (
    Clock,
    keep_falling_back,
    keep_house,
    keep_time,
    look_up,
    write_counters,
)
from alert_router.server.web import WebServer
from alert_router.watch import changes

log = structlog.get_logger(__name__)

_AFTER_FAILURE = 5.0  # seconds
_CLOSING = 0.5  # seconds for the store at the end of a stop, however long that took
_BODIES = 24 * 1024 * 1024  # bytes of webhooks that are read and not yet stored


class Router:
    """A running router. Made by `running`."""

    def __init__(
        self, path: Path, runtime: Runtime, outbox: Outbox, metrics: Metrics, server: WebServer
    ) -> None:
        self.path = path
        self.runtime = runtime
        self.outbox = outbox
        self.metrics = metrics
        self.counters = AlertCounters()
        self._received = ReceivedAlerts(metrics, self.counters)
        self.ended = asyncio.Event()  # the store can do nothing any more: only a restart helps
        self._lag = LoopLag(self.metrics.loop_lag)
        self._store = StoreStatus(outbox, self.metrics)
        self._aside = Aside("intake")
        self._later: set[asyncio.Task[None]] = set()
        shares = share(runtime.config.http.max_connections)
        self._reloading = asyncio.Lock()
        self._resolver = Resolver()
        self._session = self._client(shares.opened)
        link_key = LinkKey(outbox)
        self.deliverer = Deliverer(
            DeliverContext(
                outbox,
                self._session,
                self.metrics,
                self.counters,
                runtime=lambda: self.runtime,
                resolve=self._resolver.resolve,
                link_key=link_key,
            )
        )
        config = runtime.config
        budget = Budget(max(_BODIES, 2 * config.http.max_body))
        self._heartbeats = Heartbeats(
            outbox, self.metrics, runtime=lambda: self.runtime, wake=self.deliverer.wake
        )
        self.site = Site(
            runtime=lambda: self.runtime,
            outbox=outbox,
            metrics=self.metrics,
            counters=self.counters,
            received=self._received,
            wake=self.deliverer.wake,
            deliver_now=self.deliverer.deliver_now,
            reload=self.reload,
            store_trouble=self._store.trouble,
            is_stalled=self._store.is_stalled,
            is_late=self._lag.is_late,
            budget=budget,
            aside=self._aside,
            link_key=link_key,
            later=self._do_later,
            beat=self._heartbeats.note,
            storage=config.storage,
            missing_heartbeats=lambda: self._heartbeats.missing,
        )
        self._server = server
        app = build(self.site, server)
        self._slack = SlackButtons(app, self._sending)
        self._listener = Listener(app, config.http, shares.accepted, server)
        self._tasks: list[asyncio.Task[None]] = []
        self._looking_up: asyncio.Task[None] | None = None

    def _client(self, connections: int) -> aiohttp.ClientSession:
        """The HTTP client for destinations, with so many connections; 0: no limit."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections,
                force_close=connections > 0,
                resolver=self._resolver,
                use_dns_cache=False,  # the resolver has one, which also serves what is stale
                socket_factory=self._open,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
        )

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, host and port; none before it is started."""
        return self._listener.addresses

    async def start(self) -> None:
        """Serve and deliver. Raises OSError if the address cannot be listened on."""
        await self._listener.open()
        self._take_over(self.runtime)
        with suppress(StoreUnavailable):
            await self._store.refresh()
        self._name_strangers()
        clock = Clock()
        self._tasks = [
            asyncio.create_task(persist(name, work))
            for name, work in {
                "store status": self._watch_store,
                "housekeeping": lambda: keep_house(
                    self.outbox, lambda: self.runtime, self.metrics, clock
                ),
                "clock": lambda: keep_time(self.outbox, clock),
                "counters": lambda: write_counters(self.counters, self.outbox),
                "falling back": lambda: keep_falling_back(
                    self.outbox, lambda: self.runtime, self.deliverer.wake, self.metrics
                ),
                "watching files": self._watch,
                "loop lag": self._lag.watch,
                "heartbeats": self._heartbeats.watch,
            }.items()
        ]
        log.info(
            "serving",
            addresses=[f"{host}:{port}" for host, port in self.addresses],
            runbooks=len(self.runtime.catalogue.runbooks),
            problems=len(self.runtime.problems),
        )
        self._warn_if_open()

    async def stop(self) -> None:
        """Not ready, intake closed, what is being sent finished within the deadline, the rest
        left in the store for the next start."""
        self.site.serving = False
        loop = asyncio.get_running_loop()
        seconds = self.runtime.config.delivery.shutdown_timeout
        deadline = loop.time() + seconds
        tasks = [*self._tasks, *([self._looking_up] if self._looking_up else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._slack.close(), return_exceptions=True)
        # Still listening meanwhile: who posts or probes now gets 503 rather than nothing.
        await self.deliverer.stop(seconds)
        await self._listener.close()
        await asyncio.gather(*self._later, return_exceptions=True)
        self._aside.close()
        await self._session.close()
        await self._resolver.close()
        try:
            async with asyncio.timeout_at(max(deadline, loop.time() + _CLOSING)):
                self._received.flush()
                await self.counters.write(self.outbox)
                await self.outbox.close()
        except TimeoutError:
            log.error("the store does not answer; it is left as it is")
        log.info("stopped")

    async def reload(self) -> ReloadResult:
        """Read everything again; if it cannot be used, the old state stays in force."""
        async with self._reloading:
            result = await self._reload()
            self.site.last_reload = LastReload(time.time(), result)
            return result

    async def _reload(self) -> ReloadResult:
        try:
            flags = self._server.flags
            fresh = await asyncio.to_thread(read_runtime, self.path, self.runtime, flags)
            await asyncio.to_thread(self._server.reload, fresh.config.http)
        except ProblemsError as error:
            return self._keep_old(error.problems)
        except Exception as error:  # a defect of ours must not end the watch
            log.exception("reload failed")
            sentence = f"the configuration could not be read: {type(error).__name__}"
            return self._keep_old((Problem("internal", sentence, Place(str(self.path))),))
        self._warn_of_restart(fresh)
        self._take_over(fresh)
        self._name_strangers()
        log.info(
            "reloaded",
            receivers=list(fresh.names),
            runbooks=len(fresh.catalogue.runbooks),
        )
        if fresh.catalogue.unavailable:
            log.error(
                "reload incomplete: runbook directory unavailable; keeping the old runbooks",
                directory=str(fresh.catalogue.root),
            )
            return ReloadResult(False, "reloaded, but kept the old runbooks", fresh.problems)
        return ReloadResult(True, "reloaded", fresh.problems)

    def _do_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Work that no answer waits for, finished before the stop."""
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._done_later)

    def _done_later(self, task: asyncio.Task[None]) -> None:
        self._later.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("work after an answer failed", exc_info=error)

    def _sending(self) -> Sending:
        """What notifiers send with outside of deliveries."""
        return Sending(self._session, "", guard=self.runtime.guard, resolve=self._resolver.resolve)

    def _open(self, info: AddressInfo) -> socket.socket:
        """A socket to a destination, if the configuration in force allows it."""
        return self.runtime.guard.open(info)

    def _take_over(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.deliverer.follow(runtime.notifiers)
        if self.site.serving:
            self._slack.follow(runtime)
        self._look_up(runtime)
        catalogue = runtime.catalogue
        self.metrics.runbooks_loaded.set(len(catalogue.runbooks))
        self.metrics.runbooks_broken.set(len(catalogue.broken))
        self.metrics.config_problems.set(len(runtime.problems))
        self.metrics.reload_successful.set(not catalogue.unavailable)
        if not catalogue.unavailable:
            self.metrics.reload_time.set_to_current_time()
        report(runtime.problems)

    def _look_up(self, runtime: Runtime) -> None:
        """See in the background whether the destinations can be reached by their names."""
        if self._looking_up is not None:
            self._looking_up.cancel()
        if not self.site.serving:
            return
        self._looking_up = asyncio.create_task(
            look_up(runtime.notifiers, runtime.guard, self._resolver.resolve, self.metrics)
        )

    def _keep_old(self, problems: tuple[Problem, ...]) -> ReloadResult:
        self.metrics.reload_successful.set(0)
        report(problems)
        log.error("reload failed; the old configuration stays in force")
        return ReloadResult(False, "kept the old configuration", problems)

    def _name_strangers(self) -> None:
        """Say what waits for destinations that the configuration does not have."""
        for row in self._store.backlog:
            if row.waiting and row.destination not in self.runtime.notifiers:
                log.warning(
                    "deliveries wait for a notifier that is not configured; they become dead"
                    " letters at max_age, and `deliveries replay --to` sends them elsewhere",
                    receiver=row.destination.receiver,
                    notifier=row.destination.notifier,
                    waiting=row.waiting,
                )

    def _warn_if_open(self) -> None:
        http = self.runtime.config.http
        beyond = [
            host for host, _ in self.addresses if not ip_address(host.partition("%")[0]).is_loopback
        ]
        is_open = http.auth is None or "webhook" not in http.auth.protect
        if beyond and is_open and not self._server.is_guarded:
            log.warning(
                "webhooks are accepted from everyone who reaches this address: set http.auth, or"
                " listen on 127.0.0.1",
                addresses=beyond,
            )

    def _warn_of_restart(self, fresh: Runtime) -> None:
        old, new = self.runtime.config, fresh.config
        if old.http.listen != new.http.listen or old.storage != new.storage:
            log.warning("http.listen and storage take effect at the next start only")

    async def _watch_store(self) -> None:
        try:
            await self._store.watch()
        except StoreEnded:
            self.ended.set()
            await asyncio.Future()  # nothing more to watch

    async def _watch(self) -> None:
        while True:
            runtime, web_files = self.runtime, self._server.watched
            watched = (*runtime.watched, *web_files)
            async for _ in changes(watched, runtime.seen + self._server.seen):
                await self.reload()
                if (*self.runtime.watched, *self._server.watched) != watched:
                    break


async def persist(
    name: str, work: Callable[[], Awaitable[None]], pause: float = _AFTER_FAILURE
) -> None:
    """Run work that never ends. After an unexpected error, which is logged, it starts again in
    `pause` seconds."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background task crashed; restarting", task=name)
        await asyncio.sleep(pause)


def report(problems: tuple[Problem, ...]) -> None:
    """Write problems to the log, each with its place and at the level of its severity."""
    for problem in problems:
        write = getattr(log, problem.severity.value)
        write(problem.message, code=problem.code, place=str(problem.place), hint=problem.hint)


@asynccontextmanager
async def running(
    path: Path, runtime: Runtime, flags: WebFlags | None = None
) -> AsyncIterator[Router]:
    """A router that serves the configuration at `path`, read as `runtime`, until the block is
    left. Raises ProblemsError if the web configuration cannot be used, StoreRefused or OSError if
    the store or the address cannot be had; a store that only cannot be used now does not keep the
    router from starting."""
    server = WebServer(flags or WebFlags())
    server.reload(runtime.config.http)
    metrics = Metrics()
    outbox = await open_outbox(runtime.config.storage, Role.SERVICE, on_fault=metrics.count_fault)
    for fault in Fault:  # so that the first one is an increase
        metrics.store_faults.labels(fault.value)
    metrics.store_usable.set_function(lambda: outbox.why_unusable is None)
    metrics.store_spooling.set_function(lambda: outbox.is_spooling)
    metrics.unmovable.set_function(lambda: len(outbox.unmovable))
    router = Router(path, runtime, outbox, metrics, server)
    try:
        await router.start()
        yield router
    finally:
        await router.stop()
