"""Runs commands in real shells, where every program is a stub that writes down its arguments, or
an interpreter that runs what it is given.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.programs import need

SHELLS = ("bash", "dash", "zsh")

# One write each, for the programs of a pipeline write at the same time.
_RECORD = '#!/bin/sh\nprintf "%s\\0" "${0##*/}" "$@" "\n" >> "$RECORD"\n'
_FEED = '#!/bin/sh\nfed=$(cat)\nprintf "%s\\0" "${0##*/}" "$fed" "\n" >> "$RECORD"\n'
_AFTER_DASHES = 'while [ $# -gt 0 ]; do a=$1; shift; [ "$a" = -- ] && exec "$@"; done\n'
# Runs the statement on a table of three rows and writes down how many are left.
_SQL = f"""#!{sys.executable}
import os, sqlite3, sys
given = sys.argv[sys.argv.index("-c") + 1] if "-c" in sys.argv else sys.stdin.read()
table = sqlite3.connect(":memory:")
table.executescript("create table t (id, name); insert into t values (1,'a'), (2,'b'), (3,'c')")
try:
    table.executescript(given)
except sqlite3.Error:
    pass
left = table.execute("select count(*) from t").fetchone()[0]
with open(os.environ["RECORD"], "ab") as record:
    record.write(f"psql\\0{{left}} rows\\0\\n\\0".encode())
"""
_RECORDERS = (
    "c d curl rm redis-cli tar tee docker helm systemctl kubectl-x rsync git crontab mysql mongosh "
    "logcli jq gone"
)
_PROGRAMS = {
    **dict.fromkeys(_RECORDERS.split(), _RECORD),
    "kubectl": _RECORD + _AFTER_DASHES,
    "ssh": _RECORD + '[ $# -gt 1 ] || exec sh; shift; exec sh -c "$*"\n',
    "su": 'while [ $# -gt 0 ]; do a=$1; shift; [ "$a" = -c ] && exec sh -c "$1"; done; exec sh\n',
    "at": "exec sh\n",
    "busybox": 'exec "$@"\n',
    "sudo": 'while case ${1-} in -u) shift ;; -*) ;; *) false ;; esac; do shift; done; exec "$@"\n',
    "watch": 'exec sh -c "$*"\n',
    "feed": _FEED,
    "psql": _SQL,
}
_REAL = (
    "sh", "bash", "xargs", "env", "cat", "timeout", "find", "nohup", "echo", "true", "awk", "sed",
    "grep", "sqlite3", "python3", "printf",
)  # fmt: skip
_DRIVER = """
cd "$ROOM" || exit 1
for case in *; do
  ( cd "$case/here" && RECORD="$ROOM/$case/record" HOME="$ROOM/$case/here" \\
      timeout 10 "$SHELL_UNDER_TEST" ../command )
done > /dev/null 2>&1 < /dev/null
exit 0
"""


@dataclass(frozen=True)
class Ran:
    """The programs that ran, each with its arguments, and the files that are there after."""

    programs: tuple[tuple[str, ...], ...]
    files: tuple[str, ...]

    def with_value(self, placeholder: str, value: str) -> "Ran":
        """The same with another text in the arguments."""
        programs = tuple(
            tuple(word.replace(placeholder, value) for word in words) for words in self.programs
        )
        return Ran(programs, self.files)


class Shell:
    """A real shell in a directory of its own."""

    def __init__(self, name: str, directory: Path) -> None:
        self._shell = need(name)
        self._directory = directory
        self.programs = directory / "programs"
        self.programs.mkdir()
        for name, text in _PROGRAMS.items():
            path = self.programs / name
            path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}")
            path.chmod(0o755)
        for name in _REAL:
            if (found := shutil.which(name)) and name not in _PROGRAMS:
                (self.programs / name).symlink_to(found)

    def run(self, commands: list[str]) -> list[Ran]:
        """Run each of the commands by itself, as a script."""
        room = self._directory / "room"
        shutil.rmtree(room, ignore_errors=True)
        for number, command in enumerate(commands):
            here = room / f"{number:04}" / "here"
            here.mkdir(parents=True)
            (here.parent / "command").write_text(command, encoding="utf-8", errors="replace")
        subprocess.run(
            ["/bin/sh", "-c", _DRIVER],
            env={
                "PATH": str(self.programs),
                "ROOM": str(room),
                "LC_ALL": "C.UTF-8",
                "SHELL_UNDER_TEST": self._shell,
            },
            check=True,
            timeout=300,
        )
        return [_ran(room / f"{number:04}") for number in range(len(commands))]


def _ran(case: Path) -> Ran:
    record = case / "record"
    text = record.read_bytes().decode(errors="surrogateescape") if record.exists() else ""
    programs = [tuple(part.split("\0")[:-1]) for part in text.split("\n\0")[:-1]]
    return Ran(
        tuple(sorted(programs)), tuple(sorted(path.name for path in (case / "here").iterdir()))
    )
