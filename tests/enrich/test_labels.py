"""Which label a placeholder means."""

import pytest

from alert_router.enrich.placeholders import AlertLabels, label_rules

_SCRAPED = {
    "job": "monitoring/kube-state-metrics",
    "instance": "10.0.0.9:8080",
    "pod": "prom-kube-state-metrics-7d9f8-abcde",
    "container": "kube-state-metrics",
    "namespace": "monitoring",
    "service": "prom-kube-state-metrics",
    "endpoint": "http",
}


@pytest.mark.parametrize("spelled", [False, True])
def test_labels_of_kube_state_metrics_are_not_the_subject(spelled: bool) -> None:
    labels = AlertLabels(_SCRAPED)

    assert [labels.get(name, spelled) for name in _SCRAPED if name != "job"] == [None] * 6


def test_exported_labels_are_the_subject() -> None:
    exported = {"exported_pod": "web-1", "exported_namespace": "prod", "exported_container": "app"}
    labels = AlertLabels(_SCRAPED | exported)

    assert [labels.get(name, True) for name in ("pod", "namespace", "container")] == [
        *("web-1", "prod", "app")
    ]
    assert labels.used == exported.keys()


def test_dimensions_of_cloudwatch_are_labels_of_their_name() -> None:
    labels = AlertLabels(
        {"dimension_InstanceId": "i-1", "dimension_DBInstanceIdentifier": "db", "dimension_": "x"}
        | {"dimension_BucketName": "other", "bucket_name": "logs"}
    )

    names = ("instance-id", "db-instance-id", "rds-instance-id", "BUCKET_NAME", "name", "")
    assert [labels.get(name, True) for name in names] == ["i-1", "db", "db", "logs", None, None]


def test_the_namespace_of_a_namespaced_subject_is_kept() -> None:
    labels = AlertLabels(_SCRAPED | {"namespace": "prod", "deployment": "web"})

    assert (labels.get("namespace"), labels.get("deployment")) == ("prod", "web")


def test_the_subject_of_honored_labels_is_kept() -> None:
    labels = AlertLabels(_SCRAPED | {"namespace": "prod", "pod": "web-1", "container": "app"})

    assert [labels.get(name) for name in ("namespace", "pod", "container")] == [
        *("prod", "web-1", "app")
    ]


@pytest.mark.parametrize("job", ["node-exporter", "node", "monitoring/node-exporter"])
def test_the_pod_of_node_exporter_is_not_the_subject(job: str) -> None:
    labels = AlertLabels(
        _SCRAPED | {"job": job, "pod": "x", "instance": "node-3", "node": "node-3"}
    )

    assert (labels.get("pod"), labels.get("namespace")) == (None, None)
    assert (labels.get("instance"), labels.get("node")) == ("node-3", "node-3")


def test_the_node_on_which_an_exporter_runs_is_not_the_subject() -> None:
    exported = AlertLabels(_SCRAPED | {"exported_pod": "web-1", "node": "node-3"})
    scraped = AlertLabels({"job": "redis", "pod": "redis-exporter-5d", "node": "node-3"})
    of_node = AlertLabels(_SCRAPED | {"node": "node-3"})

    assert [labels.get("node", True) for labels in (exported, scraped, of_node)] == [
        *(None, None, "node-3")
    ]


def test_the_label_of_a_template_is_no_alias() -> None:
    labels = AlertLabels({"service": "web", "Tenant": "a"})

    assert (labels.get("service_name"), labels.get("labels.service_name")) == ("web", None)
    assert (labels.get("labels.service"), labels.get("labels.tenant")) == ("web", "a")


def test_some_alerts_call_their_subject_name() -> None:
    of_vm = AlertLabels({"name": "vm-1", "kubernetes_operator_component": "kubevirt"})
    of_operator = AlertLabels({"name": "dns", "alertname": "ClusterOperatorDown"})
    other = AlertLabels({"name": "dns", "alertname": "SlowLookups"})

    assert (of_vm.get("vm-name", True), of_vm.used) == ("vm-1", {"name"})
    assert of_operator.get("CLUSTEROPERATOR") == "dns"
    assert [other.get(name, True) for name in ("vm", "clusteroperator", "name")] == [None] * 3


@pytest.mark.parametrize(
    ("labels", "name", "value"),
    [
        ({"alertname": "KubeAggregatedAPIDown", "name": "v1.x"}, "APISERVICE", "v1.x"),
        ({"name": "a.timer", "state": "failed", "type": "oneshot"}, "unit", "a.timer"),
        ({"name": "a.timer", "kind": "Pod"}, "unit", None),
        ({"name": "a", "state": "failed", "type": "x"}, "unit", None),
        (
            {"alertname": "MachineConfigControllerPausedPool", "pool": "worker"},
            "MCP_NAME",
            "worker",
        ),
        ({"alertname": "CephPoolFull", "pool": "rbd"}, "MCP_NAME", None),
        ({"alertname": "NodeNetworkReceiveErrs", "device": "eth0"}, "interface-name", "eth0"),
        ({"alertname": "NodeDiskIOSaturation", "device": "sda"}, "interface", None),
        ({"alertname": "NetworkDiskSlow", "device": "nvme0n1"}, "interface", None),
        ({"alertname": "NetworkMountFull", "device": "/dev/vdb"}, "interface", None),
        ({"alertname": "InterfaceDown", "device": "nm-bond0"}, "interface", "nm-bond0"),
    ],
)
def test_what_a_label_means_depends_on_the_alert(
    labels: dict[str, str], name: str, value: str | None
) -> None:
    assert AlertLabels(labels).get(name, spelled=name.islower()) == value


def test_the_pod_that_reports_about_a_virtual_machine_is_not_the_subject() -> None:
    of_vm = {"job": "kubevirt-prometheus-metrics", "pod": "virt-handler-1", "namespace": "prod"}

    assert AlertLabels(of_vm | {"name": "vm-1"}).get("pod") is None
    assert AlertLabels(of_vm | {"name": "vm-1"}).get("namespace") == "prod"
    assert AlertLabels(of_vm).get("pod") == "virt-handler-1"


def test_the_exporter_of_cloudwatch_is_not_the_subject() -> None:
    scraped = _SCRAPED | {"job": "aws", "pod": "prom-cloudwatch-exporter-5d"}
    by_name = {"pod": "x", "name": "arn:aws:s3:::logs", "dimension_BucketName": "logs"}

    for labels in (AlertLabels(scraped), AlertLabels(scraped | by_name)):
        assert [labels.get(name) for name in ("namespace", "pod", "instance")] == [None] * 3
    assert labels.get("bucket-name", spelled=True) == "logs"


@pytest.mark.parametrize("pushed", [{"job": "backup"}, {"exported_job": "backup"}])
def test_a_pushgateway_is_not_the_subject_of_what_others_pushed(pushed: dict[str, str]) -> None:
    scraped = _SCRAPED | {"job": "pushgateway", "pod": "prometheus-pushgateway-5d"}
    labels = AlertLabels(scraped | pushed)

    assert [labels.get(name) for name in ("namespace", "pod", "instance")] == [None] * 3
    assert AlertLabels(scraped).get("pod") == "prometheus-pushgateway-5d"
    of_cluster = {"job": "kubelet", "pod": "prometheus-pushgateway-5d", "namespace": "x"}
    assert AlertLabels(of_cluster).get("pod") == "prometheus-pushgateway-5d"


def test_a_name_that_means_something_else_may_be_a_dimension_of_cloudwatch() -> None:
    labels = AlertLabels({"dimension_ServiceName": "cart", "job_name": "backup"})

    names = ("dimensions.service-name", "dimensions.SERVICE_NAME", "dimensions.job-name")
    assert [labels.get(name) for name in names] == ["cart", "cart", None]


def test_a_variable_with_an_underscore_before_its_name_is_no_alias() -> None:
    assert AlertLabels({"instance": "a"}).get("_instance") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instance label from alert", "10.0.0.9:8080"),
        ("value of the instance label from the alert", "10.0.0.9:8080"),
        ("alert name label", "x"),
        ("name label of the alert", "x"),
        ("ns from the alert", "monitoring"),
        ("alertname from alert", "Down"),
        ("name from the alert", None),
        ("name of the alert", None),
        ("end of alert", None),
    ],
)
def test_the_words_of_a_placeholder_may_say_which_label_of_the_alert(
    name: str, value: str | None
) -> None:
    labels = {"alertname": "Down", "name": "x", "instance": "10.0.0.9:8080"}
    assert AlertLabels(labels | {"namespace": "monitoring"}).get(name, spelled=True) == value


def test_rules_can_be_replaced_and_aliases_added() -> None:
    rules = label_rules({"Tenant-ID": ["namespace"]}, [('job="x"', ["node"])])
    labels = AlertLabels(_SCRAPED | {"node": "a"}, rules)

    assert labels.get("tenant_id", True) == "monitoring"
    assert labels.get("pod") == _SCRAPED["pod"]
    assert labels.get("node") == "a"
    assert AlertLabels({"job": "x", "node": "a"}, rules).get("node") is None
