"""A database behind a real PgBouncer: one session for each connection works, sharing them between
transactions is refused."""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from alert_router.outbox.base import StoreRefused
from alert_router.outbox.model import Role, Storage, Verdict
from alert_router.outbox.opening import migrate
from alert_router.outbox.postgres.database import Database
from alert_router.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.kit import A, end, group, names, put, take_one
from tests.postgres import server
from tests.programs import PATIENCE, eventually, free_port, need


@asynccontextmanager
async def pgbouncer(directory: Path, mode: str, round_robin: int = 0) -> AsyncIterator[str]:
    """The URL of the directory's database by way of a PgBouncer with that pool_mode."""
    program = need("pgbouncer")
    url = await server().database(directory)
    port = free_port()
    settings = server().directory / f"pgbouncer-{port}.ini"  # its user reads that
    settings.write_text(f"""
[databases]
* = host=127.0.0.1 port={server().port} user=alert
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
server_round_robin = {round_robin}
""")
    command = [program, str(settings)]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    with (directory / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        through = url.replace(f":{server().port}/", f":{port}/")

        async def answers() -> bool:
            try:
                await (await asyncpg.connect(through)).close()
            except OSError:
                assert process.poll() is None, (directory / "pgbouncer.log").read_text()
                return False
            return True

        await eventually(answers, "PgBouncer to answer")
        yield through
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def test_a_pool_of_sessions_works_with_announcements(tmp_path: Path) -> None:
    async with pgbouncer(tmp_path, "session") as url:
        one, other = [
            await PostgresOutbox.open(Database(url, None, False), Role.SERVICE) for _ in range(2)
        ]
        assert one.owner != other.owner
        heard: list[object] = []
        other.listen(heard.append)
        await put(one, group("one"))
        claim = await take_one(other)
        assert names(claim) == ["one"]
        await end(other, claim, Verdict.RETRY, due_at=0)
        one.announce(A)
        await eventually(lambda: A in heard, "the announcement")
        await one.close()
        await other.close()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("round_robin", [0, 1])
async def test_a_pool_that_shares_sessions_is_refused_with_what_to_do(
    tmp_path: Path, mode: str, round_robin: int
) -> None:
    """For services, commands and `storage migrate`, before anything is changed."""
    async with pgbouncer(tmp_path, mode, round_robin) as url:
        for role in Role:
            with pytest.raises(StoreRefused, match="pool_mode to session"):
                await PostgresOutbox.open(Database(url, None, False), role)
        with pytest.raises(StoreRefused, match="pool_mode to session"):
            await migrate(Storage(tmp_path / "unused", url=url))
    connection = await asyncpg.connect(await server().database(tmp_path))
    assert await connection.fetchval("SELECT to_regnamespace('alert_router')") is None
    await connection.close()
