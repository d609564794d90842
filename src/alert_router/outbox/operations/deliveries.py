"""Deliveries one by one, as people ask for them: list, show, replay, discard."""

import json
from typing import Any

from alert_router.outbox.model import DeliveryRow, Destination, State
from alert_router.outbox.operations.accept import enter_lane
from alert_router.outbox.operations.session import Session
from alert_router.outbox.operations.settle import DELIVERED, shrink

_STATES = (State.WAITING, State.DELIVERED, State.DEAD)
# Constants, so that each finds its index.
_IN_STATE = {
    State.WAITING: "d.state = 0",
    State.DELIVERED: "d.state = 1",
    State.DEAD: "d.state = 2 AND d.replayed_as IS NULL",
}


async def rows(
    session: Session,
    state: State | None,
    destination: Destination | None,
    limit: int,
    before: int | None,
) -> list[DeliveryRow]:
    """As `Outbox.deliveries`."""
    conditions, values = ["TRUE"], list[Any]()
    if state is not None:
        conditions.append(_IN_STATE[state])
    if destination is not None:
        conditions.append("d.destination = ?")
        values.append(await session.find(destination))
    if before is not None:
        conditions.append("d.id < ?")
        values.append(before)
    tail = f"WHERE {' AND '.join(conditions)} ORDER BY d.id DESC LIMIT ?"
    return [as_row(*found) for found in await session.rows("rows", [*values, limit], tail)]


async def of_group(session: Session, group: str) -> list[DeliveryRow]:
    """As `Outbox.of_group`."""
    found = await session.row("find_group", (group,))
    if found is None:
        return []
    tail = "WHERE d.alert_group = ? ORDER BY d.id"
    return [as_row(*row) for row in await session.rows("rows", found, tail)]


async def show(session: Session, delivery: int) -> tuple[DeliveryRow, bytes] | None:
    """As `Outbox.show`."""
    found = await session.rows("rows", (delivery,), "WHERE d.id = ?")
    if not found:
        return None
    (body,) = await session.one("body_of", (delivery,))
    return as_row(*found[0]), body


async def replay(
    session: Session, delivery: int, now: float, to: Destination | None, force: bool
) -> int:
    """As `Outbox.replay`."""
    found = await session.row("to_replay", (delivery,))
    if found is None:
        raise LookupError(f"there is no delivery {delivery}")
    state, replayed_as, lane, destination, group, priority, fingerprints, identity = found
    if state == 0:
        raise ValueError(f"delivery {delivery} is still pending; it will be retried automatically")
    if not force:
        if replayed_as is not None:
            raise ValueError(f"delivery {delivery} was replayed already, as {replayed_as}")
        later = await session.row("moved_on", (lane, delivery, group))
        if later is not None:
            raise ValueError(
                f"a newer notification for this group was already sent (delivery {later[0]}); "
                "--force sends the old state all the same"
            )
    if to is not None:
        destination = await session.key(to)
    lane = await enter_lane(session, identity, destination, priority, now)
    values = (lane, destination, group, priority, now, fingerprints)
    new = await session.insert("add_delivery", values)
    await session.run("mark_replayed", (new, delivery))
    await session.announce(destination)
    return new


async def discard(session: Session, delivery: int, now: float) -> None:
    """As `Outbox.discard`."""
    found = await session.row("to_discard", (now, delivery))
    if found is None:
        raise LookupError(f"there is no delivery {delivery}")
    state, lane, is_being_sent = found
    if state == DELIVERED:
        raise ValueError(f"delivery {delivery} was delivered: there is nothing to discard")
    if state == 0 and is_being_sent:
        raise ValueError(f"delivery {delivery} is being sent just now: try again in a while")
    await session.run("delete_delivery", (delivery,))
    if state == 0:
        await shrink(session, lane, now)


def as_row(
    id_: int,
    group: str,
    receiver: str,
    notifier: str,
    state: int,
    accepted_at: float,
    settled_at: float | None,
    attempts: int,
    due_at: float | None,
    reason: str,
    message: str,
    replayed_as: int | None,
    fingerprints: str,
) -> DeliveryRow:
    """The delivery of a row of the statement `rows`."""
    if replayed_as is not None:
        message = "; ".join(filter(None, (message, f"replayed as {replayed_as}")))
    return DeliveryRow(
        id=id_,
        group=group,
        destination=Destination(receiver, notifier),
        state=_STATES[state],
        accepted_at=accepted_at,
        settled_at=settled_at,
        attempts=attempts,
        due_at=due_at,
        reason=reason,
        message=message,
        fingerprints=tuple(json.loads(fingerprints)),
    )
