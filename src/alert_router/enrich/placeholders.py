"""Placeholders: what one looks like, which label of an alert it means (by aliases, and by labels
that belong to an exporter), and which values may fill it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Generic, Protocol, TypeVar

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
    ("machineconfigpool",): "machineconfigpool mcp",
    ("apiservice",): "apiservice",
    ("workload",): "workload",
    ("unit",): "unit systemdunit",
    ("interface",): "interface iface networkinterface nic",
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
    ("dbcluster_identifier",): "dbclusteridentifier dbclusterid",
    ("auto_scaling_group_name",): "autoscalinggroup autoscalinggroupname asg asgname",
    ("vpn_id",): "vpnid vpnconnectionid",
    ("user_pool",): "userpool userpoolid",
    ("job_queue",): "jobqueue jobqueuename",
    ("cluster_id", "clusterID"): "clusterid",
    ("managed_cluster_name",): "managedclustername managedcluster",
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
_NOT_IN_NAME = re.compile(r"\W+", re.ASCII)
# `<value of the instance label from the alert>`, `<alert namespace label>`
_LABEL_OF_ALERT = re.compile(
    r"(?:the )?(?:value of )?(?:the )?(\w+) label (?:from|of|in) (?:the )?alert"
    r"|(?:the )?alert(?:'s)? (\w+) label",
    re.IGNORECASE,
)
_FROM_ALERT = re.compile(r" from (?:the )?alert\Z", re.IGNORECASE)
_EXPORTED = "exported_"
_DIMENSION = "dimension_"  # of CloudWatch, as YACE writes it: `dimension_InstanceId`
OF_DIMENSIONS = "dimensions."  # before a name that means nothing else
_INNER_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SCRAPED_BESIDE_NAMESPACE = ("pod", "container", "service", "endpoint")
_SCRAPED = ("namespace", *_SCRAPED_BESIDE_NAMESPACE)

# Labels that mean another one in alerts that all of the matchers match.
_MEANS = (
    ('kubernetes_operator_component="kubevirt"', "name", "vm"),
    ('alertname=~"ClusterOperator.*"', "name", "clusteroperator"),
    ('alertname=~"(Kube)?AggregatedAPI.*"', "name", "apiservice"),
    # As node-exporter names the units of systemd.
    ('name=~".+\\.(service|socket|timer|mount)",state!="",type!=""', "name", "unit"),
    ('alertname=~"(MachineConfig|MC[CD]).*"', "pool", "machineconfigpool"),
    (
        'alertname=~".*(Network|Interface).*",device!~"(/|[shv]d[a-z]|nvme|dm-|nbd|rbd).*"',
        "device",
        "interface",
    ),
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
    # KubeVirt's own pods report about virtual machines, which run in others.
    ('job="kubevirt-prometheus-metrics",name!=""', _SCRAPED_BESIDE_NAMESPACE),
    # CloudWatch's metrics are about resources of AWS.
    ('name=~"arn:aws.*"', (*_SCRAPED, "instance")),
    (
        'pod=~".*(cloudwatch[-_]exporter|yace).*",job!~".*kube-state-metrics"',
        (*_SCRAPED, "instance"),
    ),
    # What others have pushed.
    (
        'pod=~".*pushgateway.*",job!="",job!~".*(pushgateway|kube-state-metrics|kubelet|advisor)"',
        (*_SCRAPED, "instance"),
    ),
    ('pod=~".*pushgateway.*",exported_job!=""', (*_SCRAPED, "instance")),
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
    """How placeholders find labels. `aliases` are labels, the best first, by `key_of`. `means`
    has labels, and those that they mean in alerts that all of the matchers match."""

    aliases: Mapping[str, tuple[str, ...]]
    exporters: tuple[ExporterLabels, ...]
    means: tuple[tuple[tuple[Matcher, ...], str, str], ...]

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
        for matchers, label, meant in self.means:
            if label in labels and all(matcher.matches(labels) for matcher in matchers):
                found.setdefault(meant, label)
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
    means = tuple((parse_matchers(text), label, meant) for text, label, meant in _MEANS)
    return LabelRules(known, tuple(rules), means)


DEFAULT_RULES = label_rules()


def usual_label(spelling: str) -> str:
    """The label that a placeholder's name usually means, "" if it is not known."""
    return next(iter(DEFAULT_RULES.aliases.get(key_of(spelling), ())), "")


@dataclass(slots=True)
class AlertLabels:
    """The labels of one alert, by placeholder.

    A variable in capitals means a label in capitals or an alias; any other means the label of that
    name, case ignored, or an alias. A `spelled` name (`<pod-name>`) means the label of that name if
    the name says enough, or an alias. `labels.pod` means the label of that name and no alias,
    `dimensions.pod` that dimension of CloudWatch.
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
        if name.startswith(OF_DIMENSIONS):
            label = self._folded.get(
                _NOT_IN_NAME.sub("_", name.removeprefix(OF_DIMENSIONS)).casefold()
            )
            return label if label and self._subject[label].startswith(_DIMENSION) else None
        exact = name.removeprefix("labels.")
        if exact in self._subject:
            return exact
        if exact != name:
            return self._folded.get(exact.casefold())
        alias = self._alias(name)
        return alias if name.isupper() else self._folded.get(name.casefold(), alias)

    def _spelled(self, name: str) -> str | None:
        if of_alert := _LABEL_OF_ALERT.fullmatch(name):
            return self._folded.get((of_alert[1] or of_alert[2]).casefold())
        name = _FROM_ALERT.sub("", name)
        label = self._folded.get(_NOT_IN_NAME.sub("_", name).casefold())
        return self._alias(name) if label is None or label.casefold() in _VAGUE else label

    def _alias(self, name: str) -> str | None:
        if name.startswith("_"):  # `$_instance` is a variable of its own
            return None
        aliases = self.rules.aliases.get(key_of(name), ())
        return next((alias for alias in aliases if alias in self._subject), None)


# `$name`, `${name}`, `{{ $labels.name }}` and `{{ .Labels.name }}`. A `$` after another belongs to
# `$$`.
PLACEHOLDER = re.compile(
    r"\{\{-?\s{0,9}(?:\$labels|\.(?:Common|Group)?Labels)\.(?P<explicit>[A-Za-z_]\w*)\s{0,9}-?\}\}"
    r"|(?<!\$)\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<bare>[A-Za-z_]\w*))",
    re.ASCII,
)

# `<pod-name>`, `<POD NAME>`, `<ns/pod>`. A redirection does not have its file directly after the
# `<` and a `>` directly after that.
ANGLE = re.compile(r"(?<![<\w&$])<(?P<name>[A-Za-z](?:[\w .,:/|()'-]{0,60}[\w.:/)])?)>(?![>&\w$])")
# `[POD_NAME]`, `[pod-name]`, `{{ pod }}` and `{pod}`, for known names only. In `[pod]` the shell
# sees a pattern, in `{pod}` nothing.
BRACKETED = re.compile(
    r"(?<![\w.\[\]}$\\])\[(?P<square>[A-Za-z][A-Za-z0-9_ -]{1,40})\](?![\w\[(*?+:])"
    r"|\{\{\s{0,9}(?P<braces>[A-Za-z][\w-]{1,40})\s{0,9}\}\}"
    r"|(?<![\w$\\%@#{}\])])\{(?P<brace>[A-Za-z][\w-]{1,40})\}(?![\w{}])",
    re.ASCII,
)
# What kubectl and Go print for no value.
NO_VALUE = frozenset(("none", "nil", "unset", "unknown", "pending", "invalid", "no value", "null"))

# Characters of a value in a query or a URL, or shown beside a command. A label may hold megabytes,
# and each placeholder would add as much to the message.
LONGEST = 2000

_LOOKBACK = 500  # characters searched for the beginning of a template


class Context(Enum):
    """Where a placeholder stands, and so which values may fill it."""

    NONE = "none"  # nothing is filled
    NUMBER = "number"  # bare in a program of another language; some read 010 as 8
    LITERAL = "literal"  # a regular expression: characters without a meaning there
    PART = "part"  # a part of an argument
    ARGUMENT = "argument"  # a whole argument


# No value starts with a character that makes it an option or a hidden file.
_VALUES = {
    Context.NUMBER: re.compile(r"0|[1-9][0-9]{0,17}"),
    Context.LITERAL: re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,252}"),
    Context.PART: re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}"),
    Context.ARGUMENT: re.compile(r"[A-Za-z0-9/][A-Za-z0-9_.:/-]{0,252}"),
}

# Variables of the shell (bash(1), environ(7)), awk, jq and MongoDB, which are never a label.
_SHELL_NAMES = (
    "_ COLUMNS DIRSTACK EDITOR ENV EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS HISTFILE HOME "
    "HOST HOSTNAME HOSTTYPE IFS LANG LANGUAGE LINENO LINES LOGNAME MACHTYPE MAIL OLDPWD OPTARG "
    "OPTIND OSTYPE PAGER PATH PIPESTATUS PPID PS1 PS2 PS3 PS4 PWD RANDOM REPLY SECONDS SHELL "
    "SHELLOPTS SHLVL SRANDOM TEMP TERM TMP TMPDIR TZ UID USER USERNAME VISUAL CDPATH FPATH MANPATH "
    "NF NR FNR FS OFS RS ORS ENVIRON KUBECONFIG "
    "http_proxy https_proxy no_proxy all_proxy"
)
_ENVIRONMENT = frozenset(_SHELL_NAMES.split())
# Variables that tools read. A label of that name must not set them.
_OF_TOOLS = re.compile(
    r"(?:BASH|LC_|XDG_|SSH_|SUDO_|LD_|DYLD_|PG[A-Z]|MYSQL_|REDISCLI_|AWS_|GCP_|GOOGLE_|CLOUDSDK_"
    r"|AZURE_|ARM_|VAULT_|CONSUL_|NOMAD_|ETCDCTL_|KUBE_|HELM_|DOCKER_|GIT_|GITHUB_|GITLAB_|CI_"
    r"|PYTHON|PERL|RUBY|NODE_(?:OPTIONS|PATH|EXTRA|TLS|ENV)|JAVA_|JDK_|GO[A-Z]+$|TF_|ANSIBLE_"
    r"|LESS|MAN|GREP_|CURL_|SSL_|REQUESTS_|OTEL_).*"
    r"|.*_(?:ADDR|ADDRESS|HOST|PORT|URL|URI|DSN|TOKEN|PASSWORD|PASSWD|PASS|PWD|SECRET|KEY|KEYS|CERT"
    r"|CREDENTIALS|CONFIG|PATH|HOME|OPTS|OPTIONS|ARGS|FLAGS|PROXY|USER|USERNAME|PROFILE|CONTEXT)"
    r"|PASSWORD|PASSWD|TOKEN|SECRET_KEY|API_KEY",
    re.ASCII,
)


def may_fill(context: Context, value: str, before: str = "", after: str = "") -> bool:
    """Whether a value may be filled between the texts `before` and `after`: the argument then is
    exactly that value, is not an option, does not leave a directory and, as a part of an
    argument, does not lead elsewhere (a path, a host with a port, a URL)."""
    pattern = _VALUES.get(context)
    if pattern is None or pattern.fullmatch(value) is None or ".." in value or "://" in value:
        return False
    if context is Context.ARGUMENT:
        return True
    if "--" in value:
        return False
    return not (
        (value[-1] in ".-" and after[:1] == value[-1])
        or (value[0] in ".-" and before[-1:] == value[0])
    )


def token(name: str, *, fails: bool = False) -> str:
    """What replaces a placeholder that is not filled: a plain word that no shell, database or
    other language expands. `fails`: for places where an unknown word counts as 0, the word ends
    in a syntax error."""
    word = _NOT_IN_NAME.sub("_", name).strip("_")
    return f"FILL_IN_{word}?" if fails else f"FILL_IN_{word}"


def of_environment(name: str) -> bool:
    """Whether a name, as written, is a variable of the shell or of a tool."""
    return name in _ENVIRONMENT or (name.isupper() and _OF_TOOLS.fullmatch(name) is not None)


def name_of(match: re.Match[str]) -> str:
    """The name in a match of PLACEHOLDER."""
    return match["explicit"] or match["braced"] or match["bare"]


def lookup_name(name: str, written: str, *, spelled: bool = False) -> str:
    """The name to look up for a placeholder: `{{ $labels.pod }}` is that label and no alias."""
    return f"labels.{name}" if written.startswith("{{") and not spelled else name


def is_kept(match: re.Match[str], own: Set[str]) -> bool:
    """Whether a match of PLACEHOLDER is one of the runbook's own variables."""
    return match["explicit"] is None and name_of(match) in own


def in_template(text: str, at: int) -> bool:
    """Whether a place is within `{{ ... }}` on its line, where `$name` is the template's own."""
    line = text[max(text.rfind("\n", 0, at) + 1, at - _LOOKBACK, 0) : at]
    return line.rfind("{{") > line.rfind("}}")


class Slot(Protocol):
    """A placeholder in a text: a variable, or `spelled` in another way (`<pod-name>`). `otherwise`
    is the text used if it is not filled."""

    @property
    def name(self) -> str: ...
    @property
    def spelled(self) -> bool: ...
    @property
    def written(self) -> str: ...
    @property
    def otherwise(self) -> str: ...
    def value(self, labels: AlertLabels) -> str | None:
        """The value that an alert has for it; None if it has none."""

    def fill(self, value: str) -> str | None:
        """The text for a value; None if it may not be filled."""


S = TypeVar("S", bound=Slot)


@dataclass(frozen=True, slots=True)
class Filled:
    """A text, and the (name, value) pairs that could not be filled and are shown beside it."""

    text: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fillable(Generic[S]):
    """A text split at its placeholders."""

    parts: tuple[str | S, ...]

    def fill(self, labels: AlertLabels) -> Filled:
        """The text for an alert."""
        out: list[str] = []
        beside: dict[tuple[str, str], None] = {}
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
                continue
            value = part.value(labels)
            filled = None if value is None else part.fill(value)
            if value is not None and filled is None:
                beside[part.name, value] = None
            out.append(part.otherwise if filled is None else filled)
        return Filled("".join(out), tuple(beside))

    @property
    def slots(self) -> Iterator[S]:
        """Its placeholders."""
        return (part for part in self.parts if not isinstance(part, str))
