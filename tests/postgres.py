"""A PostgreSQL server of the tests' own: in a temporary directory, with fsync on, and under another
user than root."""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.programs import PATIENCE, free_port

SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = on
synchronous_commit = on
shared_buffers = 64MB
max_connections = 60
deadlock_timeout = 200ms
max_wal_size = 256MB
logging_collector = off
"""


class Server:
    """One server, started; `url` is that of its first database."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.directory = Path(tempfile.mkdtemp(prefix="alert-router-postgres-"))
        self.data = self.directory / "data"
        self.port = free_port()
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-D", str(self.data), "-U", "alert", "-A", "trust", "-E", "UTF8")
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"{SETTINGS}port = {self.port}\n")
        self.start()
        atexit.register(self.remove)

    @property
    def url(self) -> str:
        return self.of("postgres")

    def of(self, database: str, port: int | None = None) -> str:
        """The URL of a database, perhaps by way of another port."""
        return f"postgresql://alert@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        log = str(self.directory / "log")
        self._run("pg_ctl", "-D", str(self.data), "-l", log, "-w", "-t", f"{PATIENCE:.0f}", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-t", f"{PATIENCE:.0f}", "stop")

    def cpu_seconds(self) -> float:
        """The CPU time of all its processes until now, also of those that have ended (proc(5))."""
        ticks = 0
        for number, pid in enumerate(self._pids()):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            # Those of its children that have ended are counted at the first process.
            ticks += sum(map(int, fields[11 : 13 if number else 15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def freeze(self, number: signal.Signals) -> None:
        """Send SIGSTOP or SIGCONT to all of its processes."""
        for pid in self._pids():
            os.kill(pid, number)

    def _pids(self) -> list[int]:
        main = (self.data / "postmaster.pid").read_text().splitlines()[0]
        return [
            int(main),
            *map(int, Path(f"/proc/{main}/task/{main}/children").read_text().split()),
        ]

    async def database(self, directory: Path) -> str:
        """The URL of the database that belongs to a directory, made if it is missing."""
        name = f"t{sha256(bytes(directory)).hexdigest()[:16]}"
        connection = await asyncpg.connect(self.url)
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        finally:
            await connection.close()
        return self.of(name)

    async def execute(self, statement: str, database: str = "postgres") -> None:
        connection = await asyncpg.connect(self.of(database))
        await connection.execute(statement)
        await connection.close()

    async def value(self, question: str, url: str) -> Any:
        connection = await asyncpg.connect(url)
        found = await connection.fetchval(question)
        await connection.close()
        return found

    def remove(self) -> None:
        try:
            self.freeze(signal.SIGCONT)
            self.stop()
        except (subprocess.CalledProcessError, OSError):
            pass
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            command = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                *command,
            ]
        with (self.directory / "commands").open("ab") as output:
            subprocess.run(command, check=True, stdout=output, stderr=output, cwd="/")


def programs() -> Path | None:
    """Where the programs of the newest installed PostgreSQL are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@cache
def server() -> Server:
    """The server of this process; the test is skipped without PostgreSQL."""
    found = programs()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    return Server(found)
