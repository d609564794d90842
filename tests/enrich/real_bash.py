"""Runs commands in the real bash, where every program is one that writes down its arguments."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# One write each, for the programs of a pipeline write at the same time.
_RECORD = '#!/bin/sh\nprintf "%s\\0" "${0##*/}" "$@" "\n" >> "$RECORD"\n'
_FEED = '#!/bin/sh\nfed=$(cat)\nprintf "%s\\0" "${0##*/}" "$fed" "\n" >> "$RECORD"\n'
_PROGRAMS = {
    "c": _RECORD,
    "d": _RECORD,
    "kubectl": _RECORD + 'while [ $# -gt 0 ]; do a=$1; shift; [ "$a" = -- ] && exec "$@"; done\n',
    "ssh": _RECORD + 'shift; exec sh -c "$*"\n',
    "sudo": 'exec "$@"\n',
    "watch": 'exec sh -c "$*"\n',
    "jq": _RECORD,
    "feed": _FEED,
}
_REAL = ("sh", "bash", "xargs", "env", "cat", "timeout", "find", "nohup", "rm", "echo", "true")
# Everything runs in a directory of its own; what is no program is written down as well.
_DRIVER = """
command_not_found_handle() {
  printf '%s\\0' "not found" "$@" $'\\n' >> "$RECORD"; return 127
}
export -f command_not_found_handle
cd "$ROOM" || exit 1
for case in *; do
  ( cd "$case/here" && export RECORD="$ROOM/$case/record" && . ../command )
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


class Bash:
    """The real bash in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._programs = directory / "programs"
        self._programs.mkdir()
        for name, text in _PROGRAMS.items():
            path = self._programs / name
            path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}")
            path.chmod(0o755)
        for name in _REAL:
            found = shutil.which(name)
            assert found, name
            (self._programs / name).symlink_to(found)

    def run(self, commands: list[str]) -> list[Ran]:
        """Run each of the commands by itself."""
        room = self._directory / "room"
        shutil.rmtree(room, ignore_errors=True)
        for number, command in enumerate(commands):
            here = room / f"{number:04}" / "here"
            here.mkdir(parents=True)
            (here.parent / "command").write_text(command, encoding="utf-8", errors="replace")
        bash = shutil.which("bash")
        assert bash
        subprocess.run(
            [bash, "--norc", "--noprofile", "-c", _DRIVER],
            env={"PATH": str(self._programs), "ROOM": str(room), "LC_ALL": "C.UTF-8"},
            check=True,
            timeout=60,
        )
        return [_ran(room / f"{number:04}") for number in range(len(commands))]


def _ran(case: Path) -> Ran:
    record = case / "record"
    text = record.read_bytes().decode(errors="surrogateescape") if record.exists() else ""
    programs = [tuple(part.split("\0")[:-1]) for part in text.split("\n\0")[:-1]]
    return Ran(
        tuple(sorted(programs)), tuple(sorted(path.name for path in (case / "here").iterdir()))
    )
