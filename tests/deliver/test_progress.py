"""The line about who has it: of this time that the group fires, and of the message's runbooks."""

from pathlib import Path

import pytest

from alert_router.deliver import compose, progress
from alert_router.deliver.progress import with_progress
from alert_router.model import AlertGroup
from alert_router.notification import Notification
from alert_router.outbox.model import (
    Action,
    ActionKind,
    Claim,
    Destination,
    History,
    KeptGroup,
    WaitingGroup,
)
from alert_router.runbook.sections import with_keys
from alert_router.runtime import Runtime, read_runtime
from tests.programs import body, write_config

RUNBOOK = "alerts/high-error-rate"
NOW = 1_700_000_000.0


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    progress._over.clear()
    return read_runtime(write_config(tmp_path, [{"type": "console"}]))


def keys(runtime: Runtime) -> list[str]:
    runbook = runtime.catalogue.get(RUNBOOK)
    assert runbook is not None
    return [key for _, keys in with_keys(runbook, RUNBOOK) for key in keys]


def told(
    runtime: Runtime, statuses: str, *actions: Action, since: float | None = None
) -> Notification:
    """The notification about the last of these groups, each `f`iring or `r`esolved, a minute apart;
    with ten seconds between a group and what was done about it. All of them fire `since` so many
    seconds after NOW, if that is known."""
    began = 0.0 if since is None else NOW + since
    groups = tuple(
        KeptGroup(f"g-{statuses[: number + 1]}", NOW + 60 * number, began, body(status=word))
        for number, word in enumerate({"f": "firing", "r": "resolved"}[it] for it in statuses)
    )
    last = groups[-1]
    assert last.body is not None
    to = Destination("oncall", "console")
    waiting = (WaitingGroup(1, last.id, last.body, (), last.accepted_at),)
    claim = Claim("w", 1, 1, to, waiting, attempt=1)
    group = AlertGroup.from_bytes(last.body)
    bare = compose.write(claim, group, runtime.notifiers[to], runtime)
    return with_progress(bare, History(b"x", groups, (), actions), runtime)


def did(
    kind: ActionKind,
    who: str = "Ana",
    group: int = 0,
    step: str = "",
    runbook: str = RUNBOOK,
    first: int = 0,
) -> Action:
    """Something that somebody did after a group, about the episode that the group `first` began."""
    at, since = NOW + 60 * group + 10, NOW + 60 * first
    about = (runbook if step else "", "r1", step, "Look" if step else "")
    return Action(kind, who, at, since, *about)


def test_who_has_it_and_what_is_done_is_one_line(runtime: Runtime) -> None:
    first, second, *_ = keys(runtime)
    take, tick = did(ActionKind.TAKE), did(ActionKind.TICK, "Ben", step=first)

    assert told(runtime, "f").progress == ""
    assert told(runtime, "f", take).progress == "Ana has it"
    assert told(runtime, "f", tick).progress == "1 of 4 done"
    assert told(runtime, "ff", take, tick).progress == "Ana has it, 1 of 4 done"
    assert told(runtime, "fr", take, tick).progress == "Ana had it, 1 of 4 done"
    assert told(runtime, "f", take, did(ActionKind.RELEASE)).progress == ""
    left = [key for key, _ in told(runtime, "f", tick).steps_left]
    assert (first in left, second in left, len(left)) == (False, True, 3)


def test_steps_of_other_runbooks_and_of_none_are_not_counted(runtime: Runtime) -> None:
    (first, *_) = keys(runtime)
    for tick in (
        did(ActionKind.TICK, step=first, runbook="alerts/other"),
        did(ActionKind.TICK, step="0123456789ab"),
    ):
        assert told(runtime, "f", tick).progress == ""


@pytest.mark.parametrize("again", [False, True])
def test_what_fires_again_is_not_what_somebody_had(runtime: Runtime, again: bool) -> None:
    take = did(ActionKind.TAKE)
    if again:  # the groups are known by then
        assert told(runtime, "fr", take).progress == "Ana had it"
    assert told(runtime, "frf", take).progress == ""
    late = did(ActionKind.TAKE, "Ben", 2)  # with an old link
    assert told(runtime, "frf", take, late).progress == ""
    ben = did(ActionKind.TAKE, "Ben", 2, first=2)
    assert told(runtime, "frf", take, ben).progress == "Ben has it"


def test_who_has_it_holds_although_the_first_groups_are_not_kept(runtime: Runtime) -> None:
    first, *_ = keys(runtime)
    hour = 60
    take = did(ActionKind.TAKE, group=-hour, first=-2 * hour)
    tick = did(ActionKind.TICK, "Ben", group=-hour, step=first, first=-2 * hour)
    before = did(ActionKind.TAKE, "Eve", group=-3 * hour, first=-4 * hour)
    actions = before, take, tick

    assert told(runtime, "ff", *actions).progress == ""
    fires_since = -2 * hour * 60.0
    found = told(runtime, "ff", *actions, since=fires_since)
    assert found.progress == "Ana has it, 1 of 4 done"
    assert told(runtime, "fr", *actions, since=fires_since).progress.startswith("Ana had it")
    assert told(runtime, "ff", before, since=fires_since).progress == ""


def test_without_a_history_all_steps_are_left(runtime: Runtime) -> None:
    found = with_progress(told(runtime, "f", did(ActionKind.TAKE)), None, runtime)
    assert (found.progress, len(found.steps_left)) == ("", 4)


def test_what_is_remembered_is_bounded(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_MOST_KNOWN", 2)
    assert told(runtime, "fff", did(ActionKind.TAKE)).progress == "Ana has it"
    assert len(progress._over) <= 2
