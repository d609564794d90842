"""Which commands are more than a name and arguments. Options as in their manuals.

An option that is not listed makes the reader give up on the command, never guess.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A command that runs another. `valued` options take a word; `positional` words go before
    the command; `assigns`: so do assignments; `joins`: the words become one shell text."""

    flags: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    positional: int = 0
    assigns: bool = False
    joins: bool = False


def _wrapper(
    flags: str = "",
    valued: str = "",
    positional: int = 0,
    assigns: bool = False,
    joins: bool = False,
) -> Wrapper:
    return Wrapper(frozenset(flags.split()), frozenset(valued.split()), positional, assigns, joins)


WRAPPERS = {
    "sudo": _wrapper("-n -E -H -k -S -b", "-u -g", assigns=True),
    "doas": _wrapper("-n", "-u"),
    "env": _wrapper("-i", "-u", assigns=True),
    "nohup": _wrapper(),
    "setsid": _wrapper("-w -f"),
    "nice": _wrapper("", "-n"),
    "ionice": _wrapper("-t", "-c -n"),
    "stdbuf": _wrapper("", "-o -e -i"),
    "timeout": _wrapper("-v --foreground --preserve-status", "-s -k", positional=1),
    "time": _wrapper("-p -v"),
    "exec": _wrapper("-c -l"),
    "command": _wrapper("-p"),
    "builtin": _wrapper(),
    "xargs": _wrapper("-r -t -0 --no-run-if-empty --null", "-n -P -L -I -d"),
    "watch": _wrapper("-d -t -e -g -c", "-n", joins=True),
    "strace": _wrapper("-f", "-e -s"),
}

SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "ash", "rbash"))

# Each runs, evaluates or obeys what it is given in a way that is not followed here.
_OBEYED = (
    "source . alias unalias set shopt enable bind complete compgen hash history fc su runuser "
    "script at batch crontab parallel tmux screen chroot nsenter unshare sed gsed vi vim nvim ed "
    "ex emacs nano python python2 python3 perl ruby node php lua expect busybox toybox fish csh "
    "tcsh pwsh osascript systemd-run flock gdb start-stop-daemon ansible salt pssh pdsh clush "
    "make caffeinate entr taskset chrt numactl unbuffer rlwrap hyperfine m4 bc dc "
    "if then elif else while until do for select case function coproc "
    "torify proxychains proxychains4 dbus-run-session xvfb-run fakeroot gosu pkexec run0"
)
OBEYED = frozenset(_OBEYED.split())

# These have `$name`s of their own in their programs.
OWN_VARIABLES = frozenset(("awk", "gawk", "mawk", "nawk", "jq", "gojq", "yq", "envsubst"))

TARGETS = {
    **dict.fromkeys(
        ("kubectl", "oc", "k", "kubecolor"), frozenset(("exec", "run", "debug", "rsh"))
    ),
    **dict.fromkeys(
        ("docker", "podman", "nerdctl", "crictl", "docker-compose", "lxc"),
        frozenset(("exec", "run", "create")),
    ),
}

SSH_VALUED = frozenset(f"-{letter}" for letter in "bcDEeFIiJLlmOopQRSWwB")
