"""Moving and copying what a store has of an identity into another one: by the ids of groups, each
once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import structlog

from alert_router.outbox import actions
from alert_router.outbox.lanes import enter_lane, shrink
from alert_router.outbox.model import MOST_ACTIONS, Destination, StoredDelivery, StoredIdentity
from alert_router.outbox.session import Session

log = structlog.get_logger(__name__)

_WAITING, _DELIVERED = 0, 1


class _Known(NamedTuple):
    """A delivery that is here already."""

    id: int
    lane: int
    state: int
    is_leased: int


async def every_identity(session: Session) -> list[bytes]:
    """All of which anything is known."""
    return [row[0] for row in await session.rows("every_identity")]


async def secrets(session: Session) -> list[tuple[str, bytes]]:
    """All, by their names."""
    return [(name, value) for name, value in await session.rows("secrets")]


async def keep_secrets(session: Session, found: Sequence[tuple[str, bytes]]) -> None:
    """Keep those of which none is kept."""
    await session.run_all("add_secret", found)


async def heartbeats(session: Session) -> list[tuple[str, float, float]]:
    """All: name, when it was last received, and since when it is missing."""
    return [(name, *times) for name, *times in await session.rows("heartbeats")]


async def keep_heartbeats(session: Session, found: Sequence[tuple[str, float, float]]) -> None:
    """Keep them, or what is later of them."""
    await session.run_all("keep_heartbeat", sorted(found))


async def export(session: Session, identity: bytes) -> StoredIdentity | None:
    """Everything of an identity; None where nothing is known."""
    done = await actions.of(session, identity)
    known = await session.row("last_content", (identity,))
    if known is None and not done:
        return None
    key, content, group, accepted_at, next_since = known or (None, b"", "", 0.0, None)
    deliveries: list[StoredDelivery] = []
    is_being_sent = False
    async for row in session.each("stored_deliveries", (key,)):
        is_being_sent = is_being_sent or bool(row[4])
        one = _delivery(*row)
        # All destinations of a group hold its body once.
        deliveries.append(replace(one, body=session.same_body(one.group, one.body)))
    references = [
        (Destination(receiver, notifier), *values)
        for receiver, notifier, *values in await session.rows("stored_references", (key,))
    ]
    latest = (identity, content, group, accepted_at, next_since)
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
    group_since: float,
    *rest: Any,
) -> StoredDelivery:
    *values, replayed_as, diverted, body = rest
    other = None
    if other_receiver is not None and other_notifier is not None:
        other = Destination(other_receiver, other_notifier)
    place = (id_, group, body, group_accepted_at, group_since, Destination(receiver, notifier))
    return StoredDelivery(*place, *(*values, replayed_as, bool(diverted), other))


async def reconcile(session: Session, stored: StoredIdentity, now: float) -> None:
    """Write down what another store has of an identity: what is pending is pending here, what was
    delivered was. Doing so again changes nothing."""
    is_accepted = stored.deliveries or stored.references or stored.accepted_at
    stored = await _continued(session, stored)
    identity = await _identity(session, stored) if is_accepted else 0
    await _add_actions(session, stored, now)  # locks lanes: after the identity, as everywhere
    if not is_accepted:
        return
    groups = await _groups(session, stored.deliveries)
    ids: dict[int, int] = {}  # those here by those there
    lanes: dict[int, dict[int, float]] = {}  # when the other store has sent which of their groups
    for to in dict.fromkeys(delivery.destination for delivery in stored.deliveries):
        destination = await session.key(to)
        ours = [one for one in stored.deliveries if one.destination == to]
        known = await _known(session, identity, destination, [groups[one.group] for one in ours])
        pairs = [(one, next(known.get(groups[one.group], iter(())), None)) for one in ours]
        fresh = [one for one, here in pairs if here is None]
        if fresh:
            lane, added = await _add(session, identity, destination, fresh, groups)
            ids |= added
        await _settle_known(session, pairs, now)
        for one, here in pairs:
            if here is not None:
                ids[one.id] = here.id
            sent_at = one.settled_at if one.state == _DELIVERED else None
            of_lane = lanes.setdefault(lane if here is None else here.lane, {})
            of_lane[groups[one.group]] = sent_at or 0.0
    replayed = [  # 0: the replay is not kept any more
        (ids.get(one.replayed_as, 0), ids[one.id])
        for one in stored.deliveries
        if one.replayed_as is not None
    ]
    await session.run_all("mark_replayed", replayed)
    for lane, sent in lanes.items():
        await _end_with_newest(session, identity, lane, sent)
    for to, reference, change_due, changed_at, settled_at in stored.references:
        destination = await session.key(to)
        if await session.row("find_lane", (identity, destination)) is None:
            row = (identity, destination, 1, settled_at, settled_at)
            await session.insert("add_idle_lane", row)
        values = {
            "identity": identity, "destination": destination,
            "reference": session.clean(reference), "change_due": change_due,
            "changed_at": changed_at, "settled_at": settled_at,
        }  # fmt: skip
        await session.run("add_reference", values)


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


async def _continued(session: Session, stored: StoredIdentity) -> StoredIdentity:
    """What the other store has, where that began while alerts were firing that this store knows."""
    known = await session.row("last_content", (stored.digest,))
    if known is None or not stored.deliveries:
        return stored
    first, since = stored.deliveries[0].group_since, known[-1]
    if since == 0 or (since or 0) > first:
        return stored
    deliveries = tuple(
        replace(one, group_since=since or 0.0) if one.group_since == first else one
        for one in stored.deliveries
    )
    next_since = since if stored.next_since == first else stored.next_since
    return replace(stored, deliveries=deliveries, next_since=next_since)


async def _identity(session: Session, stored: StoredIdentity) -> int:
    values = (
        stored.content, stored.group, stored.group, stored.next_since, stored.accepted_at
    )  # fmt: skip
    [[key]] = await session.rows("put_identity", (stored.digest, *values))
    return int(key)


async def _add_actions(session: Session, stored: StoredIdentity, now: float) -> None:
    known = set(await actions.of(session, stored.digest)) if stored.actions else set()
    new = [actions.cleaned(session, action) for action in stored.actions]
    new = [action for action in new if action not in known]
    # As many as `actions.act` keeps, of each time since when a group fires.
    room = {
        since: MOST_ACTIONS - sum(one.at >= since for one in known)
        for since in {action.since for action in new}
    }
    added = 0
    for action in new:
        if room[action.since] <= 0:
            continue
        await actions.add(session, stored.digest, action)
        added += 1
        for since in room:
            room[since] -= action.at >= since
    if added:
        await actions.change_messages(session, stored.digest, now)
    if added < len(new):
        log.warning("too many actions about a group; the latest are dropped", n=len(new) - added)


async def _groups(session: Session, deliveries: Sequence[StoredDelivery]) -> dict[str, int]:
    """The keys of the groups, which are added where they are not known."""
    wanted = {one.group: one for one in deliveries}
    found = await session.rows("find_groups", (json.dumps(list(wanted)),))
    keys = {str(name): int(key) for name, key in found}
    new = [one for name, one in wanted.items() if name not in keys]
    rows = [(one.group, one.group_accepted_at, one.group_since, one.body) for one in new]
    ids = await session.insert_all("add_group", rows)
    return keys | {one.group: key for one, key in zip(new, ids, strict=True)}


async def _known(
    session: Session, identity: int, destination: int, groups: Sequence[int]
) -> dict[int, Iterator[_Known]]:
    """The deliveries of groups that were written here, too, since the answer to a COMMIT was
    missing: of each group in their order."""
    await session.row("find_lane", (identity, destination))  # locks it
    found: dict[int, list[_Known]] = {}
    for group, *row in await session.rows("known_deliveries", (json.dumps(groups), destination)):
        found.setdefault(group, []).append(_Known(*row))
    return {group: iter(rows) for group, rows in found.items()}


async def _settle_known(
    session: Session, pairs: Sequence[tuple[StoredDelivery, _Known | None]], now: float
) -> None:
    """What the other store has settled of what both have is settled."""
    settled = [
        (one, here)
        for one, here in pairs
        if here and one.state != _WAITING and here.state == _WAITING and not here.is_leased
    ]
    rows = [
        (
            one.state, one.settled_at, one.attempts, session.clean(one.reason),
            session.clean(one.message), here.id,
        )
        for one, here in settled
    ]  # fmt: skip
    await session.run_all("settle_known", rows)
    for lane in {here.lane for _, here in settled}:
        await shrink(session, lane, now)


async def _add(
    session: Session,
    identity: int,
    destination: int,
    deliveries: Sequence[StoredDelivery],
    groups: Mapping[str, int],
) -> tuple[int, dict[int, int]]:
    """Add deliveries to their lane; its key, and their ids here by those there."""
    found = await session.row("find_lane", (identity, destination))
    was_idle = found is None or found[1] == 0
    waiting = [one for one in deliveries if one.state == _WAITING]
    if waiting:
        priority, at = min(one.priority for one in waiting), waiting[0].accepted_at
        lane = await enter_lane(session, identity, destination, priority, at)
    elif found is not None:
        lane = found[0]
    else:
        priority, at = deliveries[0].priority, deliveries[0].accepted_at
        lane = await session.insert("add_idle_lane", (identity, destination, priority, at, at))
    rows = []
    for one in deliveries:
        other = None if one.instead_of is None else await session.key(one.instead_of)
        row = (
            lane, destination, groups[one.group], one.state, one.priority, one.accepted_at,
            one.settled_at, one.attempts, session.clean(one.reason), session.clean(one.message),
            one.fingerprints, int(one.is_diverted), other,
        )  # fmt: skip
        rows.append(row)
    ids = await session.insert_all("add_stored", rows)
    added = {one.id: id_ for one, id_ in zip(deliveries, ids, strict=True)}
    if waiting and waiting[-1].attempts:
        # A batch that may be at the destination goes again under its id, unless something that was
        # here is before it.
        last = next((one for one in reversed(waiting) if one.batch is not None), waiting[-1])
        attempts = {
            "batch": last.batch, "id": added[last.id], "lane": lane, "idle": int(was_idle),
            "attempts": last.attempts, "reason": session.clean(last.reason),
            "message": session.clean(last.message),
        }  # fmt: skip
        await session.run("keep_attempts", attempts)
    return lane, added
