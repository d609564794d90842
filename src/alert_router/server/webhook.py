"""The intake: a webhook in, an answer that Alertmanager understands out.

200 is said only of what is on disk. Trouble of ours is 503, which Alertmanager retries; what
can never be accepted is 4xx, counted by why.
"""

import select
import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from structlog.contextvars import bind_contextvars

from alert_router.model import SMALL_BODY, AlertGroup, PayloadError
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.model import NewGroup
from alert_router.receive import Source, to_store, with_trace
from alert_router.redaction import clip
from alert_router.runtime import Runtime
from alert_router.server import pages
from alert_router.server.context import SITE, Site
from alert_router.server.requests import (
    Busy,
    from_other_site,
    not_json,
    read_body,
    refusal,
    refuse,
    unavailable,
)
from alert_router.tracing import Span, span, valid

log = structlog.get_logger(__name__)

_LONGEST_PATH = 200  # characters of a path in the log
_NO_ROOM = "the disk is full: free space is below delivery.reserve"
_HUNG_UP = getattr(select, "POLLRDHUP", 0)  # of Linux


@web.middleware
async def known_paths(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer 404 to a POST or PUT that no route takes, count it and log its path: Alertmanager
    drops these alerts without another sign. Others get a page that says so."""
    if request.match_info.http_exception is None:
        return await handler(request)
    if request.method not in ("POST", "PUT"):
        return await pages.unknown(request, handler)
    site = request.app[SITE]
    site.metrics.webhooks.labels("unknown_path").inc()
    site.quiet.warning(
        "request to an unknown path; Alertmanager drops its alerts",
        path=clip(request.path, _LONGEST_PATH),
        remote=request.remote,
    )
    return refuse(404, "alerts are accepted at /webhook and /webhook/RECEIVER", close=True)


async def receive(request: web.Request) -> web.Response:
    """POST or PUT /webhook and /webhook/{receiver}."""
    site = request.app[SITE]
    began = time.perf_counter()
    header = valid(request.headers.get("traceparent", ""))
    attributes = {"http.request.method": request.method, "http.route": "/webhook"}
    with span("accept", "server", parent=header, attributes=attributes) as accepting:
        bind_contextvars(**accepting.log_fields())  # aiohttp runs each request in its own context
        outcome, answer = await _receive(request, site, site.runtime(), accepting)
        accepting.set(outcome=outcome)
        accepting.answered(answer.status)
    site.metrics.webhooks.labels(outcome).inc()
    site.metrics.webhook_duration.observe(time.perf_counter() - began)
    return answer


async def _receive(
    request: web.Request, site: Site, runtime: Runtime, accepting: Span
) -> tuple[str, web.Response]:
    http = runtime.config.http
    if not site.serving:
        return "stopping", unavailable("shutting down", close=True)
    if refused := refusal(request, http.auth, "webhook"):
        return "unauthorized" if refused.status == 401 else "unavailable", refused
    if why := from_other_site(request, http.external_url):
        site.quiet.warning("webhook from a page of another site", remote=request.remote)
        return "cross_site", refuse(403, why, close=True)
    if why := not_json(request):
        site.quiet.warning("webhook that is not JSON", remote=request.remote)
        return "unsupported_type", refuse(415, why, close=True)
    with site.budget.share() as share:
        try:
            raw = await read_body(request, http.max_body, http.body_timeout, share)
        except web.HTTPRequestEntityTooLarge:
            return "too_large", _too_large(request, site, http.max_body)
        except TimeoutError:
            # Not 408: the network may have been slow, or we were, and a 408 is not tried again.
            return "timeout", unavailable("the body did not arrive in time", close=True)
        except web.RequestPayloadError:
            return "malformed", refuse(400, "the body could not be read: bad encoding or cut short")
        except Busy:
            return "unavailable", unavailable("other bodies fill the memory for them", close=True)
        return await _take(request, raw, site, runtime, accepting)


async def _take(
    request: web.Request, raw: bytes, site: Site, runtime: Runtime, accepting: Span
) -> tuple[str, web.Response]:
    source = Source(_receiver(request, runtime), request.query.get("source", ""))
    trace = accepting.traceparent
    is_small, now = len(raw) <= SMALL_BODY, site.outbox.now()
    try:
        if is_small:
            group, new = _prepare(raw, source, runtime, trace, now)
        else:
            group, new = await site.aside.run(_prepare, raw, source, runtime, trace, now)
    except PayloadError as error:
        site.quiet.warning("malformed webhook", error=str(error), remote=request.remote)
        answer = {"status": "malformed", "expected": error.expected, "found": error.found}
        return "malformed", web.json_response(answer, status=400)
    accepting.set(group_id=new.id, alerts=len(group.alerts), deliveries=len(new.targets))
    site.beat(group, source.source)
    has_room = site.has_room()
    if not has_room and not site.outbox.is_shared:
        return "unavailable", unavailable(_NO_ROOM)
    if site.outbox.is_shared and _is_gone(request):
        return "unavailable", unavailable("the sender has gone", close=True)
    _note(group, new.id, source, site, runtime)
    try:
        if not has_room:
            raise StoreUnavailable(_NO_ROOM)
        # Where it is kept although nobody waits for the answer any more, the destinations' loops
        # find it by themselves, and its repetition is a duplicate.
        accepted = await site.ask(
            lambda store: store.accept(new, runtime.config.delivery.dedup_window)
        )
    except StoreUnavailable as error:
        if site.outbox.is_shared and not _is_gone(request) and await site.deliver_now(new):
            site.received.add(group, runtime.choose, new.accepted_at)
            return "accepted", _ok("delivered", new.id)
        log.error("webhook not accepted", group_id=new.id, error=str(error))
        return "unavailable", unavailable("the store cannot be written")
    if accepted.duplicate:
        return "duplicate", _ok("duplicate", accepted.id)
    for target in new.targets:
        site.wake(target.destination, target.priority)
    if is_small:
        site.received.add(group, runtime.choose, new.accepted_at)
    else:
        count = site.received.count_aside(site.aside, group, runtime.choose, new.accepted_at)
        site.later(count)
    return "accepted", _ok("accepted", accepted.id)


def _is_gone(request: web.Request) -> bool:
    """Whether nobody waits for the answer any more, as after this process was paused. Then the same
    webhook has been sent to another router, and perhaps newer ones of its group as well."""
    transport = request.transport
    if transport is None or transport.is_closing():
        return True
    connection = transport.get_extra_info("socket")
    if connection is None:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), _HUNG_UP)
    return bool(poll.poll(0))


def _receiver(request: web.Request, runtime: Runtime) -> str:
    """The receiver in the path, without slashes around it unless they belong to its name."""
    name = request.match_info.get("receiver", "")[1:]
    return name if name in runtime.names else name.strip("/")


def _prepare(
    raw: bytes, source: Source, runtime: Runtime, trace: str, now: float
) -> tuple[AlertGroup, NewGroup]:
    """The group in a body, and what is to be stored of it. Raises PayloadError."""
    group, kept = AlertGroup.within(runtime.limits, raw)
    return group, to_store(group, with_trace(kept, trace), source, runtime, now)


def _note(group: AlertGroup, id_: str, source: Source, site: Site, runtime: Runtime) -> None:
    """Count and say what is not as it should be with a group that goes on all the same."""
    if source.receiver and source.receiver not in runtime.names:
        site.metrics.unknown_receivers.inc()
        site.quiet.warning(
            "webhook for a receiver that is not configured; the default receiver gets it",
            group_id=id_,
            receiver=source.receiver,
            default=runtime.tree.default,
        )
    cut = group.cut
    if any(cut):
        for what, count in cut._asdict().items():
            site.metrics.body_cut.labels(what).inc(count)
        names = {"group_id": id_, "receiver": source.receiver}
        site.quiet.warning("webhook cut to http.limits", **names, **cut._asdict())


def _ok(status: str, id_: str) -> web.Response:
    # The id is ours, so that the answer needs no escaping and no JSON encoder.
    text = f'{{"status":"{status}","id":"{id_}"}}'
    return web.Response(text=text, content_type="application/json")


def _too_large(request: web.Request, site: Site, max_body: int) -> web.Response:
    site.quiet.error(
        "webhook lost: its body is over the limit, and Alertmanager does not retry a 413",
        limit_bytes=max_body,
        remote=request.remote,
    )
    return refuse(
        413,
        f"the body is over {max_body} bytes: set max_alerts in alertmanager.yml, "
        "or http.max_body here",
        close=True,
    )
