"""A small configuration in a directory of its own, and the real commands on it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from alert_router.cli import main

MAIN = """\
http: {listen: "127.0.0.1:9095", external_url: "https://alerts.example.org"}
storage: sqlite:///store.db
runbooks: {path: runbooks}
routing: routing.yaml
receivers:
  - name: oncall
    notifiers:
      - {type: console}
  - name: pager
    notifiers:
      - {type: console, name: screen}
      - {type: webhook, url_file: hook-url, send_resolved: false}
"""

ROUTING = """\
runbooks:
  - matchers: ['component="redis"', 'severity="critical"']
    runbook: alerts/redis-issues
  - matchers: ['component="cache"']
    runbook: null
  - matchers: ['alertname=~"Redis.*"']
    runbook: alerts/redis-issues
route:
  receiver: oncall
  routes:
    - matchers: ['severity="critical"']
      receiver: pager
      continue: true
    - matchers: ['component="redis"']
      receiver: oncall
"""

REDIS = """\
# Redis issues

**Severity:** Critical (P0)
**Owner:** SRE Team

## Detection

1. Ask Redis.

   ```bash
   kubectl -n $NAMESPACE logs $POD
   ```

2. Read the [dashboard](https://grafana.example.org/d/redis).

## Verification

Nothing fires.
"""

ERRORS = """\
# High error rate

## Detection

- [ ] Look at the rate.
"""


@dataclass
class Router:
    """The commands on one configuration."""

    directory: Path

    @property
    def config(self) -> Path:
        """As it is called from within the directory: places in messages are then short."""
        return Path("alert-router.yaml")

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *arguments: str | Path, input: str | bytes | None = None) -> Result:
        """The command with `--config`; anything but an orderly exit is raised."""
        words = [str(argument) for argument in arguments]
        result = CliRunner(env={"ALERT_ROUTER_CONFIG": str(self.config)}).invoke(
            main, words, input=input
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str | Path, exit_code: int = 0, **options: Any) -> Any:
        result = self.run(*arguments, "--output", "json", **options)
        assert result.exit_code == exit_code, result.output
        assert result.stderr == ""
        return json.loads(result.stdout)


def make_router(directory: Path) -> Router:
    """The configuration above, written into the directory."""
    made = Router(directory)
    made.write("alert-router.yaml", MAIN)
    made.write("routing.yaml", ROUTING)
    made.write("hook-url", "http://tickets.example.org:1/hook\n")
    made.write("runbooks/alerts/redis-issues.md", REDIS)
    made.write("runbooks/alerts/high-error-rate.md", ERRORS)
    return made


def alert(status: str = "firing", **labels: str) -> dict[str, Any]:
    """An alert as Alertmanager posts it."""
    return {
        "status": status,
        "labels": labels,
        "annotations": {"summary": "Redis does not answer"},
        "startsAt": "2026-01-02T03:04:05.678Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-01-02T03:14:05Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "",
    }


def body(*alerts: dict[str, Any], key: str = "{}:{}") -> bytes:
    """A webhook body of these alerts."""
    firing = any(one["status"] == "firing" for one in alerts)
    return json.dumps(
        {
            "version": "4",
            "groupKey": key,
            "status": "firing" if firing else "resolved",
            "receiver": "alert-router",
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager:9093",
            "alerts": list(alerts),
        }
    ).encode()
