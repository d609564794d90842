"""The coverage of the rule files in `checks.rules`, as `alert-router coverage` reports it, and of
that what a page shows.

The command runs in a process of its own: the parser of PromQL can end the process that it runs in,
and this one notifies people.
"""

import asyncio
import json
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path, PurePath
from time import monotonic
from typing import Any

import structlog

from alert_router.aside import Aside
from alert_router.redaction import clip
from alert_router.runtime import Runtime
from alert_router.watch import fingerprint

log = structlog.get_logger(__name__)

_SECONDS = 60.0  # for a report
_CPU_SECONDS = 120  # what it may use if this process ends before it
_MOST_MEMORY = 160 * 1024**2  # bytes of data
_MOST_OUTPUT = 4 * 1024**2  # bytes
_MOST_LISTED = 500  # alerts, problems and files
_LONGEST = 300  # characters of what a rule file says
_MOST_LINES, _LONGEST_LINE = 40, 300  # of what it says is wrong
_NICE = 5  # webhooks come first
_AGAIN = 60.0  # seconds after which what failed is tried again, although no file has changed
_BY_HAND = "Run `alert-router coverage` to see why."
_MODULE = "alert_router"
_TOTALS = ("alerts", "covered", "depends", "uncovered", "percent")
_ORDER = ("uncovered", "depends", "says nothing", "covered", "none-wanted")


@dataclass(frozen=True, slots=True)
class RuleAlert:
    """An alert that a rule defines, and the ids of the runbooks that it can get. `why` says what
    its state depends on, or why a message says nothing to do."""

    name: str
    severity: str
    place: str
    state: str
    runbooks: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What the command reports, of its lists the first entries and how many there are more, alerts
    without a runbook first; without a report, `failure` says why for people."""

    alerts: tuple[RuleAlert, ...] = ()
    more_alerts: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    silent: int = 0
    problems: tuple[tuple[str, str, str], ...] = ()  # place, severity and message
    more_problems: int = 0
    passed_over: tuple[tuple[str, str], ...] = ()  # file and reason
    more_passed_over: int = 0
    failure: str = ""


class RuleCoverage:
    """The latest report, made again when it is asked for and a file that it is made of has changed.
    There is one process at a time."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._seen = b""
        self._report = RuleReport()
        self._failed_at = 0.0
        self._process: asyncio.subprocess.Process | None = None
        self._is_closed = False

    async def read(self, runtime: Runtime, aside: Aside) -> RuleReport:
        """The report for the files as they are."""
        async with self._one:
            seen = runtime.seen + await aside.run(_fingerprint, runtime)
            is_due = self._report.failure and monotonic() > self._failed_at + _AGAIN
            if seen != self._seen or is_due:
                self._report = await self._make(runtime, aside)
                self._seen = seen
                if self._report.failure:
                    self._failed_at = monotonic()
                    log.warning("rule coverage failed", error=self._report.failure)
            return self._report

    def close(self) -> None:
        """End the process that runs, and start none again."""
        self._is_closed = True
        self._kill()

    async def _make(self, runtime: Runtime, aside: Aside) -> RuleReport:
        if self._is_closed:
            return RuleReport(failure="The router is stopping.")
        config = runtime.loaded.files[0]
        limits = (str(_MOST_MEMORY), str(_CPU_SECONDS), str(_NICE))
        command = (_MODULE, "coverage", "--config", config, "--output", "json")
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-m", "alert_router.bounded", *limits, *command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
            )
        except OSError as error:
            return RuleReport(failure=f"No process can be started: {error.strerror}.")
        try:
            async with asyncio.timeout(_SECONDS):
                printed, errors = await asyncio.gather(
                    self._up_to(_MOST_OUTPUT, self._process.stdout),
                    self._up_to(_MOST_OUTPUT, self._process.stderr),
                )
                status = await self._process.wait()
        except TimeoutError:
            return RuleReport(
                failure=f"The rules could not be read within {_SECONDS:g} s. {_BY_HAND}"
            )
        finally:
            self._kill()
            await self._process.wait()
            self._process = None
        if printed is None or errors is None:
            most = f"{_MOST_OUTPUT // 1024**2} MiB"
            return RuleReport(failure=f"The report on the rules is larger than {most}. {_BY_HAND}")
        if status < 0:
            name = signal.Signals(-status).name
            return RuleReport(
                failure=f"The process that reads the rules ended by {name}. {_BY_HAND}"
            )
        try:
            return await aside.run(_report, printed)
        except ValueError:  # such as a configuration that cannot be read any more
            return RuleReport(failure=_why(errors.decode(errors="replace")))

    async def _up_to(self, most: int, stream: asyncio.StreamReader | None) -> bytes | None:
        """Everything that the process writes; None once that is too much, and it is ended."""
        parts: list[bytes] = []
        while stream is not None and (part := await stream.read(65_536)):
            parts.append(part)
            most -= len(part)
            if most < 0:
                self._kill()
                return None
        return b"".join(parts)

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()


def _fingerprint(runtime: Runtime) -> bytes:
    paths: list[Path] = []
    for name in runtime.config.checks.rules:
        found = sorted(glob(str(name), recursive=True))  # noqa: PTH207 - with ** and no base
        paths += map(Path, found or [str(name)])
    return fingerprint(paths)


def _report(printed: bytes) -> RuleReport:
    """What is kept of the command's JSON; ValueError for anything else."""
    try:
        data = json.loads(printed)
        problems, passed_over = data["problems"], data["passed_over"]
        alerts = sorted(map(_alert, data["alerts"]), key=lambda it: _ORDER.index(it.state))
        return RuleReport(
            alerts=tuple(alerts[:_MOST_LISTED]),
            more_alerts=max(0, len(alerts) - _MOST_LISTED),
            totals={key: data["totals"][key] for key in _TOTALS},
            silent=data["says_nothing"],
            problems=tuple(
                (_file_place(it), it["severity"], it["message"]) for it in problems[:_MOST_LISTED]
            ),
            more_problems=max(0, len(problems) - _MOST_LISTED),
            passed_over=tuple(
                (PurePath(it["file"]).name, it["reason"]) for it in passed_over[:_MOST_LISTED]
            ),
            more_passed_over=max(0, len(passed_over) - _MOST_LISTED),
        )
    except (TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ValueError("no report") from error


def _alert(it: dict[str, Any]) -> RuleAlert:
    choices, state = it["choices"], it["state"]
    silent = [choice["reason"] for choice in choices if choice["says"] is False]
    if state == "covered" and silent:
        state = "says nothing"
    causes = [f"the label {label}" for label in it["depends_on"]]
    if it["template"]:
        causes.append(f"the annotation {it['template']}")
    why = f"depends on {' and '.join(causes)}" if state == "depends" and causes else ""
    return RuleAlert(
        name=clip(it["alert"], _LONGEST),
        severity=clip(it["severity"] or "", _LONGEST),
        place=_file_place(it),
        state=state,
        runbooks=tuple(dict.fromkeys(choice["runbook"] for choice in choices if choice["runbook"])),
        why="; ".join(filter(None, [why, *dict.fromkeys(silent)])),
    )


def _file_place(it: dict[str, Any]) -> str:
    """Without the directory, which says nothing to whoever reads a page."""
    return f"{PurePath(it['file']).name}:{it['line']}"


def _why(errors: str) -> str:
    """Why the command reports nothing, of what it writes to standard error."""
    lines = errors.strip().splitlines()
    if lines and lines[-1].startswith("MemoryError"):
        return f"The rules need more than {_MOST_MEMORY // 1024**2} MiB of memory. {_BY_HAND}"
    if errors.startswith("Traceback"):
        return f"{clip(lines[-1], _LONGEST_LINE)}. {_BY_HAND}"
    text = "\n".join(clip(line, _LONGEST_LINE) for line in lines[:_MOST_LINES])
    return text or f"No report. {_BY_HAND}"
