"""What looks over all lanes: what was sent, the backlog, expiry, clocks set back, and
pruning.
"""

import time
from collections import Counter
from collections.abc import Collection
from functools import partial

from alert_router.outbox.model import Backlog, Destination, Health
from alert_router.outbox.sqlite.queries import query
from alert_router.outbox.sqlite.session import Session
from alert_router.outbox.sqlite.settle import DEAD, DELIVERED, shrink

_SENT = query("sent")
_BACKLOG = query("backlog")
_DESTINATIONS = query("destinations")
_TO_EXPIRE = query("to_expire")
_TO_EXPIRE_TRIED = query("to_expire_tried")
_EXPIRE = query("expire")
_HASTEN_LANES = query("hasten_lanes")
_END_PAUSES = query("end_pauses")
_FAILING_NOW = query("failing_now")
_PRUNE_SETTLED = query("prune_settled")
_OLD_WORDS = query("old_words")
_FORGET_WORD = query("forget_word")
_DROP_EMPTY_IDENTITY = query("drop_empty_identity")
_OLD_REFERENCES = query("old_references")
_FORGET_REFERENCE = query("forget_reference")
_DROP_EMPTY_LANE = query("drop_empty_lane")

_DAY = 86_400.0

# The intake waits for a step of pruning: so many seconds of it, looked at after so many rows.
_STEP = 0.01
_FEW = 8

# Pages: what is deleted is kept for what comes, unless it is much; and given back bit by bit.
_FREE_PAGES = 1024
_GIVEN_BACK = 256


def sent(session: Session, destination: Destination, since: float, now: float) -> list[float]:
    """As `Outbox.sent`."""
    key = session.find(destination)
    if key is None:
        return []
    values = {"destination": key, "since": since, "now": now}
    return [row[0] for row in session.execute(_SENT, values)]


def backlog(session: Session) -> list[Backlog]:
    """As `Outbox.backlog`."""
    return [
        Backlog(Destination(receiver, notifier), waiting, oldest, dead, Health(*health))
        for receiver, notifier, waiting, oldest, dead, *health in session.execute(_BACKLOG)
    ]


def expire(
    session: Session, older_than: float, now: float, served: Collection[Destination], limit: int
) -> Counter[Destination]:
    """As `Outbox.expire`; at most `limit`."""
    done: Counter[Destination] = Counter()
    for key, failing_since in session.execute(_DESTINATIONS).fetchall():
        is_well = session.named(key) in served and not failing_since
        values = (key, older_than, now, limit - done.total())
        rows = session.execute(_TO_EXPIRE_TRIED if is_well else _TO_EXPIRE, values).fetchall()
        for delivery, _, attempts in rows:
            session.execute(_EXPIRE, (now, attempts, delivery))
        for lane in {lane for _, lane, _ in rows}:
            shrink(session, lane, now)
        if rows:
            done[session.named(key)] = len(rows)
        if done.total() >= limit:
            break
    return done


def hasten(session: Session, latest: float, now: float) -> int:
    """As `Outbox.hasten`."""
    done = session.execute(_HASTEN_LANES, (now, latest)).rowcount
    done += session.execute(_END_PAUSES, {"now": now, "latest": latest}).rowcount
    return done + session.execute(_FAILING_NOW, (now, now)).rowcount


def prune(session: Session, delivered_before: float, dead_before: float, limit: int) -> int:
    """As `Outbox.prune`; also gives space back to the file system."""
    until = time.monotonic() + _STEP
    latest = max(delivered_before, dead_before)
    done = 0
    for few in (
        partial(_prune_settled, session, DELIVERED, delivered_before),
        partial(_prune_settled, session, DEAD, dead_before),
        partial(_forget_words, session, latest - _DAY),
        partial(_forget_references, session, latest - 7 * _DAY),
    ):
        gone = 1
        while gone and done < limit and (not done or time.monotonic() < until):
            gone = few(min(_FEW, limit - done))
            done += gone
    _give_back(session, until)
    session.want_tidying()
    return done


def _prune_settled(session: Session, state: int, before: float, limit: int) -> int:
    return session.execute(_PRUNE_SETTLED, (state, before, limit)).rowcount


def _forget_words(session: Session, before: float, limit: int) -> int:
    identities = session.execute(_OLD_WORDS, (before, limit)).fetchall()
    for identity in identities:
        session.execute(_FORGET_WORD, identity)
        session.execute(_DROP_EMPTY_IDENTITY, identity)
    return len(identities)


def _forget_references(session: Session, before: float, limit: int) -> int:
    lanes = session.execute(_OLD_REFERENCES, (before, limit)).fetchall()
    for lane in lanes:
        session.execute(_FORGET_REFERENCE, lane)
        session.execute(_DROP_EMPTY_LANE, lane)
    return len(lanes)


def _give_back(session: Session, until: float) -> None:
    """Shorten the file a little if much of it is unused."""
    (unused,) = session.execute("PRAGMA freelist_count").fetchone()
    (pages,) = session.execute("PRAGMA page_count").fetchone()
    if unused > max(_FREE_PAGES, pages // 4):
        # One at a time: the statement gives back a page a step, and Python's cursor takes one
        # step of a statement without columns.
        for number in range(_GIVEN_BACK):
            session.execute("PRAGMA incremental_vacuum(1)")
            if number and time.monotonic() >= until:
                break
