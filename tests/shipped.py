"""What the shipped runbooks are about, for their tests: the service's metrics, labels and names.

Written apart from the runbooks, so that a slip in one does not agree with itself.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alert_router.markdown import Block, Code, ListBlock, Quote
from alert_router.runbook import Catalogue, Runbook

ROOT = Path(__file__).parent.parent
ALERTS = ROOT / "runbooks" / "alerts"
CATALOGUE = Catalogue.load(ROOT / "runbooks")
SHIPPED = ["database-issues", "high-error-rate", "high-latency", "pod-crashes", "redis-issues"]

# What Prometheus adds to whatever it scrapes, here by a ServiceMonitor.
TARGET = {"job", "instance", "namespace", "pod", "service"}
REGISTRY = {
    "http_requests_total": {"status", "path"},
    "http_request_duration_seconds_bucket": {"le"},
    "http_requests_in_flight": set(),
    "db_connections_active": {"pool"},
    "db_connections_idle": set(),
    "db_connections_max": {"pool"},
    "db_query_duration_seconds_bucket": {"query", "le"},
    "db_pool_wait_duration_seconds_bucket": {"le"},
    "db_errors_total": set(),
    "redis_errors_total": set(),
    "redis_operation_duration_seconds_bucket": {"command", "le"},
    "cache_hit_rate": {"tier"},
    "cache_operations_total": set(),
    "cache_evictions_total": set(),
    "s3_errors_total": set(),
    "s3_operation_duration_seconds_bucket": {"operation", "le"},
    "validations_total": {"result"},
    "compatibility_checks_total": {"result"},
    "process_memory_bytes": {"type"},
    "schemas_registered_total": set(),
    "schemas_active_total": set(),
}
CONTAINER = {"namespace", "pod", "container", "job"}
METRICS = {f"schema_registry_{name}": labels | TARGET for name, labels in REGISTRY.items()} | {
    "up": TARGET,
    # kube-state-metrics
    "kube_pod_container_status_waiting_reason": CONTAINER | {"reason"},
    "kube_pod_container_status_last_terminated_reason": CONTAINER | {"reason"},
    "kube_pod_container_status_restarts_total": CONTAINER,
    "kube_pod_container_resource_limits": CONTAINER | {"resource", "unit", "node"},
    "kube_deployment_spec_replicas": {"namespace", "deployment", "job"},
    "kube_deployment_status_replicas_available": {"namespace", "deployment", "job"},
    # cAdvisor and the kubelet
    "container_cpu_cfs_periods_total": CONTAINER,
    "container_cpu_cfs_throttled_periods_total": CONTAINER,
    "container_memory_working_set_bytes": CONTAINER,
    "kubelet_volume_stats_available_bytes": {"namespace", "persistentvolumeclaim", "job"},
    "kubelet_volume_stats_capacity_bytes": {"namespace", "persistentvolumeclaim", "job"},
}

# Labels that some alert of the runbook carries. A rule that adds up leaves only what it groups by.
EVERYWHERE = {"alertname", "severity", "cluster", "environment"}
CARRIED = {
    "high-error-rate": EVERYWHERE | {"component", "slo"},
    "high-latency": EVERYWHERE | {"component", "slo"},
    "redis-issues": EVERYWHERE | {"component", "job", "instance", "tier", "command"},
    "database-issues": EVERYWHERE | {"component", "job", "instance", "pool", "query"},
    "pod-crashes": EVERYWHERE | {"component", "namespace", "pod", "container", "reason"},
}

SELECTORS = {
    "app.kubernetes.io/name=schema-registry",
    "app.kubernetes.io/name=quarantined",  # set by a runbook itself
    "kubernetes.io/service-name=schema-registry-service",
    "app=postgres",
    "app=redis",
    "app in (postgres,redis)",
}
OBJECTS = {
    "deploy": {"schema-registry"},
    "sts": {"postgres", "redis"},
    "hpa": {"schema-registry-hpa"},
    "configmap": {"schema-registry-config"},
}
VERBS_NAMESPACED = {
    "annotate", "delete", "describe", "diff", "exec", "get", "label", "logs", "patch",
    "port-forward", "rollout", "set", "top",
}  # fmt: skip
CLUSTER_WIDE = {"nodes", "storageclass"}

every_runbook = pytest.mark.parametrize("name", SHIPPED)


def fences(blocks: tuple[Block, ...], *languages: str) -> Iterator[Code]:
    for block in blocks:
        match block:
            case Code(language=language) if language in languages:
                yield block
            case ListBlock(items=items):
                for item in items:
                    yield from fences(item.blocks, *languages)
            case Quote(blocks=inner):
                yield from fences(inner, *languages)
            case _:
                pass


def of(name: str) -> Runbook:
    runbook = CATALOGUE.get(f"alerts/{name}")
    assert runbook is not None
    return runbook
