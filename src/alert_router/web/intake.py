"""The intake: a webhook in, an answer that Alertmanager understands out.

200 is said only of what is on disk. Trouble of ours is 503, which Alertmanager retries; what
can never be accepted is 400, 401 or 413, each counted.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import structlog
from aiohttp import web

from alert_router.alert import Alert, AlertGroup, PayloadError
from alert_router.coverage.observed import state_of
from alert_router.enrich import Choice, Way
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import NewGroup
from alert_router.pipeline import Source, accept
from alert_router.web.auth import refusal
from alert_router.web.refuse import refuse, unavailable
from alert_router.web.site import SITE, Limits, Site, State

log = structlog.get_logger(__name__)


async def receive(request: web.Request) -> web.Response:
    """POST or PUT /webhook and /webhook/{receiver}."""
    site = request.app[SITE]
    began = time.perf_counter()
    outcome, answer = await _receive(request, site, site.state())
    site.metrics.webhooks.labels(outcome).inc()
    site.metrics.webhook_duration.observe(time.perf_counter() - began)
    return answer


async def _receive(request: web.Request, site: Site, state: State) -> tuple[str, web.Response]:
    if not site.serving:
        return "stopping", unavailable("shutting down", close=True)
    if refused := refusal(request, state.credentials):
        return "unauthorized" if refused.status == 401 else "unavailable", refused
    try:
        raw = await _body(request, state.limits)
    except web.HTTPRequestEntityTooLarge:
        return "too_large", _too_large(request, state.limits)
    except TimeoutError:
        # Not 408: the network may have been slow, or we were, and a 408 is not tried again.
        return "timeout", unavailable("the body did not arrive in time", close=True)
    except web.RequestPayloadError:
        return "malformed", refuse(400, "the body could not be read: bad encoding or cut short")
    return await _take(request, raw, site, state)


async def _take(
    request: web.Request, raw: bytes, site: Site, state: State
) -> tuple[str, web.Response]:
    try:
        group = AlertGroup.from_bytes(raw)
    except PayloadError as error:
        log.warning("malformed webhook", error=str(error), remote=request.remote)
        body = {"status": "malformed", "expected": error.expected, "found": error.found}
        return "malformed", web.json_response(body, status=400)
    if not site.has_room():
        return "unavailable", unavailable("the disk is full")
    source = Source(request.match_info.get("receiver", ""), request.query.get("source", ""))
    _note_unknown(source, site, state)
    try:
        accepted, new = await accept(
            group,
            raw,
            source,
            receivers=state.receivers,
            outbox=site.outbox,
            dedup_window=state.dedup_window,
        )
    except StoreUnavailable as error:
        log.error("webhook not accepted", error=str(error))
        return "unavailable", unavailable("the store cannot be written")
    if accepted.duplicate:
        return "duplicate", _ok("duplicate", accepted.id)
    _after(group, new, site, state)
    return "accepted", _ok("accepted", accepted.id)


def _after(group: AlertGroup, new: NewGroup, site: Site, state: State) -> None:
    for target in new.targets:
        site.wake(target.destination, target.priority)
    _count(group, site, state.choose, new.accepted_at)


def _count(
    group: AlertGroup, site: Site, choose: Callable[[Alert], Choice], accepted_at: float
) -> None:
    """Each alert of an accepted group once, however many are told of it."""
    metrics = site.metrics
    names: Counter[tuple[str, bool, str | None, Way]] = Counter()
    for alert in group.alerts:
        choice = choose(alert)
        names[alert.name, alert.firing, choice.runbook, choice.way] += 1
    found: Counter[tuple[bool, str | None, Way]] = Counter()
    for (name, firing, runbook, way), count in names.items():
        found[firing, runbook, way] += count
        if firing:
            site.tally.receive(name, runbook, way, count, accepted_at)
    for (firing, runbook, way), count in found.items():
        metrics.alerts.labels("firing" if firing else "resolved").inc(count)
        if runbook is None:
            metrics.alerts_unmatched.inc(count)
        else:
            metrics.alerts_matched.labels(runbook).inc(count)
        if firing:
            metrics.firing_alerts.labels(state_of(runbook, way)).inc(count)


def _note_unknown(source: Source, site: Site, state: State) -> None:
    if source.receiver and source.receiver not in state.receivers.notifiers:
        site.metrics.unknown_receivers.inc()
        log.warning(
            "webhook for a receiver that is not configured; the default receiver gets it",
            receiver=source.receiver,
            default=state.receivers.tree.default,
        )


async def _body(request: web.Request, limits: Limits) -> bytes:
    if request.content_length is not None and request.content_length > limits.max_body:
        raise web.HTTPRequestEntityTooLarge(limits.max_body, request.content_length)
    content = request.content
    if content.is_eof() and request.content_length is not None:  # it came with the head
        whole = content.read_nowait(-1)
        if len(whole) > limits.max_body:  # it was compressed
            raise web.HTTPRequestEntityTooLarge(limits.max_body, len(whole))
        return whole
    chunks, size = [], 0
    async with asyncio.timeout(limits.body_timeout):
        async for chunk in content.iter_any():
            size += len(chunk)
            if size > limits.max_body:  # no length was given, or it was compressed
                raise web.HTTPRequestEntityTooLarge(limits.max_body, size)
            chunks.append(chunk)
    return b"".join(chunks)


def _ok(status: str, id_: str) -> web.Response:
    # The id is ours, so that the answer needs no escaping and no JSON encoder.
    text = f'{{"status":"{status}","id":"{id_}"}}'
    return web.Response(text=text, content_type="application/json")


def _too_large(request: web.Request, limits: Limits) -> web.Response:
    log.error(
        "webhook lost: its body is over the limit, and Alertmanager does not retry a 413",
        limit_bytes=limits.max_body,
        remote=request.remote,
    )
    return refuse(
        413,
        f"the body is over {limits.max_body} bytes: set max_alerts in alertmanager.yml, "
        "or http.max_body here",
        close=True,
    )
