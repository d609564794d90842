"""What drivers share about accepting: what is a duplicate, and how a delivery enters its lane."""

from alert_router.outbox.model import NewGroup
from alert_router.outbox.operations.session import Session


def is_duplicate(group: NewGroup, window: float, content: bytes, accepted_at: float) -> bool:
    """Whether a group repeats the latest content of its identity, accepted at that time."""
    # Absolute, so that a clock set back does not make everything a duplicate.
    age = abs(group.accepted_at - accepted_at)
    return content == group.content and age <= window and window > 0 and not group.is_repeat


def follow(group: NewGroup, next_since: float | None) -> tuple[float, float | None]:
    """Since when a group and the next one of its identity belong to what fires until all of it is
    resolved. `next_since` is that of the group before: 0 where the next one begins it, None where
    that is not known, since an earlier version accepted it. An unknown `since` is 0."""
    since = group.accepted_at if next_since == 0 else next_since
    return since or 0.0, 0.0 if group.is_over else since


async def enter_lane(
    session: Session, identity: int, destination: int, priority: int, now: float
) -> int:
    """The key of the lane in which a new delivery is about to wait, due at once if it was
    idle."""
    found = await session.row("find_lane", (identity, destination))
    if found is None:
        return await session.insert("add_lane", (identity, destination, priority, now, now))
    lane, phase = found
    if phase == 0:
        await session.run("wake_lane", (priority, now, now, lane))
    else:
        await session.run("hasten_lane", (priority, lane, priority))
    return int(lane)
