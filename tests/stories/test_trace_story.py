"""What one group leaves behind can be followed: its id in the log, its trace at the destination,
and the spans that a collector gets."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from alert_router import tracing
from tests.http import post
from tests.postgres import server
from tests.programs import (
    Recorder,
    Request,
    Router,
    body,
    eventually,
    recorder,
    router,
    write_config,
)
from tests.test_receive import TRACE

pytestmark = pytest.mark.story

TRACE_ID, ALERTMANAGER_SPAN = TRACE.split("-")[1:3]


async def test_a_group_is_followed_by_its_id_in_the_log_and_its_trace_at_the_destination(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=400)
        notifier = {"type": "webhook", "url": f"{destination.url}/hook"}
        async with router(write_config(tmp_path, [notifier])) as running:
            headers = {"traceparent": TRACE}
            _, accepted = await post(f"{running.url}/webhook", body(), headers=headers)
            lines = await eventually(lambda: lines_about_a_group(running), "a line about the group")
    assert {line["group_id"] for line in lines} == {accepted["id"]}
    assert "trace_id" not in lines[0]
    first: Request = destination.requests[0]
    assert first.headers["traceparent"] == TRACE


def lines_about_a_group(running: Router) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in running.text().splitlines() if line.startswith("{")]
    return [line for line in lines if "group_id" in line]


@asynccontextmanager
async def traced(config: Path, collector: Recorder, **more: str) -> AsyncIterator[Router]:
    collector.answer = lambda _: web.Response(content_type="application/x-protobuf")
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    async with router(config, env=os.environ | variables | more) as running:
        yield running


def spans(collector: Recorder) -> dict[str, list[Any]]:
    """The exported spans by name."""
    found: dict[str, list[Any]] = {}
    for request in collector.requests:
        assert request.path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            names = {it.key: it.value.string_value for it in resource.resource.attributes}
            assert names["service.name"] == "alert-router"
            for scope in resource.scope_spans:
                for one in scope.spans:
                    found.setdefault(one.name, []).append(one)
    return found


def attributes(exported: Any) -> dict[str, Any]:
    return {it.key: it.value.string_value or it.value.int_value for it in exported.attributes}


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
async def test_a_collector_gets_the_spans_of_alertmanager_s_trace(
    tmp_path: Path, store: str
) -> None:
    more = {}
    if store == "postgresql":
        url = await server().database(tmp_path)
        more["storage"] = f"{url}?spool={tmp_path}/spool.db"
    async with recorder() as destination, recorder() as failing, recorder() as collector:
        failing.answer = lambda _: web.Response(status=400)
        notifiers = [
            {"type": "webhook", "url": f"{destination.url}/hook"},
            {"type": "slack", "url": f"{failing.url}/services/secret"},
        ]
        async with traced(write_config(tmp_path, notifiers, **more), collector) as running:
            _, accepted = await post(
                f"{running.url}/webhook", body(), headers={"traceparent": TRACE}
            )
            lines = await eventually(lambda: lines_about_a_group(running), "the failure's line")
            # Slack's message is tried again in its plainest form.
            await eventually(lambda: len(spans(collector).get("deliver", [])) == 3, "spans")
            assert await asyncio.to_thread(running.end) == 0
    assert {line.get("trace_id") for line in lines} == {TRACE_ID}
    found = spans(collector)
    (accept,) = found["accept"]
    assert accept.trace_id.hex() == TRACE_ID
    assert accept.parent_span_id.hex() == ALERTMANAGER_SPAN
    assert attributes(accept) == {
        "http.request.method": "POST",
        "http.route": "/webhook",
        "http.response.status_code": 200,
        "alert_router.group_id": accepted["id"],
        "alert_router.alerts": 1,
        "alert_router.deliveries": 2,
        "alert_router.outcome": "accepted",
    }
    attempts = sorted(found["deliver"], key=lambda it: it.start_time_unix_nano)
    assert {it.parent_span_id for it in attempts} == {accept.span_id}
    (delivered,) = [it for it in attempts if attributes(it)["alert_router.notifier"] == "webhook"]
    failed, again = [it for it in attempts if attributes(it)["alert_router.notifier"] == "slack"]
    assert attributes(again)["alert_router.attempt"] == 2
    assert attributes(delivered)["alert_router.outcome"] == "delivered"
    assert attributes(failed)["alert_router.outcome"] == "failed"
    assert attributes(failed)["error.type"] == "rejected"
    assert (failed.status.code, delivered.status.code) == (2, 0)
    for parent, recorded in ((delivered, destination), (failed, failing)):
        (sent,) = [it for it in found["send"] if it.parent_span_id == parent.span_id]
        header = recorded.requests[0].headers["traceparent"]
        assert header == f"00-{TRACE_ID}-{sent.span_id.hex()}-01"
        assert attributes(sent)["server.address"] == "127.0.0.1"
    exported = b"".join(request.body for request in collector.requests)
    for hidden in (b"schema-registry", b"/services/secret", b"/hook", b"HighErrorRate"):
        assert hidden not in exported


async def test_the_last_spans_are_exported_at_the_stop(tmp_path: Path) -> None:
    async with recorder() as destination, recorder() as collector:
        notifier = {"type": "webhook", "url": f"{destination.url}/hook"}
        config = write_config(tmp_path, [notifier])
        async with traced(config, collector, OTEL_BSP_SCHEDULE_DELAY="60000") as running:
            await post(f"{running.url}/webhook", body())
            await eventually(lambda: destination.requests, "the message")
            assert not collector.requests
            assert await asyncio.to_thread(running.end) == 0
    assert set(spans(collector)) == {"accept", "deliver", "send"}


async def test_a_collector_that_is_down_delays_neither_messages_nor_the_stop(
    tmp_path: Path,
) -> None:
    async with recorder() as destination, recorder() as collector:
        notifier = {"type": "webhook", "url": f"{destination.url}/hook"}
        config = write_config(tmp_path, [notifier])
        nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
        async with traced(config, collector, **nowhere) as running:
            await post(f"{running.url}/webhook", body())
            got = await eventually(lambda: destination.requests, "the message")
            assert tracing.valid(got[0].headers["traceparent"])
            assert await asyncio.to_thread(running.end) == 0
    assert not collector.requests


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
    ],
)
def test_without_being_asked_nothing_of_opentelemetry_is_imported(
    variables: dict[str, str], reason: str
) -> None:
    program = (
        "import os, sys, alert_router.server, alert_router.deliver, alert_router.tracing as it\n"
        "print(it.start(os.environ))\n"
        "with it.span('a', 'server') as span: print(repr(span.traceparent), span.log_fields())\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True
    )
    why, shown = done.stdout.splitlines()
    assert reason in why
    assert bool(reason) == bool(why)
    assert shown == "'' {}"


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "find_spec", lambda _: None)
    assert "alert-router[otel]" in tracing.start({"OTEL_TRACES_EXPORTER": "otlp"})
