"""What people did about an alert group since it fires, and the line about it in messages."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from alert_router.model import AlertGroup, BodyLimits, PayloadError
from alert_router.notification import Notification
from alert_router.outbox.model import Action, ActionKind, History, KeptGroup
from alert_router.runbook.sections import with_keys
from alert_router.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Moment:
    """An accepted group of an episode: its id, when, since when the store knows the episode to last
    (0 if it does not), whether all of it was resolved, and its alerts if they were read."""

    id: str
    at: float
    since: float
    is_over: bool
    group: AlertGroup | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """From when an alert group fired until all of it was resolved, or until now: oldest first. One
    that `is_followed` by another is over, although its end may not be kept."""

    moments: tuple[Moment, ...]
    is_followed: bool = False

    @property
    def began(self) -> float:
        """When the first group of it was accepted, Unix seconds; that may not be kept any more."""
        return self.moments[0].since or self.moments[0].at

    @property
    def ended(self) -> float | None:
        """When all of it was resolved, as far as that is known; None while it fires."""
        last = self.moments[-1]
        return last.at if last.is_over or self.is_followed else None

    @property
    def latest(self) -> AlertGroup | None:
        """The latest group whose alerts were read."""
        return next((it.group for it in reversed(self.moments) if it.group is not None), None)


def read_episodes(history: History, limits: BodyLimits) -> list[Episode]:
    """The episodes of a group, oldest first. A group whose body is not at hand counts as firing."""
    return _episodes(_read(kept, limits) for kept in history.groups)


def _read(kept: KeptGroup, limits: BodyLimits) -> Moment:
    group = None
    if kept.body is not None:
        with suppress(PayloadError):  # of an earlier version
            group = AlertGroup.within(limits, kept.body)[0]
    is_over = group is not None and not group.firing
    return Moment(kept.id, kept.accepted_at, kept.since, is_over, group)


def _episodes(moments: Iterable[Moment]) -> list[Episode]:
    found: list[list[Moment]] = []
    before: Moment | None = None
    for moment in moments:
        if before is None or _begins_after(before, moment):
            found.append([])
        found[-1].append(moment)
        before = moment
    last = len(found) - 1
    return [Episode(tuple(each), number < last) for number, each in enumerate(found)]


def _begins_after(before: Moment, moment: Moment) -> bool:
    if before.since and moment.since:
        return before.since != moment.since
    return before.is_over


# Whether all of an accepted group was resolved, by its id: to read a large one takes long.
_over: dict[str, bool] = {}
_MOST_KNOWN = 10_000


def _known(kept: KeptGroup, limits: BodyLimits) -> Moment:
    """As `_read`, without the alerts; each group is read once."""
    is_over = _over.get(kept.id)
    if is_over is None:
        is_over = _read(kept, limits).is_over
        if len(_over) >= _MOST_KNOWN:
            _over.clear()
        if kept.body is not None:
            _over[kept.id] = is_over
    return Moment(kept.id, kept.accepted_at, kept.since, is_over)


@dataclass(frozen=True, slots=True)
class Done:
    """What people did in an episode, as it stands: who has it, the ticked steps by runbook and
    key, and the latest answer of each person to whether the runbook helped."""

    taken: Action | None
    ticks: dict[tuple[str, str], Action]
    answers: tuple[Action, ...]

    @classmethod
    def of(cls, actions: Sequence[Action]) -> "Done":
        """The state after these, oldest first."""
        taken: Action | None = None
        ticks: dict[tuple[str, str], Action] = {}
        answers: dict[tuple[str, str], Action] = {}
        for action in actions:
            match action.kind:
                case ActionKind.TAKE:
                    taken = action
                case ActionKind.RELEASE:
                    taken = None
                case ActionKind.TICK:
                    ticks.setdefault((action.runbook, action.step), action)
                case ActionKind.UNTICK:
                    ticks.pop((action.runbook, action.step), None)
                case _:
                    answers[action.runbook, action.who] = action
        return cls(taken, ticks, tuple(answers.values()))


def actions_in(episode: Episode, episodes: Sequence[Episode], history: History) -> list[Action]:
    """The actions about an episode. An old link or page acts on the episode that it shows, also
    after the next one has begun; of an episode that began before what is kept, it is by time."""
    oldest = episodes[0].began
    later = [other.began for other in episodes if other.began > episode.began]
    until = min(later, default=float("inf"))
    return [
        action
        for action in history.actions
        if episode.began <= (action.since if action.since >= oldest else action.at) < until
    ]


def with_progress(
    notification: Notification, history: History | None, runtime: Runtime
) -> Notification:
    """The notification with what people did, `Ana has it, 2 of 6 done`, and with the steps that are
    left; without a history there are no actions."""
    steps = {
        (part.id, key): step.title
        for part in notification.runbooks
        if (runbook := runtime.catalogue.get(part.id)) is not None
        for section, keys in with_keys(runbook, part.id)
        for key, step in zip(keys, section.steps, strict=True)
    }
    done, has = _done(notification, history, runtime)
    left = tuple(
        (key, title) for (id_, key), title in steps.items() if (id_, key) not in done.ticks
    )
    ticked = len(steps) - len(left)
    parts = [
        f"{done.taken.who} {has} it" if done.taken else "",
        f"{ticked} of {len(steps)} done" if ticked else "",
    ]
    return replace(notification, progress=", ".join(filter(None, parts)), steps_left=left)


def _done(
    notification: Notification, history: History | None, runtime: Runtime
) -> tuple[Done, str]:
    """What was done since the group fires, and whether who has it has or had it."""
    if history is None:
        return Done.of(()), ""
    episodes = _episodes(_known(kept, runtime.limits) for kept in history.groups)
    ids = set(notification.groups)
    episode = next((it for it in reversed(episodes) if ids & {m.id for m in it.moments}), None)
    if episode is None:
        return Done.of(()), ""
    done = Done.of(actions_in(episode, episodes, history))
    return done, "has" if episode.ended is None else "had"
