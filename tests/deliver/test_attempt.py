"""One attempt: nothing in it may lose an alert, whatever fails."""

import asyncio
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import aiohttp
import pytest

from alert_router.aside import Aside
from alert_router.deliver import attempt, compose
from alert_router.model import AlertGroup
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Delivered, Failed, Notifier, Outcome, Reason, Remedy, Sending
from alert_router.outbox.model import Claim, Destination, WaitingGroup
from alert_router.runtime import Runtime, read_runtime
from tests.programs import RUNBOOK, body, write_config

CLAIM = Claim(
    id="w-1",
    lane=1,
    fence=1,
    destination=Destination("oncall", "odd"),
    groups=(WaitingGroup(1, "g-1", body(), (), 1_700_000_000.0),),
    attempt=1,
)
GROUP = AlertGroup.from_bytes(body(namespace="prod", pod="api-1"))


class Odd(Notifier):
    """A notifier that fails to render above a detail, and to send as told."""

    type: Literal["odd"] = "odd"
    breaks_above: Detail = Detail.FULL
    raises: Any = None

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> str:
        if detail > self.breaks_above or self.breaks_above is Detail.MINIMAL:
            raise RuntimeError("cannot render")
        return detail.name

    async def notify(self, payload: str, sending: Sending) -> Outcome:
        if self.raises is not None:
            raise self.raises
        return Delivered()


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return read_runtime(write_config(tmp_path, [{"type": "console"}]))


class Unreadable:
    """Runbooks whose reading fails."""

    largest = 0

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get(self, id: str) -> Any:
        raise self._error

    def named(self, reference: str, alertname: str) -> Any:
        raise self._error


def without_runbooks(runtime: Runtime) -> Runtime:
    """A runtime in which reading a runbook fails for want of memory."""
    return replace(runtime, catalogue=cast(Any, Unreadable(MemoryError())))


def with_(**changes: Any) -> Claim:
    return replace(CLAIM, **changes)


@pytest.mark.parametrize("size", [1000, 1_000_000])
async def test_a_large_runbook_is_filled_outside_the_event_loop(tmp_path: Path, size: int) -> None:
    config = write_config(tmp_path, [{"type": "console"}])
    text = RUNBOOK + "\nMore.\n" * (size // 7)
    (tmp_path / "runbooks" / "alerts" / "high-error-rate.md").write_text(text)
    threads = []

    def call(work: Any, *arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return work(*arguments)

    await compose.composed(CLAIM, Odd(), read_runtime(config), call)
    assert (threads == [threading.main_thread()]) == (size == 1000)


def test_a_notification_carries_ids_receiver_and_runbook(runtime: Runtime) -> None:
    notification = compose.write(CLAIM, GROUP, Odd(), runtime)
    assert (notification.id, notification.groups) == ("w-1", ("g-1",))
    assert (notification.receiver, notification.notifier) == ("oncall", "odd")
    assert [part.id for part in notification.runbooks] == ["alerts/high-error-rate"]
    assert notification.composed_at is not None


def test_where_enriching_fails_the_alerts_go_out_with_a_note(runtime: Runtime) -> None:
    broken = replace(runtime, catalogue=cast(Any, None))
    notification = compose.write(CLAIM, GROUP, Odd(), broken)
    assert notification.group is GROUP
    assert notification.notes
    assert notification.without_runbook == GROUP.alerts


@pytest.mark.parametrize("worst", [Detail.FIRST_STEPS, Detail.TITLES])
def test_where_rendering_fails_the_next_plainer_form_is_taken(
    worst: Detail, runtime: Runtime
) -> None:
    notification = compose.write(CLAIM, GROUP, Odd(), runtime)
    assert compose.render(notification, Odd(breaks_above=worst), Detail.FULL) == (
        worst.name,
        worst,
    )


def test_where_not_even_the_plainest_form_can_be_made_the_reason_is_told(runtime: Runtime) -> None:
    notification = compose.write(CLAIM, GROUP, Odd(), runtime)
    with pytest.raises(compose.Unmade, match="RuntimeError"):
        compose.render(notification, Odd(breaks_above=Detail.MINIMAL), Detail.FULL)
    failed = attempt.unmade(RuntimeError("secret"), attempt.Calm())
    assert (failed.reason, failed.remedy) == (Reason.INTERNAL, Remedy.GIVE_UP)
    assert not failed.in_doubt
    assert "secret" not in failed.message


NO_THREAD = RuntimeError("can't start new thread")


@pytest.mark.parametrize("error", [MemoryError(), OSError(24, "Too many open files"), NO_THREAD])
def test_what_the_router_lacks_for_a_moment_is_not_the_messages_fault(error: Exception) -> None:
    calm = attempt.Calm()
    assert attempt.unmade(error, calm).remedy is Remedy.RETRY
    wrapped = ValueError("in a library")
    wrapped.__cause__ = error
    assert attempt.unmade(wrapped, attempt.Calm()).remedy is Remedy.RETRY
    # For a while, whatever else goes wrong may come of that too.
    assert attempt.unmade(KeyError("x"), calm).remedy is Remedy.RETRY
    assert attempt.unmade(KeyError("x"), attempt.Calm()).remedy is Remedy.GIVE_UP


def test_enriching_waits_for_memory_but_not_for_long(runtime: Runtime) -> None:
    starved = without_runbooks(runtime)
    with pytest.raises(MemoryError):
        compose.write(with_(attempt=1), GROUP, Odd(), starved)
    assert compose.write(with_(attempt=3), GROUP, Odd(), starved).notes


async def test_where_no_thread_can_be_started_a_long_message_goes_out_plain_in_the_end(
    monkeypatch: pytest.MonkeyPatch, runtime: Runtime
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise NO_THREAD

    monkeypatch.setattr(compose, "messages", Aside("refused"))
    monkeypatch.setattr(compose, "_templates", Aside("refused"))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    many = GROUP.with_alerts(GROUP.alerts * 600)
    notifier = Odd.model_validate({"title": "{{ alerts | length }}"})
    notification = compose.write(CLAIM, many, notifier, runtime)
    with pytest.raises(RuntimeError):
        await compose.rendered(notification, notifier, Detail.FULL, patient=True)
    with pytest.raises(RuntimeError):
        await compose.worded(notification, notifier, patient=True)
    assert await compose.rendered(notification, notifier, Detail.FULL, patient=False) == (
        "MINIMAL",
        Detail.MINIMAL,
    )
    assert await compose.worded(notification, notifier, patient=False) == (notification, 1)


@pytest.mark.parametrize(
    ("claim", "detail"),
    [
        (with_(), Detail.FULL),
        (with_(crashes=1), Detail.FULL),
        (with_(crashes=2), Detail.MINIMAL),
        (with_(smaller=True), Detail.TITLES),
        (with_(smaller=True, crashes=2), Detail.MINIMAL),
    ],
)
def test_what_crashed_the_process_twice_goes_out_minimal(claim: Claim, detail: Detail) -> None:
    assert compose.most_detail(claim) is detail


LONG = "# Long\n\n## Mitigation\n\n"
STEP = "1. Look.\n\n   ```bash\n   kubectl get pods\n   ```\n\n"


@pytest.mark.parametrize(
    ("count", "runbook", "apart"),
    [
        (1, RUNBOOK, False),
        (600, RUNBOOK, True),
        (1, LONG + STEP * 20, False),
        (1, LONG + STEP * 8000, True),
        (1, LONG + "1. Look.\n\n   ```bash\n" + "   get\n" * 8000 + "   ```\n", True),
        (1, LONG + "1. " + "**word** `code` " * 12_000, True),
        (1, LONG + "1. " + "word " * 100_000, True),
        (1, LONG + "> > - Look.\n\n" * 8000, True),
        (1, LONG + "| a |\n|---|\n" + "| b |\n" * 8000, True),
    ],
    ids=["usual", "alerts", "short", "steps", "code", "spans", "words", "quotes", "table"],
)
async def test_a_message_of_many_alerts_or_a_long_runbook_is_made_while_others_are_accepted(
    count: int, runbook: str, apart: bool, tmp_path: Path
) -> None:
    path = write_config(tmp_path, [{"type": "console"}])
    (tmp_path / "runbooks" / "alerts" / "high-error-rate.md").write_text(runbook)
    runtime = read_runtime(path)

    class Noticing(Odd):
        def render(self, notification: Notification, detail: Detail = Detail.FULL) -> str:
            return threading.current_thread().name

    group = AlertGroup.from_bytes(body())
    many = group.with_alerts(group.alerts * count)
    notification = compose.write(CLAIM, many, Odd(), runtime)
    thread, detail = await compose.rendered(notification, Noticing(), Detail.FULL)
    assert (thread != threading.current_thread().name) is apart
    assert detail is Detail.FULL


async def test_a_template_runs_while_others_are_accepted(runtime: Runtime) -> None:
    endless = "{% for a in range(9999) %}{% if range(9999) | sum %}{% endif %}{% endfor %}"
    notifier = Odd.model_validate({"title": endless})
    notification = compose.write(CLAIM, GROUP, notifier, runtime)
    running = asyncio.create_task(compose.worded(notification, notifier))
    turns = 0
    while not running.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10
    assert await running == (notification, 1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), Reason.TIMEOUT),
        (ValueError("https://hooks.example.org/T0/SECRET"), Reason.INTERNAL),
        (aiohttp.ClientError("https://hooks.example.org/T0/SECRET"), Reason.INTERNAL),
    ],
)
async def test_whatever_a_notifier_raises_is_an_outcome_in_doubt_without_its_text(
    error: Exception, reason: Reason
) -> None:
    async with aiohttp.ClientSession() as session:
        outcome, seconds = await attempt.send(Odd(raises=error), "x", Sending(session, CLAIM.id))
    assert isinstance(outcome, Failed)
    assert outcome.reason is reason
    assert outcome.in_doubt
    assert "SECRET" not in json.dumps(outcome.message)
    assert seconds >= 0
