"""The shipped alerts about the router in a real Prometheus, and a heartbeat through a real
Alertmanager. Times in the rules are shortened, nothing else."""

import json
import re
from pathlib import Path

import pytest
from aiohttp import web

from tests.programs import eventually, recorder, router, write_config
from tests.stories.test_web_config_story import ask, start
from tests.test_monitoring import MONITORING

pytestmark = pytest.mark.story

WATCHDOG = {"groups": [{"name": "general", "rules": [{"alert": "Watchdog", "expr": "vector(1)"}]}]}


def write_rules(folder: Path) -> None:
    text = (MONITORING / "alerts.yaml").read_text()
    text = re.sub(r"for: \d+[mh]", "for: 1s", text)
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


def alertmanager_config(url: str) -> dict:
    times = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1s"}
    return {
        "route": {"receiver": "router", **times},
        "receivers": [{"name": "router", "webhook_configs": [{"url": f"{url}/webhook?source=eu"}]}],
    }


async def fires(prometheus: str, alert: str) -> bool:
    query = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
    return bool(await ask(prometheus, query))


async def test_a_failing_destination_a_silent_alertmanager_and_a_dead_router_are_noticed(
    tmp_path: Path,
) -> None:
    write_rules(tmp_path)
    async with recorder() as failing, recorder() as spare:
        failing.answer = lambda _: web.Response(status=500)
        heartbeat = {"name": "eu", "source": "eu", "timeout": "4s", "receiver": "spare"}
        notifier = {"type": "webhook", "url": f"{failing.url}/hook"}
        config = write_config(tmp_path, [notifier], heartbeats=[heartbeat])
        written = json.loads(config.read_text())
        other = {"type": "webhook", "url": f"{spare.url}/hook"}
        written["receivers"].append({"name": "spare", "notifiers": [other]})
        config.write_text(json.dumps(written))
        async with router(config) as running:
            flags = ("--cluster.listen-address=",)
            posting, alertmanager = start(
                "prometheus-alertmanager", tmp_path, alertmanager_config(running.url), *flags
            )
            target = running.url.removeprefix("http://")
            scraping = prometheus_config(target, posting.removeprefix("http://"))
            asked, prometheus = start("prometheus", tmp_path, scraping)
            try:
                await eventually(
                    lambda: fires(asked, "AlertRouterDestinationFailing"), "the first alert"
                )
                assert not await fires(asked, "AlertRouterDown")
                alertmanager.end()
                got = await eventually(lambda: spare.requests, "the missing heartbeat")
                running.popen.kill()
                await eventually(lambda: fires(asked, "AlertRouterDown"), "the last alert")
            finally:
                prometheus.end()
                alertmanager.end()
    assert {it.json["alerts"][0]["labels"]["alertname"] for it in got} == {
        "AlertRouterHeartbeatMissing"
    }
