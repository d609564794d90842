"""The Grafana dashboard, made from the rows below. `make manifests` writes it."""

import json
from typing import Any

_BY = "receiver, notifier"
_SELECT = '{job=~"$job"}'


def _rate(series: str, by: str, labels: str = "") -> str:
    return f'sum by ({by}) (rate(alert_router_{series}{{job=~"$job"{labels}}}[$__rate_interval]))'


def _quantile(of: float, histogram: str, by: str = "") -> str:
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({of}, {_rate(f'{histogram}_bucket', labels)})"


def _by_destination(gauge: str, how: str = "sum") -> str:
    return f"{how} by ({_BY}) (alert_router_{gauge}{_SELECT})"


_DESTINATION = "{{receiver}}/{{notifier}}"
# Title, unit, and queries with their legends, row by row.
ROWS: dict[str, list[tuple[str, str, list[tuple[str, str]]]]] = {
    "Is it well?": [
        ("Instances", "none", [(f"alert_router_build_info{_SELECT}", "{{instance}} {{version}}")]),
        ("Store usable", "bool", [(f"alert_router_store_usable{_SELECT}", "{{instance}}")]),
        (
            "Last reload successful",
            "bool",
            [(f"alert_router_config_last_reload_successful{_SELECT}", "{{instance}}")],
        ),
        (
            "Runbooks",
            "none",
            [
                (f"alert_router_runbooks_loaded{_SELECT}", "loaded {{instance}}"),
                (f"alert_router_runbooks_broken{_SELECT}", "broken {{instance}}"),
            ],
        ),
    ],
    "What comes in": [
        ("Webhooks", "reqps", [(_rate("webhooks_total", "outcome"), "{{outcome}}")]),
        (
            "Time to answer a webhook",
            "s",
            [
                (_quantile(0.5, "webhook_duration_seconds"), "median"),
                (_quantile(0.99, "webhook_duration_seconds"), "99 %"),
            ],
        ),
        ("Alerts", "cps", [(_rate("alerts_received_total", "status"), "{{status}}")]),
        (
            "Share of firing alerts with a runbook",
            "percentunit",
            [
                (
                    _rate("firing_alerts_received_total", "job", ', coverage="covered"')
                    + " / "
                    + _rate("firing_alerts_received_total", "job", ', coverage!="none-wanted"'),
                    "{{job}}",
                )
            ],
        ),
    ],
    "What goes out": [
        ("Notifications", "cps", [(_rate("notifications_total", _BY), _DESTINATION)]),
        (
            "Failed attempts",
            "cps",
            [(_rate("notifications_failed_total", f"{_BY}, reason"), _DESTINATION + " {{reason}}")],
        ),
        (
            "From accepted to delivered, 99 %",
            "s",
            [(_quantile(0.99, "notification_latency_seconds", _BY), _DESTINATION)],
        ),
        ("Pending", "none", [(_by_destination("deliveries_pending"), _DESTINATION)]),
        ("Oldest pending", "s", [(_by_destination("oldest_pending_seconds", "max"), _DESTINATION)]),
        (
            "Failing for",
            "s",
            [(_by_destination("destination_failing_seconds", "max"), _DESTINATION)],
        ),
        ("Dead letters", "none", [(_by_destination("dead_letters"), _DESTINATION)]),
        ("Sent to the fallback", "cps", [(_rate("diverted_deliveries_total", _BY), _DESTINATION)]),
    ],
    "The process": [
        (
            "Delay of the event loop, 99 %",
            "s",
            [(_quantile(0.99, "event_loop_lag_seconds", "instance"), "{{instance}}")],
        ),
        (
            "Processor",
            "none",
            [(f"rate(process_cpu_seconds_total{_SELECT}[$__rate_interval])", "{{instance}}")],
        ),
        ("Memory", "bytes", [(f"process_resident_memory_bytes{_SELECT}", "{{instance}}")]),
        (
            "Connections",
            "none",
            [
                (f"alert_router_http_connections{_SELECT}", "open {{instance}}"),
                (f"alert_router_http_connections_allowed{_SELECT}", "allowed {{instance}}"),
            ],
        ),
    ],
}
_WIDTH, _HEIGHT = 6, 7  # of a panel, of the 24 columns


def dashboard() -> str:
    """The dashboard as JSON, for Grafana 10 and later."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row, charts in ROWS.items():
        at = {"x": 0, "y": y, "w": 24, "h": 1}
        panels.append(
            {"type": "row", "title": row, "gridPos": at, "collapsed": False, "panels": []}
        )
        y += 1
        for index, chart in enumerate(charts):
            x = index % 4 * _WIDTH
            top = y + index // 4 * _HEIGHT
            panels.append(_panel(*chart, {"x": x, "y": top, "w": _WIDTH, "h": _HEIGHT}))
        y += -(-len(charts) // 4) * _HEIGHT
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    made = {
        "uid": "alert-router",
        "title": "Alert Router",
        "tags": ["alert-router"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_variable("datasource"), _variable("job")]},
        "panels": panels,
    }
    return json.dumps(made, indent=1) + "\n"


def _panel(
    title: str, unit: str, queries: list[tuple[str, str]], position: dict[str, int]
) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "type": "timeseries",
        "title": title,
        "gridPos": position,
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": source,
                "expr": expr,
                "legendFormat": legend,
            }
            for index, (expr, legend) in enumerate(queries)
        ],
    }


def _variable(name: str) -> dict[str, Any]:
    if name == "datasource":
        return {"name": name, "type": "datasource", "query": "prometheus"}
    query = "label_values(alert_router_build_info, job)"
    return {
        "name": name,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": query,
        "definition": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
