"""Taking over what a router accepted while it could not reach the database: by the ids of groups,
each once."""

from alert_router.outbox.model import SpooledDelivery, SpooledIdentity
from alert_router.outbox.operations.accept import enter_lane
from alert_router.outbox.operations.settle import shrink
from alert_router.outbox.postgres.session import PostgresSession

_WAITING, _DELIVERED = 0, 1


async def reconcile(session: PostgresSession, spooled: SpooledIdentity, now: float) -> None:
    """Write down what the spool has of an identity: what is pending is pending here, what was
    delivered was. Doing so again changes nothing."""
    identity = await _identity(session, spooled)
    lanes: dict[int, dict[int, float]] = {}  # when the spool has sent which of their groups
    keys: dict[str, tuple[int, bool]] = {}
    for delivery in spooled.deliveries:
        if delivery.group not in keys:
            keys[delivery.group] = await _group(session, delivery)
        group, is_new = keys[delivery.group]
        destination = await session.key(delivery.destination)
        if is_new:
            lane = await _add(session, identity, destination, group, delivery)
        else:
            lane = await _know(session, destination, group, delivery, now)
        sent_at = delivery.settled_at if delivery.state == _DELIVERED else None
        lanes.setdefault(lane, {})[group] = sent_at or 0.0
    for lane, sent in lanes.items():
        await _end_with_newest(session, identity, lane, sent)
    for to, reference in spooled.references:
        row = (reference, identity, await session.key(to))
        await session.run("add_reference", row)


async def _end_with_newest(
    session: PostgresSession, identity: int, lane: int, sent: dict[int, float]
) -> None:
    """Two routers have delivered or have pending what belongs to this lane, without knowing of each
    other. Where something older goes or may have gone out last, the newest goes once more, so that
    the last message says how things are."""
    newest = await session.row("newest_of_lane", (lane,))
    if newest is None:
        return
    id_, last_waiting, destination, group, priority, accepted_at, names = newest
    if last_waiting == id_:
        return
    if last_waiting is None:  # each router keeps the order of what it has itself
        since = await session.rows("older_sent_since", (lane, accepted_at, accepted_at))
        older = {one for (one,) in since if one not in sent}
        if group not in sent:
            older = {one for one, at in sent.items() if at > accepted_at}
        if not older:
            return
    await enter_lane(session, identity, destination, priority, accepted_at)
    values = (lane, destination, group, priority, accepted_at, names)
    await session.insert("add_delivery", values)


async def _identity(session: PostgresSession, spooled: SpooledIdentity) -> int:
    values = (spooled.content, spooled.group, spooled.accepted_at)
    row = await session.row("spooled_identity", (spooled.digest, *values))
    assert row is not None
    key: int = row[0]
    return key


async def _group(session: PostgresSession, delivery: SpooledDelivery) -> tuple[int, bool]:
    """The key of a group, and whether it was not here."""
    values = (delivery.group, delivery.group_accepted_at, delivery.body)
    row = await session.row("spooled_group", values)
    if row is not None:
        return row[0], True
    return (await session.one("group_key", (delivery.group,)))[0], False


async def _add(
    session: PostgresSession,
    identity: int,
    destination: int,
    group: int,
    delivery: SpooledDelivery,
) -> int:
    """Add a delivery to its lane, whose key is returned."""
    found = await session.row("find_lane", (identity, destination))
    at, priority = delivery.accepted_at, delivery.priority
    was_idle = found is None or found[1] == 0
    if delivery.state == _WAITING:
        lane = await enter_lane(session, identity, destination, priority, at)
    elif found is not None:
        lane = found[0]
    else:
        lane = await session.insert("add_idle_lane", (identity, destination, priority, at, at))
    values = (
        lane, destination, group, delivery.state, priority, at, delivery.settled_at,
        delivery.attempts, delivery.reason, delivery.message, delivery.fingerprints,
    )  # fmt: skip
    id_ = await session.insert("add_spooled", values)
    if delivery.state == _WAITING and delivery.attempts:
        # A batch that may be at the destination goes again under its id, unless something that was
        # here is before it.
        attempts = {
            "batch": delivery.batch, "id": id_, "lane": lane, "idle": int(was_idle),
            "attempts": delivery.attempts, "reason": delivery.reason, "message": delivery.message,
        }  # fmt: skip
        await session.run("keep_attempts", attempts)
    return lane


async def _know(
    session: PostgresSession, destination: int, group: int, delivery: SpooledDelivery, now: float
) -> int:
    """A group that was written here, too, since the answer to COMMIT was missing: what the spool
    has settled of it is settled. The key of its lane; 0 if there is none."""
    found = await session.row("known_delivery", (group, destination))
    if found is None:
        return 0
    id_, lane, state, leased = found
    if delivery.state != _WAITING and state == _WAITING and not leased:
        values = (
            delivery.state, delivery.settled_at, delivery.attempts, delivery.reason,
            delivery.message, id_,
        )  # fmt: skip
        await session.run("settle_known", values)
        await shrink(session, lane, now)
    return int(lane)
