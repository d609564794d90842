"""What is moved from a spool into the shared store, one identity at a time."""

from alert_router.outbox.model import Destination, SpooledDelivery, SpooledIdentity
from alert_router.outbox.sqlite.session import SqliteSession


async def identities(session: SqliteSession) -> set[bytes]:
    """As `SqliteOutbox.identities`."""
    return {row[0] for row in await session.rows("spooled_identities")}


async def export(session: SqliteSession, identity: bytes) -> SpooledIdentity | None:
    """As `SqliteOutbox.export`."""
    known = await session.row("last_content", (identity,))
    if known is None:
        return None
    key, content, group, accepted_at = known
    deliveries = []
    is_being_sent = False
    async for receiver, notifier, leased, name, at, *values, body in session.each(
        "spooled_deliveries", (key,)
    ):
        is_being_sent = is_being_sent or bool(leased)
        to = Destination(receiver, notifier)
        deliveries.append(SpooledDelivery(name, body, at, to, *values))
    references = [
        (Destination(receiver, notifier), reference)
        for receiver, notifier, reference in await session.rows("spooled_references", (key,))
    ]
    return SpooledIdentity(
        identity,
        content,
        group,
        accepted_at,
        tuple(deliveries),
        tuple(references),
        is_being_sent,
    )


async def every_identity(session: SqliteSession) -> list[bytes]:
    """As `SqliteOutbox.every_identity`."""
    return [row[0] for row in await session.rows("every_identity")]


async def remove(session: SqliteSession, identity: bytes) -> None:
    """As `SqliteOutbox.remove`."""
    known = await session.row("last_content", (identity,))
    if known is None:
        return
    await session.run("forget_content", (b"", known[0]))
    for name in ("forget_spooled_references", "remove_spooled", "drop_spooled_lanes"):
        await session.run(name, (known[0],))
    await session.run("drop_empty_identity", (known[0],))
