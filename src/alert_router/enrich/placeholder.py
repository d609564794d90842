"""What a placeholder looks like, and which values may fill it."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from alert_router.enrich.labels import AlertLabels

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

_NOT_IN_NAME = re.compile(r"\W+", re.ASCII)


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
