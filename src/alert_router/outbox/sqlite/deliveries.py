"""Deliveries one by one, as people ask for them: list, show, replay, discard."""

import json
from typing import Any

from alert_router.outbox.base import RECENT_GROUPS
from alert_router.outbox.model import DeliveryRow, Destination, State
from alert_router.outbox.sqlite.accept import enter_lane
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session
from alert_router.outbox.sqlite.settle import DELIVERED, shrink

_ROWS = query("rows").removesuffix(";")
_RECENT_GROUP = query("recent_group")
_BODY_OF = query("body_of")
_TO_REPLAY = query("to_replay")
_MOVED_ON = query("moved_on")
_ADD_DELIVERY = query("add_delivery")
_MARK_REPLAYED = query("mark_replayed")
_TO_DISCARD = query("to_discard")
_DELETE_DELIVERY = query("delete_delivery")

_STATES = (State.WAITING, State.DELIVERED, State.DEAD)
# Constants, so that each finds its index.
_IN_STATE = {
    State.WAITING: "d.state = 0",
    State.DELIVERED: "d.state = 1",
    State.DEAD: "d.state = 2 AND d.replayed_as IS NULL",
}


def rows(
    session: Session,
    state: State | None,
    destination: Destination | None,
    limit: int,
    before: int | None,
) -> list[DeliveryRow]:
    """As `Outbox.list`."""
    conditions, values = ["TRUE"], list[Any]()
    if state is not None:
        conditions.append(_IN_STATE[state])
    if destination is not None:
        conditions.append("d.destination = ?")
        values.append(session.find(destination))
    if before is not None:
        conditions.append("d.id < ?")
        values.append(before)
    where = f"{_ROWS} WHERE {' AND '.join(conditions)} ORDER BY d.id DESC LIMIT ?"
    return [_row(*found) for found in session.execute(where, [*values, limit])]


def of_group(session: Session, group: str) -> list[DeliveryRow]:
    """As `Outbox.of_group`."""
    found = session.execute(_RECENT_GROUP, (RECENT_GROUPS, group)).fetchone()
    if found is None:
        return []
    where = f"{_ROWS} WHERE d.alert_group = ? ORDER BY d.id"
    return [_row(*row) for row in session.execute(where, found)]


def show(session: Session, delivery: int) -> tuple[DeliveryRow, bytes] | None:
    """As `Outbox.show`."""
    found = session.execute(f"{_ROWS} WHERE d.id = ?", (delivery,)).fetchone()
    if found is None:
        return None
    (body,) = session.execute(_BODY_OF, (delivery,)).fetchone()
    return _row(*found), body


def replay(session: Session, delivery: int, now: float, to: Destination | None, force: bool) -> int:
    """As `Outbox.replay`."""
    found = session.execute(_TO_REPLAY, (delivery,)).fetchone()
    if found is None:
        raise LookupError(f"there is no delivery {delivery}")
    state, replayed_as, lane, destination, group, priority, fingerprints, identity = found
    if state == 0:
        raise ValueError(f"delivery {delivery} is still pending; it will be retried automatically")
    if not force:
        if replayed_as is not None:
            raise ValueError(f"delivery {delivery} was replayed already, as {replayed_as}")
        later = session.execute(_MOVED_ON, (lane, delivery, group)).fetchone()
        if later is not None:
            raise ValueError(
                f"a newer notification for this group was already sent (delivery {later[0]}); "
                "--force sends the old state all the same"
            )
    if to is not None:
        destination = session.key(to)
    lane = enter_lane(session, identity, destination, priority, now)
    values = (lane, destination, group, priority, now, fingerprints)
    new = session.insert(_ADD_DELIVERY, values)
    session.execute(_MARK_REPLAYED, (new, delivery))
    return new


def discard(session: Session, delivery: int, now: float) -> None:
    """As `Outbox.discard`."""
    found = session.execute(_TO_DISCARD, (now, delivery)).fetchone()
    if found is None:
        raise LookupError(f"there is no delivery {delivery}")
    state, lane, is_being_sent = found
    if state == DELIVERED:
        raise ValueError(f"delivery {delivery} was delivered: there is nothing to discard")
    if state == 0 and is_being_sent:
        raise ValueError(f"delivery {delivery} is being sent just now: try again in a while")
    session.execute(_DELETE_DELIVERY, (delivery,))
    if state == 0:
        shrink(session, lane, now)


def _row(
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
