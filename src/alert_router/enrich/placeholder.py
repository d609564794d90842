"""What a placeholder looks like, and which of an alert's labels it means.

Whether a value may stand at a certain place is for whoever knows the place's language.
"""

import re
from collections.abc import Mapping

# `$name`, `${name}` and `{{ $labels.name }}`. A `$` after another belongs to `$$`.
PLACEHOLDER = re.compile(
    r"\{\{\s*\$labels\.(?P<explicit>[A-Za-z_]\w*)\s*\}\}"
    r"|(?<!\$)\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<bare>[A-Za-z_]\w*))",
    re.ASCII,
)

# A value that means itself wherever a word may stand: nothing in it is special to a shell, it is
# no option and it climbs out of no directory.
_INERT = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_.:/-]{0,252}", re.ASCII)

# Characters of a value that is put into a query or an address, or shown beside a command. A label
# may hold megabytes, and each of its places would make the message grow by as much.
LONGEST = 2000

# Names that belong to whoever pastes the command, never to the alert (bash(1), environ(7)).
_SHELL_NAMES = (
    "_ COLUMNS DIRSTACK EDITOR ENV EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS HISTFILE HOME "
    "HOSTNAME HOSTTYPE IFS LANG LANGUAGE LINENO LINES LOGNAME MACHTYPE MAIL OLDPWD OPTARG OPTIND "
    "OSTYPE PAGER PATH PIPESTATUS PPID PS1 PS2 PS3 PS4 PWD RANDOM REPLY SECONDS SHELL SHELLOPTS "
    "SHLVL SRANDOM TEMP TERM TMP TMPDIR TZ UID USER USERNAME VISUAL"
)
_ENVIRONMENT = frozenset(_SHELL_NAMES.split())
_ENVIRONMENT_PREFIX = ("BASH", "LC_", "XDG_", "SSH_", "SUDO_")


def inert(value: str) -> bool:
    """Whether a value is plain enough to be put into a command or into prose."""
    return _INERT.fullmatch(value) is not None and ".." not in value


def of_environment(name: str) -> bool:
    """Whether a name, in the case in which it is written, is the shell's own."""
    return name in _ENVIRONMENT or name.startswith(_ENVIRONMENT_PREFIX)


def name_of(match: re.Match[str]) -> str:
    """The name in a match of PLACEHOLDER."""
    return match["explicit"] or match["braced"] or match["bare"]


class AlertLabels:
    """The labels of one alert, looked up by a placeholder's name whatever its case.

    `used` collects the labels that were asked for and are there, `asked` all names.
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
        label: str | None = name if name in self._labels else self._folded.get(name.casefold())
        if label is None:
            return None
        self.used.add(label)
        return self._labels[label]

    def apart(self) -> "AlertLabels":
        """The same labels, with records of their own."""
        return AlertLabels(self._labels)
