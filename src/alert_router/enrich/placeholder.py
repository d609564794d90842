"""What a placeholder looks like, which of an alert's labels it means, and which values may fill it.

Where a placeholder stands is for whoever knows the language of that place.
"""

import re
from collections.abc import Mapping
from enum import Enum

# `$name`, `${name}` and `{{ $labels.name }}`. A `$` after another belongs to `$$`.
PLACEHOLDER = re.compile(
    r"\{\{\s*\$labels\.(?P<explicit>[A-Za-z_]\w*)\s*\}\}"
    r"|(?<!\$)\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<bare>[A-Za-z_]\w*))",
    re.ASCII,
)

# Characters of a value that is put into a query or an address, or shown beside a command. A label
# may hold megabytes, and each of its places would make the message grow by as much.
LONGEST = 2000


class Place(Enum):
    """What surrounds a placeholder, and so which values may fill it."""

    NOWHERE = "nowhere"  # nothing is filled
    NUMBER = "number"  # bare in a program of another language, some of which count 010 as 8
    LITERAL = "literal"  # a regular expression's argument: characters that mean themselves there
    JOINED = "joined"  # beside other text
    WHOLE = "whole"  # a whole argument


# No value begins with a character that makes an option or a hidden file of it.
_VALUES = {
    Place.NUMBER: re.compile(r"0|[1-9][0-9]{0,17}"),
    Place.LITERAL: re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,252}"),
    Place.JOINED: re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}"),
    Place.WHOLE: re.compile(r"[A-Za-z0-9/][A-Za-z0-9_.:/-]{0,252}"),
}

# Names that belong to whoever pastes the command, never to the alert (bash(1), environ(7)), and to
# awk, jq and MongoDB.
_SHELL_NAMES = (
    "_ COLUMNS DIRSTACK EDITOR ENV EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS HISTFILE HOME "
    "HOST HOSTNAME HOSTTYPE IFS LANG LANGUAGE LINENO LINES LOGNAME MACHTYPE MAIL OLDPWD OPTARG "
    "OPTIND OSTYPE PAGER PATH PIPESTATUS PPID PS1 PS2 PS3 PS4 PWD RANDOM REPLY SECONDS SHELL "
    "SHELLOPTS SHLVL SRANDOM TEMP TERM TMP TMPDIR TZ UID USER USERNAME VISUAL CDPATH FPATH MANPATH "
    "NF NR FNR FS OFS RS ORS ENVIRON KUBECONFIG "
    "http_proxy https_proxy no_proxy all_proxy"
)
_ENVIRONMENT = frozenset(_SHELL_NAMES.split())
# What tools read from their environment. A label of that name must not choose it.
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

# Labels that a name in capitals means. Any other is filled only by a label in capitals.
_CAPITALS: Mapping[str, tuple[str, ...]] = {
    "ALERTNAME": ("alertname",),
    "APP": ("app",),
    "CLUSTER": ("cluster",),
    "CLUSTER_NAME": ("cluster",),
    "COMPONENT": ("component",),
    "CONSUMERGROUP": ("consumergroup",),
    "CONTAINER": ("container",),
    "CONTAINER_NAME": ("container",),
    "CRONJOB": ("cronjob",),
    "CRONJOB_NAME": ("cronjob",),
    "DAEMONSET": ("daemonset",),
    "DAEMONSET_NAME": ("daemonset",),
    "DATABASE": ("database", "datname"),
    "DATNAME": ("datname",),
    "DEPLOYMENT": ("deployment",),
    "DEPLOYMENT_NAME": ("deployment",),
    "DEVICE": ("device",),
    "ENDPOINT": ("endpoint",),
    "HPA": ("horizontalpodautoscaler",),
    "INGRESS": ("ingress",),
    "INSTANCE": ("instance",),
    "JOB": ("job",),
    "JOB_NAME": ("job_name",),
    "MOUNTPOINT": ("mountpoint",),
    "NAMESPACE": ("namespace",),
    "NODE": ("node",),
    "NODE_NAME": ("node",),
    "NS": ("namespace",),
    "POD": ("pod",),
    "POD_NAME": ("pod",),
    "POD_NAMESPACE": ("namespace",),
    "PV": ("persistentvolume",),
    "PVC": ("persistentvolumeclaim",),
    "PVC_NAME": ("persistentvolumeclaim",),
    "QUEUE": ("queue",),
    "SERVICE": ("service",),
    "SERVICE_NAME": ("service",),
    "STATEFULSET": ("statefulset",),
    "STATEFULSET_NAME": ("statefulset",),
    "TOPIC": ("topic",),
    "VOLUME": ("volume",),
}


def may_fill(place: Place, value: str, before: str = "", after: str = "") -> bool:
    """Whether a value may stand at such a place, between the texts `before` and `after`: it stays
    one argument with exactly that value, is no option, climbs out of no directory and, unless it
    is a whole argument, names no other place (a path, a host with a port, a URL)."""
    pattern = _VALUES.get(place)
    if pattern is None or pattern.fullmatch(value) is None or ".." in value or "://" in value:
        return False
    if place is Place.WHOLE:
        return True
    if "--" in value:
        return False
    return not (
        (value[-1] in ".-" and after[:1] == value[-1])
        or (value[0] in ".-" and before[-1:] == value[0])
    )


def inert(value: str) -> bool:
    """Whether a value may be a whole argument."""
    return may_fill(Place.WHOLE, value)


def token(name: str, *, fails: bool = False) -> str:
    """What stands for a placeholder that is not filled: a plain word which no shell, database or
    other language expands, and which nothing is called. `fails`: where a word that nobody knows
    counts as 0, it ends in what is a mistake there."""
    return f"FILL_IN_{name}?" if fails else f"FILL_IN_{name}"


def of_environment(name: str) -> bool:
    """Whether a name, in the case in which it is written, belongs to the shell or to a tool."""
    return name in _ENVIRONMENT or (name.isupper() and _OF_TOOLS.fullmatch(name) is not None)


def name_of(match: re.Match[str]) -> str:
    """The name in a match of PLACEHOLDER."""
    return match["explicit"] or match["braced"] or match["bare"]


class AlertLabels:
    """The labels of one alert, looked up by a placeholder's name.

    A name in capitals means a label in capitals, or one that a list of aliases has for it; any
    other name means the label of that name whatever its case. `used` collects the labels that
    were asked for and are there, `asked` all names.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self.asked: set[str] = set()
        self._folded: dict[str, str] = {}
        for label in sorted(labels, reverse=True):
            self._folded[label.casefold()] = label
        self.used: set[str] = set()

    def get(self, name: str) -> str | None:
        """The value; the label of exactly that case goes first."""
        self.asked.add(name)
        label = self._label(name)
        if label is None:
            return None
        self.used.add(label)
        return self._labels[label]

    def _label(self, name: str) -> str | None:
        if name in self._labels:
            return name
        if name.isupper():
            aliases = _CAPITALS.get(name, ())
            return next((alias for alias in aliases if alias in self._labels), None)
        return self._folded.get(name.casefold())

    def apart(self) -> "AlertLabels":
        """The same labels, with records of their own."""
        return AlertLabels(self._labels)
