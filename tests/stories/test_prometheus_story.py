"""The whole way: Prometheus evaluates a rule, Alertmanager routes and posts, the router
enriches, and the message with the filled commands arrives; firing, and then resolved.
"""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.http import metric, post
from tests.programs import Process, Recorder, body, eventually, free_port, need, recorder, router
from tests.programs import write_config as router_config

pytestmark = pytest.mark.story

POD = "schema-registry-6c9f7d5b8-x2kqp"


def write_alertmanager(folder: Path, *urls: str) -> Path:
    config = {
        "global": {"resolve_timeout": "2s"},
        "route": {
            "receiver": "alert-router",
            "group_by": ["alertname"],
            "group_wait": "1s",
            "group_interval": "2s",
            "repeat_interval": "1h",
        },
        "receivers": [
            {"name": "alert-router", "webhook_configs": [{"url": url} for url in urls]},
        ],
    }
    path = folder / "alertmanager.yml"
    path.write_text(json.dumps(config))
    return path


def write_prometheus(folder: Path, alertmanager: int, value: float) -> Path:
    rule = {
        "alert": "HighErrorRate",
        "expr": f"vector({value}) > 0.05",
        "labels": {
            "severity": "critical",
            "job": "schema-registry",
            "namespace": "schema-registry",
            "pod": POD,
        },
        "annotations": {"summary": "{{ $value | humanizePercentage }} of requests fail"},
    }
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "api", "rules": [rule]}]}))
    config = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]
        },
    }
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config))
    return path


def start_alertmanager(folder: Path, *urls: str) -> tuple[Process, int]:
    port = free_port()
    config = write_alertmanager(folder, *urls)
    process = Process(
        [
            need("prometheus-alertmanager"),
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        folder / "alertmanager.log",
    )
    return process, port


def start_prometheus(folder: Path, alertmanager: int) -> Process:
    config = write_prometheus(folder, alertmanager, 0.085)
    return Process(
        [
            need("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{free_port()}",
            "--rules.alert.resend-delay=2s",
        ],
        folder / "prometheus.log",
    )


def told(destination: Recorder, status: str) -> dict[str, Any] | None:
    return next((r.json for r in destination.requests if r.json["status"] == status), None)


async def test_a_rule_that_fires_ends_as_a_message_with_commands_to_paste(tmp_path: Path) -> None:
    need("prometheus")
    need("prometheus-alertmanager")
    async with recorder() as destination:
        notifier = {"type": "webhook", "url": f"{destination.url}/hook"}
        async with router(router_config(tmp_path, [notifier])) as running:
            alertmanager, port = start_alertmanager(tmp_path, f"{running.url}/webhook")
            prometheus = start_prometheus(tmp_path, port)
            try:
                firing = await eventually(
                    lambda: told(destination, "firing"), "the firing notification"
                )
                write_prometheus(tmp_path, port, 0.0)
                prometheus.popen.send_signal(1)  # SIGHUP: read the rules anew
                resolved = await eventually(
                    lambda: told(destination, "resolved"), "the resolved notification"
                )
            finally:
                prometheus.end()
                alertmanager.end()
    check_firing(firing)
    check_resolved(resolved)


async def test_what_alertmanager_posts_to_a_wrong_path_is_noticed(tmp_path: Path) -> None:
    need("prometheus-alertmanager")
    async with recorder() as destination:
        notifier = {"type": "webhook", "url": f"{destination.url}/hook"}
        async with router(router_config(tmp_path, [notifier])) as running:
            urls = [f"{running.url}/webhook/oncall/", f"{running.url}/alertmanager"]
            alertmanager, port = start_alertmanager(tmp_path, *urls)
            try:
                await eventually(lambda: "Listening on" in alertmanager.text(), "Alertmanager")
                api = f"http://127.0.0.1:{port}/api/v2/alerts"
                async with aiohttp.ClientSession() as session:
                    alert = [{"labels": {"alertname": "HighErrorRate"}}]
                    async with session.post(api, json=alert) as answer:
                        assert answer.status == 200
                await eventually(lambda: told(destination, "firing"), "the right path's message")
                await eventually(
                    lambda: '"/alertmanager"' in running.text(), "a line with the path"
                )
            finally:
                alertmanager.end()
            assert await metric(running, 'alert_router_webhooks_total{outcome="unknown_path"}') == 1


async def test_labels_of_alertmanager_s_route_choose_receiver_runbook_and_words(
    tmp_path: Path,
) -> None:
    """As Alertmanager has them since 0.34, newer than the one that is installed here."""
    async with recorder() as destination:
        hook = {"type": "webhook", "url": f"{destination.url}/hook"}
        config = router_config(tmp_path, [hook | {"url": f"{destination.url}/other"}])
        written = json.loads(config.read_text())
        worded = hook | {"title": "{{ route_labels.team }}: {{ alerts[0].name }}"}
        written["receivers"].append({"name": "database", "notifiers": [worded]})
        config.write_text(json.dumps(written))
        by_team = {"matchers": ['team="database"'], "receiver": "database"}
        routing = {"route": {"receiver": "oncall", "routes": [by_team]}}
        (tmp_path / "routing.yaml").write_text(json.dumps(routing))
        labels = {"team": "database", "runbook": "alerts/high-error-rate"}
        posted = json.loads(body("SomethingElse")) | {"routeLabels": labels}
        async with router(config) as running:
            status, _ = await post(f"{running.url}/webhook", json.dumps(posted).encode())
            assert status == 200
            (got,) = await eventually(lambda: destination.requests, "the notification")
    assert got.path == "/hook"
    assert got.json["routeLabels"] == labels
    assert got.json["alert_router"]["title"] == "database: SomethingElse"
    assert [runbook["id"] for runbook in got.json["runbooks"]] == ["alerts/high-error-rate"]


def check_firing(message: dict[str, Any]) -> None:
    assert message["commonLabels"]["alertname"] == "HighErrorRate"
    assert message["commonAnnotations"]["summary"] == "8.5% of requests fail"
    (runbook,) = message["runbooks"]
    assert runbook["id"] == "alerts/high-error-rate"
    assert runbook["url"] == "http://alerts.example.org/runbooks/alerts/high-error-rate"
    detection, mitigation = runbook["sections"]
    assert (detection["name"], mitigation["name"]) == ("Detection", "Mitigation")
    (query,) = detection["steps"][0]["commands"]
    assert query["text"] == (
        'sum(rate(http_requests_total{job="schema-registry", status=~"5.."}[5m]))'
    )
    (command,) = mitigation["steps"][0]["commands"]
    assert command["text"] == f"kubectl -n schema-registry delete pod {POD}"


def check_resolved(message: dict[str, Any]) -> None:
    (runbook,) = message["runbooks"]
    assert [section["name"] for section in runbook["sections"]] == ["Verification", "Post-Incident"]
    assert message["alerts"][0]["status"] == "resolved"
