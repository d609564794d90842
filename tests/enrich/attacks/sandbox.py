"""Runs commands in a real shell among stubs: as a script, or pasted at an interactive prompt."""

import os
import pty
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.enrich.attacks.stubs import install
from tests.programs import PATIENCE, need

SHELLS = ("bash", "dash", "zsh")

# Each text in a subshell of one shell. Descriptor 9 stays open in whatever goes on behind it, so
# that the run ends only when all have ended.
_DRIVER = """
for CASE in "$ROOM"/*; do
  export CASE; export RECORD="$CASE/record" HOME="$CASE/home"
  ( exec 9>&1 </dev/null >"$CASE/stdout" 2>"$CASE/stderr"; cd "$CASE/here" || exit
    . "$CASE/command"
    wait )
done
"""
_INTERACTIVE = {"bash": ("--norc", "--noprofile", "-i"), "dash": ("-i",), "zsh": ("-f", "-i")}
_FILES = {
    "f": "alpha one\nbeta two\ngamma three\n",
    "n": "alpha 100\nbeta 200\ngamma 300\n",
    "marker-a": "",
    "marker-b": "",
    "logs/x.log": "",
}
# Every shell has these; what else a program finds in its environment, the commands put there.
_USUAL = re.compile(
    r"export (?:CASE|RECORD|ROOM|HOME|PATH|PWD|OLDPWD|SHLVL|LC_ALL|TERM|_|LOGNAME|USER|SHELL"
    r"|LINES|COLUMNS|PS1|PROMPT)(?:=|$)"
)


@dataclass(frozen=True, order=True)
class Program:
    """A program that ran. A line that a shell printed is one too, `stdout`; so is a new `file`."""

    name: str
    directory: str
    environment: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        words = " ".join(repr(word) for word in self.arguments)
        where = f" in {self.directory}" if self.directory != "/here" else ""
        return f"{self.name} {words}{where}{self.environment and f' with {self.environment}'}"


@dataclass(frozen=True)
class Ran:
    """What a text did, in no order, and the names of the files that are there after it."""

    programs: tuple[Program, ...]
    files: tuple[str, ...]
    errors: str = ""

    def __str__(self) -> str:
        return "\n".join(f"    {program}" for program in self.programs) or "    nothing"


class Sandbox:
    """A real shell with directories of its own."""

    def __init__(self, name: str, programs: Path, rooms: Path) -> None:
        self.name = name
        self._shell = need(name)
        self._programs = programs
        self._rooms = rooms
        install(self._programs)

    def run(self, texts: Sequence[str]) -> list[Ran]:
        """Run each of the texts as a script."""
        room = self._room(texts)
        with subprocess.Popen(
            [self._shell, *(("-f",) if self.name == "zsh" else ()), "-c", _DRIVER],
            env=self._environment(room),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as driver:
            try:
                driver.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(driver.pid, signal.SIGKILL)
                raise
        return [_ran(room / f"{number:04}") for number in range(len(texts))]

    def paste(self, text: str) -> Ran:
        """Paste a text at a prompt. A line that ends the paste must come through: a text that
        swallows it, in a quote or a here-document, has another shape than the author's."""
        room = self._room([text])
        case = room / "0000"
        record = case / "record"
        environment = self._environment(room) | {
            "CASE": str(case), "RECORD": str(record), "HOME": str(case / "home"), "TERM": "dumb",
            "PS1": "> ",
        }  # fmt: skip
        parent, child = pty.openpty()
        process = subprocess.Popen(
            [self._shell, *_INTERACTIVE[self.name]],
            stdin=child, stdout=child, stderr=child, cwd=case / "here", env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(child)
        echoed: list[bytes] = []
        reader = threading.Thread(target=_drain, args=(parent, echoed), daemon=True)
        reader.start()
        try:
            os.write(parent, f"{text}\ngone\n".encode())
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                if record.exists() and b"gone\0" in record.read_bytes():
                    break
                time.sleep(0.01)
            else:
                screen = b"".join(echoed).decode(errors="replace")
                raise AssertionError(f"the shell is still waiting for the end of\n{text}\n{screen}")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            reader.join(PATIENCE)
            os.close(parent)
        ran = _ran(case)
        programs = tuple(program for program in ran.programs if program.name != "gone")
        return Ran(programs, ran.files)

    def _room(self, texts: Sequence[str]) -> Path:
        room = self._rooms / self.name
        shutil.rmtree(room, ignore_errors=True)
        for number, text in enumerate(texts):
            case = room / f"{number:04}"
            for directory in ("here/logs", "here/data", "home"):
                (case / directory).mkdir(parents=True)
            for name, content in _FILES.items():
                (case / "here" / name).write_text(content)
            # Not write_text, which would turn line ends into others.
            (case / "command").write_bytes(text.encode(errors="replace") + b"\n")
        return room

    def _environment(self, room: Path) -> dict[str, str]:
        return {"PATH": str(self._programs), "ROOM": str(room), "LC_ALL": "C.UTF-8"}


def _drain(descriptor: int, into: list[bytes]) -> None:
    try:
        while data := os.read(descriptor, 65536):
            into.append(data)
    except OSError:  # the shell has ended
        pass


def _ran(case: Path) -> Ran:
    def read(name: str) -> str:
        path = case / name
        text = path.read_bytes().decode(errors="surrogateescape") if path.exists() else ""
        return text.replace(str(case), "")

    programs = []
    for record in read("record").split("\0@@END@@\0")[:-1]:
        name, directory, exported, *arguments = record.split("\0")
        kept = [line for line in exported.splitlines() if not _USUAL.match(line)]
        programs.append(Program(name, directory, "; ".join(kept), tuple(arguments)))
    programs += [Program("stdout", "/here", "", (line,)) for line in read("stdout").splitlines()]
    files = []
    for path in sorted(case.rglob("*")):
        name = str(path.relative_to(case))
        if path.is_file() and name not in ("command", "record", "stdout", "stderr"):
            files.append(name)
            content = path.read_text(errors="replace")
            if _FILES.get(name.removeprefix("here/")) != content:
                programs.append(Program("file", "/here", "", (content,)))
    return Ran(tuple(sorted(programs)), tuple(files), read("stderr"))
