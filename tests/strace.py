"""Faults of the disk under a running program, by strace: it is attached to the program when the
fault begins, and ends with it."""

import asyncio
import ctypes
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
    log of them."""
    pid = process.popen.pid
    log = process.log.with_name("strace.log")
    calls = "fdatasync,fsync"
    tracer = Process(
        [
            *(need("strace"), "-f", "-qq", "-o", str(log), "-p", str(pid)),
            *("-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"),
        ],
        log.with_suffix(".err"),
    )

    def is_attached() -> bool:
        if tracer.popen.poll() is not None:
            assert "Operation not permitted" in tracer.text(), tracer.text()
            pytest.skip(f"strace may not be attached: {tracer.text()}")
        return all(
            f"\nTracerPid:\t{tracer.popen.pid}\n" in (thread / "status").read_text()
            for thread in Path(f"/proc/{pid}/task").iterdir()
        )

    try:
        await eventually(is_attached, "strace to be attached")
        yield log
    finally:
        # Without it the program goes on, also in the middle of a call.
        await asyncio.to_thread(tracer.end, signal.SIGKILL)
