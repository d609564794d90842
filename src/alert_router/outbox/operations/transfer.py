"""Moving and copying what a store has of an identity into another one: by the ids of groups, each
once."""

from collections.abc import Sequence
from typing import Any

from alert_router.outbox.model import Destination, StoredDelivery, StoredIdentity
from alert_router.outbox.operations import actions
from alert_router.outbox.operations.accept import enter_lane
from alert_router.outbox.operations.session import Session
from alert_router.outbox.operations.settle import shrink

_WAITING, _DELIVERED = 0, 1


async def every_identity(session: Session) -> list[bytes]:
    """All of which anything is known."""
    return [row[0] for row in await session.rows("every_identity")]


async def secrets(session: Session) -> list[tuple[str, bytes]]:
    """All, by their names."""
    return [(name, value) for name, value in await session.rows("secrets")]


async def keep_secrets(session: Session, found: Sequence[tuple[str, bytes]]) -> None:
    """Keep those of which none is kept."""
    await session.run_all("add_secret", found)


async def export(session: Session, identity: bytes) -> StoredIdentity | None:
    """Everything of an identity; None where nothing is known."""
    done = await actions.of(session, identity)
    known = await session.row("last_content", (identity,))
    if known is None and not done:
        return None
    key, content, group, accepted_at = known or (None, b"", "", 0.0)
    deliveries: list[StoredDelivery] = []
    is_being_sent = False
    async for row in session.each("stored_deliveries", (key,)):
        is_being_sent = is_being_sent or bool(row[4])
        deliveries.append(_delivery(*row))
    references = [
        (Destination(receiver, notifier), reference, change_due, changed_at)
        for receiver, notifier, reference, change_due, changed_at in await session.rows(
            "stored_references", (key,)
        )
    ]
    latest = (identity, content, group, accepted_at)
    return StoredIdentity(*latest, tuple(deliveries), tuple(references), tuple(done), is_being_sent)


def _delivery(
    receiver: str,
    notifier: str,
    other_receiver: str | None,
    other_notifier: str | None,
    _leased: int,
    id_: int,
    group: str,
    group_accepted_at: float,
    *rest: Any,
) -> StoredDelivery:
    *values, replayed_as, diverted, body = rest
    other = None
    if other_receiver is not None and other_notifier is not None:
        other = Destination(other_receiver, other_notifier)
    place = (id_, group, body, group_accepted_at, Destination(receiver, notifier))
    return StoredDelivery(*place, *(*values, replayed_as, bool(diverted), other))


async def reconcile(session: Session, stored: StoredIdentity, now: float) -> None:
    """Write down what another store has of an identity: what is pending is pending here, what was
    delivered was. Doing so again changes nothing."""
    await _add_actions(session, stored)
    if not stored.deliveries and not stored.accepted_at:
        return
    identity = await _identity(session, stored)
    added: dict[int, int] = {}  # the ids here by those there
    lanes: dict[int, dict[int, float]] = {}  # when the other store has sent which of their groups
    keys: dict[str, tuple[int, bool]] = {}
    for delivery in stored.deliveries:
        if delivery.group not in keys:
            keys[delivery.group] = await _group(session, delivery)
        group, is_new = keys[delivery.group]
        destination = await session.key(delivery.destination)
        if is_new:
            lane, added[delivery.id] = await _add(session, identity, destination, group, delivery)
        else:
            lane = await _know(session, destination, group, delivery, now)
        sent_at = delivery.settled_at if delivery.state == _DELIVERED else None
        lanes.setdefault(lane, {})[group] = sent_at or 0.0
    for delivery in stored.deliveries:
        if delivery.id in added and delivery.replayed_as is not None:
            # 0: the replay is not kept any more.
            replay = added.get(delivery.replayed_as, 0)
            await session.run("mark_replayed", (replay, added[delivery.id]))
    for lane, sent in lanes.items():
        await _end_with_newest(session, identity, lane, sent)
    for to, reference, *times in stored.references:
        row = (session.clean(reference), *times, identity, await session.key(to))
        await session.run("add_reference", row)


async def _end_with_newest(
    session: Session, identity: int, lane: int, sent: dict[int, float]
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


async def _identity(session: Session, stored: StoredIdentity) -> int:
    values = (stored.content, stored.group, stored.accepted_at)
    [[key]] = await session.rows("put_identity", (stored.digest, *values))
    return int(key)


async def _add_actions(session: Session, stored: StoredIdentity) -> None:
    known = set(await actions.of(session, stored.digest)) if stored.actions else set()
    for action in stored.actions:
        if (cleaned := actions.cleaned(session, action)) not in known:
            await actions.add(session, stored.digest, cleaned)


async def _group(session: Session, delivery: StoredDelivery) -> tuple[int, bool]:
    """The key of a group, and whether it was not here."""
    if (row := await session.row("find_group", (delivery.group,))) is not None:
        return row[0], False
    values = (delivery.group, delivery.group_accepted_at, delivery.body)
    return await session.insert("add_group", values), True


async def _add(
    session: Session,
    identity: int,
    destination: int,
    group: int,
    delivery: StoredDelivery,
) -> tuple[int, int]:
    """Add a delivery to its lane; the lane's key and the delivery's."""
    found = await session.row("find_lane", (identity, destination))
    at, priority = delivery.accepted_at, delivery.priority
    was_idle = found is None or found[1] == 0
    if delivery.state == _WAITING:
        lane = await enter_lane(session, identity, destination, priority, at)
    elif found is not None:
        lane = found[0]
    else:
        lane = await session.insert("add_idle_lane", (identity, destination, priority, at, at))
    other = None if delivery.instead_of is None else await session.key(delivery.instead_of)
    reason, message = session.clean(delivery.reason), session.clean(delivery.message)
    values = (
        lane, destination, group, delivery.state, priority, at, delivery.settled_at,
        delivery.attempts, reason, message, delivery.fingerprints, int(delivery.is_diverted), other,
    )  # fmt: skip
    id_ = await session.insert("add_stored", values)
    if delivery.state == _WAITING and delivery.attempts:
        # A batch that may be at the destination goes again under its id, unless something that was
        # here is before it.
        attempts = {
            "batch": delivery.batch, "id": id_, "lane": lane, "idle": int(was_idle),
            "attempts": delivery.attempts, "reason": reason, "message": message,
        }  # fmt: skip
        await session.run("keep_attempts", attempts)
    return lane, id_


async def _know(
    session: Session, destination: int, group: int, delivery: StoredDelivery, now: float
) -> int:
    """A group that was written here, too, since the answer to COMMIT was missing: what the other
    store has settled of it is settled. The key of its lane; 0 if there is none."""
    found = await session.row("known_delivery", (group, destination))
    if found is None:
        return 0
    id_, lane, state, leased = found
    if delivery.state != _WAITING and state == _WAITING and not leased:
        values = (
            delivery.state, delivery.settled_at, delivery.attempts,
            session.clean(delivery.reason), session.clean(delivery.message), id_,
        )  # fmt: skip
        await session.run("settle_known", values)
        await shrink(session, lane, now)
    return int(lane)
