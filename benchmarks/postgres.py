"""PostgreSQL alone: how long a claim takes with many deliveries pending, over that with none; and
how much tables and indexes grow while deliveries come and go, as they do in days.

`PENDING` and `CHURN` in the environment say how many deliveries. docs/scaling.md has figures for a
million pending.
"""

import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvloop

from alert_router.outbox.base import Outbox
from alert_router.outbox.model import Settlement, Verdict
from benchmarks.programs import report
from benchmarks.store import LATER, SOON, deliver, fill, group, opened, postgres, rate

PENDING = int(os.environ.get("PENDING", "100000"))
CHURN = int(os.environ.get("CHURN", "50000"))
CLAIMS = 300
ROUNDS = 10  # of the churn, each with its pruning
_DAY = 86_400.0

# Half of the lanes are due and half back off, for one destination: as while it is failing.
_MANY = """
WITH identities AS (
    INSERT INTO identity (digest, content, group_id, accepted_at)
    SELECT sha256(CAST(CAST(n AS text) AS bytea)), '', 'g' || n, $2 FROM generate_series(1, $1) n
    RETURNING id
), lanes AS (
    INSERT INTO lane (identity, destination, phase, priority, oldest, due_at)
    SELECT id, $3, 1 + id % 2, 1, $2 + id * 0.001, $2 + 86400 FROM identities RETURNING id
), groups AS (
    INSERT INTO alert_group (id, accepted_at, body)
    SELECT 'g' || n, $2, decode(repeat('6d', 1024), 'hex') FROM generate_series(1, $1) n
    RETURNING seq
), pairs AS (
    SELECT l.id AS lane, g.seq AS alert_group
    FROM (SELECT id, row_number() OVER () AS n FROM lanes) l
    JOIN (SELECT seq, row_number() OVER () AS n FROM groups) g USING (n)
)
INSERT INTO delivery (lane, destination, alert_group, priority, accepted_at, fingerprints)
SELECT lane, $3, alert_group, 1, $2, '["0000000000000001"]' FROM pairs"""

_SIZES = """
SELECT relname, pg_total_relation_size(relid), n_live_tup, n_dead_tup
FROM pg_stat_user_tables WHERE schemaname = 'alert_router' ORDER BY 2 DESC LIMIT 4"""


async def claim(outbox: Outbox) -> float:
    """Milliseconds of the claim of one lane, which ends with a delivery."""
    await outbox.accept(group(SOON), 300.0)
    began = time.perf_counter()
    [found] = await outbox.claim(
        SOON, owner=outbox.owner, limit=1, now=outbox.now(), lease=60, fold=True
    )
    took = (time.perf_counter() - began) * 1000
    await outbox.settle(found, Settlement(Verdict.DELIVERED, outbox.now()))
    return took


async def pending() -> None:
    """Claims with none pending but theirs, and with many, by turns."""
    async with opened("postgres") as (empty, _), opened("postgres") as (full, url):
        stores: dict[Outbox, list[float]] = {empty: [], full: []}
        for outbox in stores:  # a warm-up, after which the server's plans are made
            for _ in range(50):
                await claim(outbox)
        async with connection(url) as raw:
            key = await raw.fetchval("SELECT id FROM destination")
            began = time.perf_counter()
            await raw.execute(_MANY, PENDING, full.now() - 60, key, timeout=3600)
            await raw.execute("CHECKPOINT")  # that it is written is not the claims' cost
            print(f"{PENDING:,} added in {time.perf_counter() - began:.0f} s")
        for _ in range(CLAIMS):
            for outbox, took in stores.items():
                took.append(await claim(outbox))
        began = time.perf_counter()
        await full.backlog()
        print(f"counting the backlog of {PENDING:,}: {(time.perf_counter() - began) * 1000:.0f} ms")
    few, many = stores.values()
    for name, of in (("median", statistics.median), ("95th percentile", _high)):
        report(
            f"claim with {PENDING:,} pending over one with none, {name}",
            of(many) / of(few), "< 2", f"{of(many):.2f} ms over {of(few):.2f} ms",
        )  # fmt: skip


@asynccontextmanager
async def connection(url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """One to the database, for what no router does."""
    raw: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        url, server_settings={"search_path": "alert_router"}
    )
    try:
        yield raw
    finally:
        await raw.close()


def _high(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


async def churn() -> None:
    """Deliveries that come, are delivered and pruned, half of them of lanes that stay, beside some
    that stay in back-off; the size of tables and indexes after each round."""
    per_round = CHURN // ROUNDS
    async with opened("postgres") as (outbox, url), connection(url) as raw:
        await postgres().execute("ALTER SYSTEM SET autovacuum_naptime = '2s'")  # days in minutes
        await postgres().execute("SELECT pg_reload_conf()")
        await fill(outbox, LATER, per_round)
        await deliver(outbox, LATER, per_round, Verdict.RETRY)
        known = [os.urandom(16) for _ in range(500)]
        number = 0

        async def accept() -> int:
            nonlocal number
            number += 1
            stays = number % 2 == 0
            await outbox.accept(group(SOON, known[number % 500] if stays else b""), 300.0)
            return 1

        sizes = []
        for _ in range(ROUNDS):
            await rate(accept, per_round)
            await deliver(outbox, SOON, per_round)
            later = outbox.now() + 30 * _DAY
            while await outbox.prune(delivered_before=later, dead_before=later, limit=500):
                pass
            rows = await raw.fetch(_SIZES)
            sizes.append(sum(row[1] for row in rows) / 1024**2)
        for name, size, live, dead in rows:
            print(f"  {name}: {size / 1024**2:.1f} MiB, {live:,} live rows, {dead:,} dead")
    report(
        f"size of tables and indexes after {CHURN:,} deliveries came and went",
        sizes[-1] / sizes[1], "< 1.5", f"{sizes[-1]:.0f} MiB over {sizes[1]:.0f} MiB after 2/10",
    )  # fmt: skip


def main() -> None:
    """Print the ratios."""
    uvloop.run(pending())
    uvloop.run(churn())


if __name__ == "__main__":
    main()
