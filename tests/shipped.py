"""What the shipped runbooks are about, for their tests: the service's metrics, labels and names.

Written apart from the runbooks, so that a slip in one does not agree with itself.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alert_router.config import load
from alert_router.markdown import Block, Code, ListBlock, Quote
from alert_router.runbook import Catalogue, Runbook

ROOT = Path(__file__).parent.parent
RUNBOOKS = ROOT / "runbooks"
CATALOGUE = Catalogue.load(RUNBOOKS)
SHIPPED = sorted(CATALOGUE.runbooks)
# Those that the runbook table leads to, so that an alert's labels can be filled into them.
MAPPED = {
    entry.runbook
    for entry in load(ROOT / "config" / "alert-router.yaml").table.entries
    if entry.runbook is not None
}
CATEGORIES = {
    "operations": [
        "cache-management",
        "certificate-rotation",
        "configuration-changes",
        "database-maintenance",
        "deployment",
        "log-analysis",
        "rollback",
        "scaling",
    ],
    "alerts": [
        "database-issues",
        "high-error-rate",
        "high-latency",
        "pod-crashes",
        "redis-issues",
        "resource-exhaustion",
        "security-alerts",
    ],
    "incidents": [
        "data-corruption",
        "incident-response",
        "performance-degradation",
        "security-breach",
        "service-outage",
    ],
}
ALL = sorted(f"{category}/{name}" for category, names in CATEGORIES.items() for name in names)

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
AUTOSCALER = {"namespace", "horizontalpodautoscaler", "job"}
CERTIFICATE = {"name", "issuer_name", "issuer_kind", "issuer_group"}
METRICS = {f"schema_registry_{name}": labels | TARGET for name, labels in REGISTRY.items()} | {
    "up": TARGET,
    # Prometheus' own: since when each alert is active, with the labels that its rule gives it
    "ALERTS_FOR_STATE": {"alertname", "severity", "component"},
    # kube-state-metrics
    "kube_pod_container_status_waiting_reason": CONTAINER | {"reason"},
    "kube_pod_container_status_last_terminated_reason": CONTAINER | {"reason"},
    "kube_pod_container_status_restarts_total": CONTAINER,
    "kube_pod_container_resource_limits": CONTAINER | {"resource", "unit", "node"},
    "kube_deployment_spec_replicas": {"namespace", "deployment", "job"},
    "kube_deployment_status_replicas_available": {"namespace", "deployment", "job"},
    "kube_deployment_status_replicas_updated": {"namespace", "deployment", "job"},
    "kube_deployment_status_condition": {"namespace", "deployment", "job"}
    | {"condition", "status", "reason"},
    "kube_pod_container_info": CONTAINER | {"image", "image_spec", "image_id", "container_id"},
    "kube_pod_container_state_started": CONTAINER,
    "kube_pod_container_resource_requests": CONTAINER | {"resource", "unit", "node"},
    "kube_pod_status_phase": {"namespace", "pod", "job", "phase"},
    "kube_node_status_allocatable": {"node", "job", "resource", "unit"},
    "kube_horizontalpodautoscaler_spec_min_replicas": AUTOSCALER,
    "kube_horizontalpodautoscaler_spec_max_replicas": AUTOSCALER,
    "kube_horizontalpodautoscaler_status_current_replicas": AUTOSCALER,
    "kube_horizontalpodautoscaler_status_desired_replicas": AUTOSCALER,
    "kube_horizontalpodautoscaler_status_condition": AUTOSCALER | {"condition", "status"},
    # cAdvisor and the kubelet
    "container_cpu_cfs_periods_total": CONTAINER,
    "container_cpu_cfs_throttled_periods_total": CONTAINER,
    "container_cpu_usage_seconds_total": CONTAINER,
    "container_memory_working_set_bytes": CONTAINER,
    "kubelet_volume_stats_available_bytes": {"namespace", "persistentvolumeclaim", "job"},
    "kubelet_volume_stats_capacity_bytes": {"namespace", "persistentvolumeclaim", "job"},
    "kubelet_volume_stats_used_bytes": {"namespace", "persistentvolumeclaim", "job"},
    # node exporter, and kube-state-metrics on nodes
    "node_filesystem_avail_bytes": {"job", "instance", "device", "fstype", "mountpoint"},
    "node_filesystem_size_bytes": {"job", "instance", "device", "fstype", "mountpoint"},
    "kube_node_status_condition": {"node", "job", "condition", "status"},
    # cert-manager and ingress-nginx. Where the scrape's own labels win, their `namespace` and
    # `service` are called `exported_namespace` and so on: so no query here asks for them.
    "certmanager_certificate_expiration_timestamp_seconds": CERTIFICATE,
    "certmanager_certificate_renewal_timestamp_seconds": CERTIFICATE,
    "certmanager_certificate_ready_status": CERTIFICATE | {"condition"},
    "nginx_ingress_controller_ssl_expire_time_seconds": {"host", "class", "secret_name"},
    "nginx_ingress_controller_ssl_certificate_info": {"host", "class", "secret_name"}
    | {"serial_number", "issuer_common_name", "issuer_organization", "public_key_algorithm"},
    "nginx_ingress_controller_config_last_reload_successful": {"controller_pod"},
    "nginx_ingress_controller_requests": {"ingress", "host", "path", "method", "status"},
}

# Labels that some alert of the runbook carries. A rule that adds up leaves only what it groups by.
# A runbook that no alert is mapped to has none, and so no placeholder.
EVERYWHERE = {"alertname", "severity", "cluster", "environment"}
CARRIED = {
    "alerts/high-error-rate": EVERYWHERE | {"component", "slo"},
    "alerts/high-latency": EVERYWHERE | {"component", "slo"},
    "alerts/redis-issues": EVERYWHERE | {"component", "job", "instance", "tier", "command"},
    "alerts/database-issues": EVERYWHERE | {"component", "job", "instance", "pool", "query"},
    "alerts/pod-crashes": EVERYWHERE
    | {"namespace", "pod", "container", "reason", "deployment", "statefulset"},
    # On a node's alert, `instance` is the node exporter's address or the node's name, and
    # `namespace` and `pod` are the exporter's.
    "alerts/resource-exhaustion": EVERYWHERE
    | {"component", "job", "instance", "type"}
    | {"namespace", "pod", "container", "persistentvolumeclaim", "resource", "resourcequota"}
    | {"node", "device", "mountpoint", "fstype"},
    "alerts/security-alerts": EVERYWHERE | {"component", "job", "status"},
    "operations/scaling": EVERYWHERE | {"namespace", "horizontalpodautoscaler", "job"},
    "incidents/data-corruption": EVERYWHERE | {"component"},
    "incidents/service-outage": EVERYWHERE | {"component", "job", "instance", "path", "status"},
    "incidents/performance-degradation": EVERYWHERE | {"component", "job", "instance", "operation"},
}
# Those of them that commands may use: an unfilled placeholder stops a pasted command, so only
# what the alert that one follows the step for is sure to carry.
IN_COMMANDS = {
    "alerts/pod-crashes": {"namespace", "pod", "container", "deployment"},
    "alerts/resource-exhaustion": {"namespace", "pod", "container", "persistentvolumeclaim"},
}

SELECTORS = {
    "app.kubernetes.io/name=schema-registry",
    "app.kubernetes.io/name=quarantined",  # set by a runbook itself
    "kubernetes.io/service-name=schema-registry-service",
    "app.kubernetes.io/name=ingress-nginx,app.kubernetes.io/component=controller",
    "app.kubernetes.io/name=cert-manager,app.kubernetes.io/component=controller",
    "app=postgres",
    "app=redis",
    "app in (postgres,redis)",
}
OBJECTS = {
    "deploy": {"schema-registry", "$deployment"},
    "sts": {"postgres", "redis"},
    "hpa": {"schema-registry-hpa"},
    "configmap": {"schema-registry-config"},
}
VERBS_NAMESPACED = {
    "annotate", "apply", "auth", "cp", "create", "delete", "describe", "diff", "exec", "get",
    "label", "logs", "patch", "port-forward", "rollout", "scale", "set", "top", "wait",
}  # fmt: skip
VERBS_CLUSTER_WIDE = {"cordon", "drain", "uncordon"}
CLUSTER_WIDE = {"--raw", "apiservice", "node", "nodes", "storageclass", "pv", "clusterissuer"}
NAMESPACES = {"schema-registry", "$namespace", "ingress-nginx", "cert-manager"}
# What the containers of a StatefulSet hold that a runbook may run.
TOOLS = {
    "postgres": {"df", "du", "pg_dump", "pg_isready", "pg_restore", "psql"},
    "redis": {"df", "du", "redis-cli", "timeout"},
}

every_runbook = pytest.mark.parametrize("name", SHIPPED)


def fences(blocks: tuple[Block, ...], *languages: str) -> Iterator[Code]:
    """The fences of these languages, of any where none is named, in their order."""
    for block in blocks:
        match block:
            case Code(language=language) if not languages or language in languages:
                yield block
            case ListBlock(items=items):
                for item in items:
                    yield from fences(item.blocks, *languages)
            case Quote(blocks=inner):
                yield from fences(inner, *languages)
            case _:
                pass


def of(name: str) -> Runbook:
    """The runbook of that id."""
    runbook = CATALOGUE.get(name)
    assert runbook is not None
    return runbook


def category(name: str) -> str:
    """The first part of an id."""
    return name.partition("/")[0]


def path_of(name: str) -> Path:
    """The file of the runbook of that id."""
    return RUNBOOKS / f"{name}.md"


def text_of(name: str) -> str:
    """The source of the runbook of that id."""
    return path_of(name).read_text()
