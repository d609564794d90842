"""What a placeholder looks like, which label it means, and which values may fill it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

# `$name`, `${name}` and `{{ $labels.name }}`. A `$` after another belongs to `$$`.
PLACEHOLDER = re.compile(
    r"\{\{\s*\$labels\.(?P<explicit>[A-Za-z_]\w*)\s*\}\}"
    r"|(?<!\$)\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<bare>[A-Za-z_]\w*))",
    re.ASCII,
)

# Characters of a value in a query or a URL, or shown beside a command. A label may hold megabytes,
# and each placeholder would add as much to the message.
LONGEST = 2000


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

# The labels that a name in capitals means. Any other is filled only by a label in capitals.
_SAME_NAME = (
    "alertname app cluster component consumergroup container cronjob daemonset datname deployment "
    "device endpoint ingress instance job job_name mountpoint namespace node pod queue service "
    "statefulset topic volume"
)
_WITH_NAME = "cluster container cronjob daemonset deployment node pod service statefulset"
_CAPITALS: Mapping[str, tuple[str, ...]] = {
    **{label.upper(): (label,) for label in _SAME_NAME.split()},
    **{f"{label.upper()}_NAME": (label,) for label in _WITH_NAME.split()},
    "DATABASE": ("database", "datname"),
    "HPA": ("horizontalpodautoscaler",),
    "NS": ("namespace",),
    "POD_NAMESPACE": ("namespace",),
    "PV": ("persistentvolume",),
    "PVC": ("persistentvolumeclaim",),
    "PVC_NAME": ("persistentvolumeclaim",),
}


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
    return f"FILL_IN_{name}?" if fails else f"FILL_IN_{name}"


def of_environment(name: str) -> bool:
    """Whether a name, as written, is a variable of the shell or of a tool."""
    return name in _ENVIRONMENT or (name.isupper() and _OF_TOOLS.fullmatch(name) is not None)


def name_of(match: re.Match[str]) -> str:
    """The name in a match of PLACEHOLDER."""
    return match["explicit"] or match["braced"] or match["bare"]


class AlertLabels:
    """The labels of one alert, by placeholder name.

    A name in capitals means a label in capitals or a known alias; any other name means the label
    of that name, case ignored. `asked` collects the names looked up, `used` the labels found.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self.asked: set[str] = set()
        self._folded: dict[str, str] = {}
        for label in sorted(labels, reverse=True):
            self._folded[label.casefold()] = label
        self.used: set[str] = set()

    def get(self, name: str) -> str | None:
        """The value, preferring the label of exactly that case."""
        self.asked.add(name)
        label = self._label(name)
        if label is None:
            return None
        self.used.add(label)
        return self.labels[label]

    def _label(self, name: str) -> str | None:
        if name in self.labels:
            return name
        if name.isupper():
            aliases = _CAPITALS.get(name, ())
            return next((alias for alias in aliases if alias in self.labels), None)
        return self._folded.get(name.casefold())


class Slot(Protocol):
    """A placeholder in a text. `otherwise` is the text used if it is not filled."""

    @property
    def name(self) -> str: ...
    @property
    def otherwise(self) -> str: ...
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
            value = labels.get(part.name)
            filled = None if value is None else part.fill(value)
            if value is not None and filled is None:
                beside[part.name, value] = None
            out.append(part.otherwise if filled is None else filled)
        return Filled("".join(out), tuple(beside))

    @property
    def slots(self) -> Iterator[S]:
        """Its placeholders."""
        return (part for part in self.parts if not isinstance(part, str))
