"""Which label of an alert a placeholder means: aliases, and labels that belong to an exporter."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from alert_router.matcher import Matcher, parse_matchers

# By label, the names that mean it. Each also ends in `name` or starts with one of the prefixes.
_NAMES = {
    ("namespace",): "namespace ns podnamespace kubernetesnamespace k8snamespace",
    ("pod",): "pod",
    ("container",): "container",
    ("node",): "node",
    ("deployment",): "deployment deploy",
    ("statefulset",): "statefulset sts",
    ("daemonset",): "daemonset ds",
    ("replicaset",): "replicaset rs",
    ("cronjob",): "cronjob",
    ("job_name",): "job",
    ("persistentvolumeclaim",): "persistentvolumeclaim pvc",
    ("persistentvolume",): "persistentvolume pv",
    ("horizontalpodautoscaler",): "horizontalpodautoscaler hpa",
    ("poddisruptionbudget",): "poddisruptionbudget pdb",
    ("resourcequota",): "resourcequota quota",
    ("ingress",): "ingress",
    ("service",): "service svc",
    ("storageclass",): "storageclass",
    ("cluster",): "cluster",
    ("database", "datname"): "database db",
    ("topic",): "topic",
    ("consumergroup", "consumer_group"): "consumergroup",
    ("queue",): "queue",
    ("volume",): "volume",
    ("vm",): "vm",
    ("vmi", "vm"): "vmi",
    ("clusteroperator",): "clusteroperator",
}
_PREFIXES = (
    *("my", "your", "the", "this", "affected", "failing", "failed", "faulty", "problematic"),
    *("crashing", "stuck", "impacted", "unhealthy", "alerting"),
)
# Names that have no other form, since with a prefix or an ending they mean something else.
_EXACT = {
    ("instance",): "instance",
    ("mountpoint",): "mountpoint",
    ("device",): "device",
    ("app",): "app",
    ("alertname",): "alertname",
    ("environment", "env"): "environment env",
    ("region",): "region",
    ("zone",): "zone",
    ("dbinstance_identifier",): "dbinstanceidentifier dbinstanceid rdsinstanceid",
    ("auto_scaling_group_name",): "autoscalinggroup autoscalinggroupname asg asgname",
}
# Labels that say too little about what is asked for: `<name>` of what?
_VAGUE_NAMES = (
    "name id uid type kind key value label file path url uri host hostname ip address port user "
    "username password secret token endpoint job reason status state version image code message "
    "severity group resource result method command action mode from to le quantile metric line "
    "number count size"
)
_VAGUE = frozenset(_VAGUE_NAMES.split())
_SEPARATORS = re.compile(r"[\W_]+", re.ASCII)
_IN_NAME = re.compile(r"\W+", re.ASCII)
_EXPORTED = "exported_"
_DIMENSION = "dimension_"  # of CloudWatch, as YACE writes it: `dimension_InstanceId`
_INNER_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SCRAPED = ("pod", "container", "namespace", "service", "endpoint")

# Alerts whose label `name` is that of an object of this kind.
_NAME_IS = (
    ('kubernetes_operator_component="kubevirt"', "vm"),
    ('alertname=~"ClusterOperator.*"', "clusteroperator"),
)
_EXPORTER = r"(.*[-_])?(exporter|kube-state-metrics)([-_].*)?"
# Which labels are dropped from which alerts. Those of node-exporter and blackbox-exporter are about
# `instance` or `node`; those of kube-state-metrics have their own labels or `exported_` ones.
_EXPORTER_LABELS = (
    ('job=~"(.*[-/])?(node[-_]?exporter|node)|.*blackbox.*"', _SCRAPED),
    ('job=~"(.*[-/])?kube-state-metrics"', ("instance", "endpoint")),
    # It keeps no label that the scrape sets too, so `node` is where it runs itself.
    ('job=~"(.*[-/])?kube-state-metrics",exported_pod!=""', ("node",)),
    (f'pod=~"{_EXPORTER}",pod!~".*(node[-_]?exporter|kube-state-metrics).*"', ("node",)),
    (f'pod=~"{_EXPORTER}"', ("pod",)),
    (f'service=~"{_EXPORTER}|(.*-)?kubelet"', ("service",)),
    (f'container=~"{_EXPORTER}|kube-rbac-proxy.*|oauth-proxy|config-reloader"', ("container",)),
    # A metric about the cluster: the namespace is that of the exporter.
    (
        f'pod=~"{_EXPORTER}",job=~"(.*[-/])?kube-state-metrics",deployment="",statefulset="",'
        'daemonset="",replicaset="",job_name="",cronjob="",persistentvolumeclaim="",'
        'horizontalpodautoscaler="",poddisruptionbudget="",resourcequota="",ingress="",'
        'exported_pod=""',
        ("namespace",),
    ),
)


def key_of(spelling: str) -> str:
    """A placeholder's name without case and separators: `<Pod-Name>` and `POD_NAME` are
    `podname`."""
    return _SEPARATORS.sub("", spelling).lower()


@dataclass(frozen=True, slots=True)
class ExporterLabels:
    """Labels that say where a metric was scraped, in alerts that all of `matchers` match."""

    matchers: tuple[Matcher, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LabelRules:
    """How placeholders find labels. `aliases` are labels, the best first, by `key_of`. `name_is`
    has the label that `name` means in alerts that all of the matchers match."""

    aliases: Mapping[str, tuple[str, ...]]
    exporters: tuple[ExporterLabels, ...]
    name_is: tuple[tuple[tuple[Matcher, ...], str], ...]

    @cached_property
    def names(self) -> frozenset[str]:
        """The known keys."""
        return frozenset(self.aliases)

    def subject(self, labels: Mapping[str, str]) -> dict[str, str]:
        """By label, the name of the label that has its value for the alert's subject: `pod` may be
        `exported_pod`; labels of the exporter are missing."""
        dropped = {
            label
            for rule in self.exporters
            if all(matcher.matches(labels) for matcher in rule.matchers)
            for label in rule.labels
        }
        found = {label: label for label in labels if label not in dropped}
        for matchers, label in self.name_is:
            if "name" in labels and all(matcher.matches(labels) for matcher in matchers):
                found.setdefault(label, "name")
        if self.exporters:
            for label in labels:
                bare = label.removeprefix(_EXPORTED)
                if bare and bare != label:
                    found[bare] = label
        for label in labels:
            if label.startswith(_DIMENSION):  # as CloudWatch's own exporter writes it
                bare = _INNER_CAPITAL.sub("_", label.removeprefix(_DIMENSION)).lower()
                if bare:
                    found.setdefault(bare, label)
        return found


def label_rules(
    aliases: Mapping[str, Iterable[str]] | None = None,
    exporters: Iterable[tuple[str, Iterable[str]]] | None = None,
) -> LabelRules:
    """The built-in rules with more aliases (labels by spelling), and with other exporter labels
    (pairs of matchers and labels). Raises MatcherError."""
    known = {key: labels for labels, names in _EXACT.items() for key in names.split()}
    for labels, names in _NAMES.items():
        for name in names.split():
            for prefix in ("", *_PREFIXES):
                forms = (f"{prefix}{name}", f"{prefix}{name}name", f"nameof{prefix}{name}")
                known |= dict.fromkeys(forms, labels)
    known |= {key_of(spelling): tuple(labels) for spelling, labels in (aliases or {}).items()}
    pairs = _EXPORTER_LABELS if exporters is None else exporters
    rules = (ExporterLabels(parse_matchers(text), tuple(labels)) for text, labels in pairs)
    name_is = tuple((parse_matchers(text), label) for text, label in _NAME_IS)
    return LabelRules(known, tuple(rules), name_is)


DEFAULT_RULES = label_rules()


def usual_label(spelling: str) -> str:
    """The label that a placeholder's name usually means, "" if it is not known."""
    return next(iter(DEFAULT_RULES.aliases.get(key_of(spelling), ())), "")


@dataclass(slots=True)
class AlertLabels:
    """The labels of one alert, by placeholder.

    A variable in capitals means a label in capitals or an alias; any other means the label of that
    name, case ignored, or an alias. A `spelled` name (`<pod-name>`) means the label of that name if
    the name says enough, or an alias. `labels.pod` means the label of that name and no alias.
    `asked` collects the names looked up with that, `used` the labels found.
    """

    labels: Mapping[str, str]
    rules: LabelRules = DEFAULT_RULES
    asked: set[tuple[str, bool]] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    _subject: dict[str, str] = field(init=False)
    _folded: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._subject = self.rules.subject(self.labels)
        self._folded = {label.casefold(): label for label in sorted(self._subject, reverse=True)}

    def get(self, name: str, spelled: bool = False) -> str | None:
        """The value, preferring the label of exactly that case."""
        self.asked.add((name, spelled))
        label = self._spelled(name) if spelled else self._variable(name)
        if label is None:
            return None
        self.used.add(self._subject[label])
        return self.labels[self._subject[label]]

    def _variable(self, name: str) -> str | None:
        exact = name.removeprefix("labels.")
        if exact in self._subject:
            return exact
        if exact != name:
            return self._folded.get(exact.casefold())
        alias = self._alias(name)
        return alias if name.isupper() else self._folded.get(name.casefold(), alias)

    def _spelled(self, name: str) -> str | None:
        label = self._folded.get(_IN_NAME.sub("_", name).casefold())
        return self._alias(name) if label is None or label.casefold() in _VAGUE else label

    def _alias(self, name: str) -> str | None:
        if name.startswith("_"):  # `$_instance` is a variable of its own
            return None
        aliases = self.rules.aliases.get(key_of(name), ())
        return next((alias for alias in aliases if alias in self._subject), None)
