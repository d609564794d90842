"""Faults of the disk under a running program, by strace: it is attached to the program when the
fault begins, and ends with it."""

import asyncio
import ctypes
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.programs import Process, eventually, need

_PR_SET_PTRACER, _ANY = 0x59616D61, -1


def traceable() -> None:
    """For `preexec_fn`: any process of this user may be attached to it."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY, 0, 0, 0)  # unknown where it is not needed


@asynccontextmanager
async def syncs_that(fault: str, process: Process) -> AsyncIterator[Path]:
    """For the length of the block, what strace calls `fault` happens to each sync of a file; the
    log of them. Where no process may be attached to another, the test is skipped."""
    folder = process.log.parent
    if why := await _refusal(folder):
        pytest.skip(f"strace cannot be attached: {why}")
    log = folder / "strace.log"
    calls = "fdatasync,fsync"
    tracer = _strace(process, log, "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}")

    def is_attached() -> bool:
        assert process.popen.poll() is None, process.text()
        assert tracer.popen.poll() is None, tracer.text()
        return _is_traced(process, tracer)

    try:
        await eventually(is_attached, "strace to be attached")
        yield log
    finally:
        # Without it the program goes on, also in the middle of a call.
        await asyncio.to_thread(tracer.end, signal.SIGKILL)


_refusals: list[str] = []  # what was found out, once: "" where strace works


async def _refusal(folder: Path) -> str:
    """Why strace cannot be attached to a process that does nothing: ptrace is not allowed here."""
    if not _refusals:
        idle = Process(["sleep", "inf"], folder / "idle.log", preexec_fn=traceable)
        tracer = _strace(idle, folder / "idle-strace.log")
        try:
            await eventually(
                lambda: tracer.popen.poll() is not None or _is_traced(idle, tracer),
                "strace to be attached, or to say why not",
            )
            has_ended = tracer.popen.poll() is not None
            _refusals.append(tracer.text() or "it ended" if has_ended else "")
        finally:
            tracer.end(signal.SIGKILL)
            idle.end(signal.SIGKILL)
    return _refusals[0]


def _strace(process: Process, log: Path, *arguments: str) -> Process:
    command = [need("strace"), "-f", "-qq", "-o", str(log), "-p", str(process.popen.pid)]
    return Process([*command, *arguments], log.with_suffix(".err"))


def _is_traced(process: Process, tracer: Process) -> bool:
    """Whether the tracer is attached to all threads of a process."""
    tracers = set()
    for thread in Path(f"/proc/{process.popen.pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            tracers.add((thread / "status").read_text().split("\nTracerPid:\t")[1].split()[0])
    return tracers == {str(tracer.popen.pid)}
