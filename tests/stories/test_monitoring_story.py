"""The shipped alerts about the router in a real Prometheus, through a real Alertmanager, to people.
Times in the rules are shortened, nothing else."""

import json
import re
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from tests.programs import (
    Recorder,
    eventually,
    free_port,
    recorder,
    router,
    write_config,
)
from tests.stories.test_web_config_story import start
from tests.test_monitoring import MONITORING

pytestmark = pytest.mark.story

WATCHDOG = {"groups": [{"name": "general", "rules": [{"alert": "Watchdog", "expr": "vector(1)"}]}]}


def write_rules(folder: Path) -> None:
    text = (MONITORING / "alerts.yaml").read_text()
    text = re.sub(r"for: \d+[mh]", "for: 1s", text)
    # A busy machine misses a scrape or two, which is no router that is down.
    is_down = "expr: absent(alert_router_build_info)\n        for: "
    assert is_down in text
    text = text.replace(f"{is_down}1s", f"{is_down}10s")
    text = text.replace("destination_failing_seconds > 300", "destination_failing_seconds > 1")
    (folder / "alerts.yml").write_text(text)
    (folder / "watchdog.yml").write_text(json.dumps(WATCHDOG))


def prometheus_config(target: str, alertmanager: str) -> dict:
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml", "watchdog.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "alert-router", "static_configs": [{"targets": [target]}]}],
    }


def alertmanager_config(url: str, direct: str) -> dict:
    """Everything to the router; the router's critical alerts directly too, as the README says."""
    (block,) = re.findall(
        r"```yaml[^\n]*\n(.*?)```", (MONITORING / "README.md").read_text(), re.DOTALL
    )
    routes = yaml.safe_load(block)["route"]["routes"]
    to_router = {"receiver": "router", "matchers": ['alertname=~".+"']}
    times = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1s"}
    return {
        "route": {"receiver": "router", "group_by": ["alertname"], **times}
        | {"routes": [*routes, to_router]},
        "receivers": [
            {"name": "router", "webhook_configs": [{"url": f"{url}/webhook?source=eu"}]},
            {"name": "on-call-directly", "webhook_configs": [{"url": direct}]},
        ],
    }


def router_config(folder: Path, failing: str, spare: str) -> Path:
    """A failing destination, and another one for alerts about the router, with their runbooks."""
    heartbeat = {"name": "eu", "source": "eu", "timeout": "6s", "receiver": "spare"}
    config = write_config(
        folder,
        [{"type": "webhook", "url": f"{failing}/hook"}],
        http={"listen": f"127.0.0.1:{free_port()}"},
        runbooks={"path": str(MONITORING / "runbooks")},
        heartbeats=[heartbeat],
    )
    written = json.loads(config.read_text())
    other = {"type": "webhook", "url": f"{spare}/hook", "fold": False}
    written["receivers"].append({"name": "spare", "notifiers": [other]})
    config.write_text(json.dumps(written))
    own = {"matchers": ['alertname=~"AlertRouter.+"'], "receiver": "spare"}
    routing = {"route": {"receiver": "oncall", "routes": [own]}}
    (folder / "routing.yaml").write_text(json.dumps(routing))
    return config


def notified(destination: Recorder, alert: str) -> dict | None:
    """The first notification about an alert; None if there is none yet."""
    bodies = (request.json for request in destination.requests)
    return next((it for it in bodies if it["alerts"][0]["labels"]["alertname"] == alert), None)


async def test_people_hear_of_a_failing_destination_a_dead_router_and_a_silent_alertmanager(
    tmp_path: Path,
) -> None:
    write_rules(tmp_path)
    async with recorder() as failing, recorder() as spare, recorder() as direct:
        failing.answer = lambda _: web.Response(status=500)
        config = router_config(tmp_path, failing.url, spare.url)
        async with router(config) as first:
            amconfig = alertmanager_config(first.url, direct.url)
            flags = ("--cluster.listen-address=",)
            posting, alertmanager = start("prometheus-alertmanager", tmp_path, amconfig, *flags)
            target = first.url.removeprefix("http://")
            scraping = prometheus_config(target, posting.removeprefix("http://"))
            resend = "--rules.alert.resend-delay=2s"
            _, prometheus = start("prometheus", tmp_path, scraping, resend)
            try:
                about = await eventually(
                    lambda: notified(spare, "AlertRouterDestinationFailing"), "the first alert"
                )
                assert notified(direct, "AlertRouterDown") is None
                first.popen.kill()
                down = await eventually(lambda: notified(direct, "AlertRouterDown"), "the second")
                async with router(config):
                    # Alertmanager posts what it could not, then it ends.
                    await eventually(lambda: notified(spare, "AlertRouterDown"), "the same, late")
                    alertmanager.end()
                    silent = await eventually(
                        lambda: notified(spare, "AlertRouterHeartbeatMissing"), "the third"
                    )
            finally:
                prometheus.end()
                alertmanager.end()
    assert down["status"] == "firing"
    for message in (about, silent):
        (runbook,) = message["runbooks"]
        assert runbook["id"] == message["alerts"][0]["labels"]["alertname"]
        assert any(section["steps"] for section in runbook["sections"])
