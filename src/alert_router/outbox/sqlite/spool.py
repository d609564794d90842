"""What a spool has, and deleting it once it was moved, one identity at a time."""

from alert_router.outbox.sqlite.session import SqliteSession


async def identities(session: SqliteSession) -> set[bytes]:
    """As `SqliteOutbox.identities`."""
    return {row[0] for row in await session.rows("spooled_identities")}


async def remove(session: SqliteSession, identity: bytes) -> None:
    """As `SqliteOutbox.remove`."""
    known = await session.row("last_content", (identity,))
    if known is None:
        return
    await session.run("forget_content", (b"", known[0]))
    for name in ("forget_spooled_references", "remove_spooled", "drop_spooled_lanes"):
        await session.run(name, (known[0],))
    await session.run("drop_empty_identity", (known[0],))
