"""Routers that start at once, as forks of a process that has imported the program. The imports are
nearly all that a start takes, and tests start hundreds of routers.

What is imported here is what every `serve` imports, and nothing of it runs before the fork.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from multiprocessing.connection import Connection, Pipe
from pathlib import Path


class Forked:
    """A running `alert-router` with these arguments, and this process's directory and environment;
    as much of `subprocess.Popen` as tests use. Its output goes to a descriptor."""

    def __init__(self, arguments: list[str], output: int) -> None:
        order = {"arguments": arguments, "directory": str(Path.cwd())}
        order["environment"] = dict(os.environ)
        self._results, its_end = Pipe(duplex=False)
        with its_end:
            fds = [output, its_end.fileno()]
            socket.send_fds(_server(), [json.dumps(order).encode()], fds)
        self.pid: int = self._results.recv()
        self._returncode: int | None = None
        self._reading = threading.Lock()

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        with self._reading:
            if self._returncode is None and self._results.poll():
                self._returncode = self._results.recv()
            return self._returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended. Raises TimeoutExpired."""
        self._results.poll(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("alert-router", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@cache
def _server() -> socket.socket:
    """Where the process that forks takes orders. It ends with this one."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(there.fileno())],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        here.close()
        process.wait()

    atexit.register(end)
    return here


def _serve(orders: socket.socket) -> None:
    """Fork for each order, until whoever gives them has ended."""
    from alert_router.cli.commands import serve  # noqa: F401 - it is what takes long

    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who wait for a router need no burial
    while True:
        order, (*fds,), *_ = socket.recv_fds(orders, 1 << 20, 2)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            _run(json.loads(order), *fds)
        for fd in fds:
            os.close(fd)


def _run(order: dict, output: int, results_end: int) -> None:
    """Run the router, in a fork of which this one reports the process id and the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        with Connection(results_end) as results:
            results.send(pid)
            _, status = os.waitpid(pid, 0)
            results.send(os.waitstatus_to_exitcode(status))
        os._exit(0)
    from alert_router.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard in (sys.stdout, sys.stderr):
        os.dup2(output, standard.fileno())
    for fd in (output, results_end):
        os.close(fd)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    sys.argv = ["alert-router", *order["arguments"]]
    main()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
