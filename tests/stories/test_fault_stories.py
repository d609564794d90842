"""Faults: destinations that fail, hang or are wrong, a stop in the middle, a disk that is full
or lies. What was accepted goes out in the end, and nobody waits for another's trouble.
"""

import asyncio
import io
import json
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from aiohttp import web

from tests.http import get, metric, post
from tests.programs import (
    PATIENCE,
    Request,
    body,
    eventually,
    recorder,
    router,
    write_config,
)
from tests.strace import syncs_that, traceable

pytestmark = pytest.mark.story

QUICK = {"min_backoff": "50ms", "max_backoff": "200ms", "hold_backoff": "200ms"}


async def test_an_outage_ends_in_one_current_message_per_group(tmp_path: Path) -> None:
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=503)
        notifier = {"type": "webhook", "url": destination.url}
        async with router(write_config(tmp_path, [notifier], delivery=QUICK)) as process:
            for number in range(5):
                await post(f"{process.url}/webhook", body(number=str(number)))
            await post(f"{process.url}/webhook", body("HighErrorRateB", key="b"))
            # One attempt at a time is made: the second from now on has what was posted last.
            refused = len(destination.requests)
            await eventually(lambda: len(destination.requests) >= refused + 2, "more attempts")
            destination.answer = lambda request: web.Response()
            pending = 'alert_router_deliveries_pending{notifier="webhook",receiver="oncall"}'

            async def nothing_waits() -> bool:
                return await metric(process, pending) == 0

            await eventually(nothing_waits, "the backlog to go")
            taken = [r for r in destination.requests if r.status == 200]
            assert len(taken) == 2
            first = next(r.json for r in taken if r.json["groupKey"] != "b")
            assert len(first["alert_router"]["groups"]) == 5
            assert first["alerts"][0]["labels"]["number"] == "4"
            assert await metric(process, "alert_router_folded_groups_total") == 4


async def test_without_folding_each_group_is_told_in_order(tmp_path: Path) -> None:
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=503)
        notifier = {"type": "webhook", "url": destination.url, "fold": False}
        async with router(write_config(tmp_path, [notifier], delivery=QUICK)) as process:
            for number in range(5):
                await post(f"{process.url}/webhook", body(number=str(number)))
            destination.answer = lambda request: web.Response()
            await eventually(
                lambda: len([r for r in destination.requests if r.status == 200]) == 5, "all five"
            )
        taken = [r.json for r in destination.requests if r.status == 200]
        assert [m["alerts"][0]["labels"]["number"] for m in taken] == list("01234")


async def test_a_destination_that_hangs_delays_no_other(tmp_path: Path) -> None:
    async def hang(_: Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    async with recorder() as slow, recorder() as quick:
        slow.answer = hang
        notifiers = [
            {
                "type": "webhook",
                "name": "slow",
                "url": slow.url,
                "concurrency": 2,
                "timeout": "5m",
            },
            {"type": "webhook", "name": "quick", "url": quick.url},
        ]
        async with router(write_config(tmp_path, notifiers)) as process:
            for number in range(30):
                await post(f"{process.url}/webhook", body(key=f"k{number}", n=str(number)))
            await eventually(lambda: len(quick.requests) == 30, "the quick destination")
            # Its own limit of concurrent sends.
            await eventually(lambda: len(slow.requests) >= 2, "the slow destination")
            assert len(slow.requests) == 2


async def test_a_destination_is_sent_no_more_than_its_rate_and_critical_ones_first(
    tmp_path: Path,
) -> None:
    """The first message is not answered until all are accepted."""
    gate = asyncio.Event()

    async def wait(_: Request) -> web.StreamResponse:
        await gate.wait()
        return web.Response()

    async with recorder() as hourly, recorder() as quick:
        hourly.answer = wait
        first = {"type": "webhook", "name": "hourly", "url": hourly.url, "rate_limit": "5/h"}
        second = {"type": "webhook", "name": "quick", "url": quick.url, "rate_limit": "4/s"}
        notifiers = [first | {"concurrency": 1, "timeout": "5m"}, second]
        async with router(write_config(tmp_path, notifiers)) as process:
            await post(f"{process.url}/webhook", body(key="first", severity="info"))
            await eventually(lambda: hourly.requests, "the first message")
            for severity in ("info", "warning", "critical"):
                for number in range(3):
                    key = f"{severity}{number}"
                    await post(f"{process.url}/webhook", body(key=key, severity=severity))
            gate.set()
            await eventually(lambda: len(quick.requests) == 10, "all of them, a second later")
            await eventually(lambda: len(hourly.requests) >= 5, "what the rate allows")
            waiting = 'alert_router_deliveries_pending{notifier="hourly",receiver="oncall"}'

            async def five_wait() -> bool:
                return await metric(process, waiting) == 5

            await eventually(five_wait, "the fifth message to be settled")
        keys = [request.json["groupKey"] for request in hourly.requests]
        assert len(keys) == 5
        assert set(keys[1:4]) == {f"critical{number}" for number in range(3)}
        assert keys[4].startswith("warning")


async def test_a_restart_does_not_forget_what_was_sent_within_the_rate(tmp_path: Path) -> None:
    async with recorder() as limited, recorder() as other:
        notifiers = [
            {"type": "webhook", "name": "limited", "url": limited.url, "rate_limit": "3/h"},
            {"type": "webhook", "name": "other", "url": other.url},
        ]
        config = write_config(tmp_path, notifiers)
        waiting = 'alert_router_deliveries_pending{notifier="limited",receiver="oncall"}'
        async with router(config) as process:

            async def nothing_waits() -> bool:
                return await metric(process, waiting) == 0

            for number in range(3):
                await post(f"{process.url}/webhook", body(key=f"k{number}", n=str(number)))
            await eventually(nothing_waits, "what the rate allows")
            process.end(signal.SIGKILL)
        async with router(config) as process:
            for number in range(3, 12):
                await post(f"{process.url}/webhook", body(key=f"k{number}", n=str(number)))
            await eventually(lambda: len(other.requests) >= 12, "the other destination")
            assert await metric(process, waiting) == 9
        assert len(limited.requests) == 3


async def test_critical_lanes_go_first(tmp_path: Path) -> None:
    """Whatever came before them while a message was being sent."""
    gate = asyncio.Event()

    async def wait(_: Request) -> web.StreamResponse:
        await gate.wait()
        return web.Response()

    async with recorder() as destination:
        destination.answer = wait
        notifier = {"type": "webhook", "url": destination.url, "concurrency": 1, "timeout": "5m"}
        async with router(write_config(tmp_path, [notifier])) as process:
            await post(f"{process.url}/webhook", body(key="first", severity="critical"))
            await eventually(lambda: destination.requests, "the first message")
            for severity in ("info", "warning", "critical"):
                await post(f"{process.url}/webhook", body(key=severity, severity=severity))
            gate.set()
            await eventually(lambda: len(destination.requests) == 4, "all")
        keys = [request.json["groupKey"] for request in destination.requests]
        assert keys == ["first", "critical", "warning", "info"]


async def test_a_refused_message_is_tried_smaller_and_then_a_dead_letter_to_replay(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=400, text="no_text")
        notifier = {"type": "webhook", "url": destination.url}
        config = write_config(tmp_path, [notifier], delivery=QUICK)
        async with router(config) as process:
            await post(f"{process.url}/webhook", body())
            dead = 'alert_router_dead_letters{notifier="webhook",receiver="oncall"}'

            async def one_is_dead() -> bool:
                return await metric(process, dead) == 1

            await eventually(one_is_dead, "the dead letter")
            full, smaller = destination.requests
            assert len(full.body) > len(smaller.body)
            destination.answer = lambda request: web.Response()
            rows = json.loads(await run(config, "deliveries", "list", "--state", "dead"))
            (row,) = rows if isinstance(rows, list) else rows["deliveries"]
            assert row["reason"] == "rejected"
            await run(config, "deliveries", "replay", str(row["id"]))
            await eventually(lambda: len(destination.requests) == 3, "the replay")


async def run(config: Path, *arguments: str) -> str:
    import sys

    program = Path(sys.executable).parent / "alert-router"
    process = await asyncio.create_subprocess_exec(
        program, *arguments, "--config", config, "--output", "json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_a_misconfigured_destination_is_held_and_its_deliveries_do_not_die(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=404)
        notifier = {"type": "webhook", "url": destination.url}
        async with router(write_config(tmp_path, [notifier], delivery=QUICK)) as process:
            await post(f"{process.url}/webhook", body())
            await eventually(lambda: len(destination.requests) >= 3, "slow retries")
            assert await metric(process, "alert_router_dead_letters{") == 0
            assert await metric(process, "alert_router_destination_held{") == 1
            destination.answer = lambda request: web.Response()
            await eventually(lambda: destination.requests[-1].status == 200, "the delivery")


async def test_what_waits_longer_than_max_age_is_a_dead_letter(tmp_path: Path) -> None:
    notifier = {"type": "webhook", "url": "http://127.0.0.1:9/"}
    delivery = QUICK | {"max_age": "500ms"}
    async with router(write_config(tmp_path, [notifier], delivery=delivery)) as process:
        await post(f"{process.url}/webhook", body())

        async def one_is_dead() -> bool:
            return await metric(process, "alert_router_dead_letters{") == 1

        await eventually(one_is_dead, "the dead letter")


async def test_sigterm_closes_the_intake_finishes_what_is_being_sent_and_keeps_the_rest(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()

    async def wait(_: Request) -> web.StreamResponse:
        await gate.wait()
        return web.Response()

    async with recorder() as destination:
        destination.answer = wait
        notifier = {"type": "webhook", "url": destination.url, "concurrency": 1, "timeout": "5m"}
        config = write_config(tmp_path, [notifier], delivery={"shutdown_timeout": "3m"})
        async with router(config) as process:
            await post(f"{process.url}/webhook", body(key="one"))
            await eventually(lambda: destination.requests, "the first send")
            await post(f"{process.url}/webhook", body(key="two"))
            process.popen.send_signal(signal.SIGTERM)
            await eventually(lambda: '"stopping"' in process.text(), "the stop")
            assert (await get(f"{process.url}/-/ready"))[0] == 503
            assert (await post(f"{process.url}/webhook", body(key="three")))[0] == 503
            gate.set()
            assert await asyncio.to_thread(process.popen.wait, PATIENCE) == 0
        assert [r.json["groupKey"] for r in destination.requests] == ["one"]
        async with router(config):
            await eventually(lambda: len(destination.requests) == 2, "what was left")
        assert destination.requests[1].json["groupKey"] == "two"


async def test_a_send_cut_off_by_the_deadline_is_repeated_under_its_id(tmp_path: Path) -> None:
    async def hang(_: Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    async with recorder() as destination:
        destination.answer = hang
        notifier = {"type": "webhook", "url": destination.url}
        config = write_config(tmp_path, [notifier], delivery={"shutdown_timeout": "100ms"})
        async with router(config) as process:
            await post(f"{process.url}/webhook", body())
            await eventually(lambda: destination.requests, "the send")
            process.popen.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.popen.wait, PATIENCE) == 0
        destination.answer = lambda request: web.Response()
        async with router(config):
            await eventually(lambda: len(destination.requests) == 2, "the repeat")
        first, second = destination.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert second.json["alert_router"]["resent"] is True


async def fill_up(url: str) -> tuple[list[str], int]:
    """Post until something other than 200 is answered: the ids answered 200, and that answer."""
    accepted = []
    for number in range(3000):
        padding = "x" * 20_000
        status, answer = await post(
            f"{url}/webhook", body(key=f"k{number}", n=str(number), padding=padding)
        )
        if status != 200:
            return accepted, status
        accepted.append(answer["id"])
    raise AssertionError("the store never filled up")


async def test_a_store_that_cannot_grow_is_503_and_what_was_accepted_goes_out(
    tmp_path: Path,
) -> None:
    """A file size limit on the process stands for a full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))

    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=503)
        notifier = {"type": "webhook", "url": destination.url}
        delivery = {"min_backoff": "2s", "max_backoff": "2s"}
        config = write_config(tmp_path, [notifier], delivery=delivery)
        async with router(config, preexec_fn=limit) as process:
            accepted, status = await fill_up(process.url)
            assert status == 503
            assert accepted
            destination.answer = lambda request: web.Response()
            process.end(signal.SIGKILL)
        async with router(config):
            await eventually(
                lambda: set(accepted) <= delivered_groups(destination.requests),
                "everything answered 200",
            )


def delivered_groups(requests: list[Request]) -> set[str]:
    return {
        group
        for request in requests
        if request.status == 200
        for group in request.json["alert_router"]["groups"]
    }


async def test_a_failed_fsync_is_503_and_nothing_answered_200_is_lost(tmp_path: Path) -> None:
    async with recorder() as destination:
        notifier = {"type": "webhook", "url": destination.url}
        config = write_config(tmp_path, [notifier], delivery=QUICK)
        accepted: list[str] = []
        numbers = count()
        async with router(config, preexec_fn=traceable) as process:

            async def answers(wanted: int) -> bool:
                number = str(next(numbers))
                status, answer = await post(f"{process.url}/webhook", body(key=f"k{number}"))
                if status == 200:
                    accepted.append(answer["id"])
                return status == wanted

            assert await answers(200)
            async with syncs_that("error=EIO", process):
                await eventually(lambda: answers(503), "the fault")
            await eventually(lambda: answers(200), "the end of the fault")
            process.end(signal.SIGKILL)
        async with router(config):
            await eventually(
                lambda: set(accepted) <= delivered_groups(destination.requests),
                "everything answered 200",
            )
    with closing(sqlite3.connect(tmp_path / "alert-router.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def address_space(pid: int) -> int:
    """Bytes of it that a process uses."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


async def test_where_no_thread_can_be_started_messages_go_out_and_none_is_a_dead_letter(
    tmp_path: Path,
) -> None:
    """A process is left too little room for the stack of a thread while its messages need one."""
    title = "{{ alerts | length }} alerts"
    async with recorder() as destination:
        notifier = {"type": "webhook", "url": destination.url, "title": title, "concurrency": 8}
        async with router(write_config(tmp_path, [notifier], delivery=QUICK)) as process:
            pid = process.popen.pid
            before = resource.prlimit(pid, resource.RLIMIT_AS)
            little = (address_space(pid) + 6 * 1024 * 1024, before[1])
            resource.prlimit(pid, resource.RLIMIT_AS, little)
            for number in range(12):
                await post(f"{process.url}/webhook", body(key=f"k{number}"))
            await eventually(lambda: "can't start new thread" in process.text(), "the fault")
            await eventually(lambda: len(destination.requests) == 12, "the messages")
            resource.prlimit(pid, resource.RLIMIT_AS, before)
            await post(f"{process.url}/webhook", body(key="after"))
            await eventually(lambda: len(destination.requests) == 13, "the message afterwards")
            assert destination.requests[-1].json["alert_router"]["title"] == "1 alerts"
            assert await metric(process, "alert_router_dead_letters{") == 0


async def test_sigterm_ends_in_time_while_the_disk_hangs(tmp_path: Path) -> None:
    """No write to the store ends from some moment on."""
    async with recorder() as destination:
        notifier = {"type": "webhook", "url": destination.url}
        config = write_config(tmp_path, [notifier], delivery={"shutdown_timeout": "2s"})
        async with (
            router(config, preexec_fn=traceable) as process,
            syncs_that("delay_enter=3600s", process) as log,
        ):
            posting = [
                asyncio.create_task(post(f"{process.url}/webhook", body(key=f"k{n}")))
                for n in range(40)
            ]
            try:
                await eventually(lambda: "sync(" in log.read_text(), "the disk to hang")
                process.popen.send_signal(signal.SIGTERM)
                await eventually(lambda: has_ended(process.popen.pid), "the end")
            finally:
                for task in posting:
                    task.cancel()
                await asyncio.gather(*posting, return_exceptions=True)


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or would be but for who traces its threads."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def test_many_large_bodies_at_once_leave_the_reserve_for_settling(
    tmp_path: Path, small_disk: Path
) -> None:
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=503)
        config = write_config(
            tmp_path,
            [{"type": "webhook", "url": destination.url}],
            delivery=QUICK,
            storage=f"sqlite:///{small_disk}/alert-router.db",
        )
        async with router(config) as process:
            accepted: set[str] = set()
            is_full = False
            numbers = count()
            padding = {f"a{n}": "x" * 60_000 for n in range(16)}  # twice in it

            async def send() -> None:
                nonlocal is_full
                while not is_full:
                    payload = io.BytesIO(body(key=f"k{next(numbers)}", **padding))
                    status, answer = await post(f"{process.url}/webhook", payload)
                    if status == 200:
                        accepted.add(answer["id"])
                    else:
                        assert (status, answer["error"][:16]) == (503, "the disk is full")
                        is_full = True

            await asyncio.gather(*(send() for _ in range(5)))
            assert accepted
            left = least = shutil.disk_usage(small_disk).free
            assert left > 64 * 1024**2, "the reserve"
            destination.answer = lambda request: web.Response()

            async def nothing_is_pending() -> bool:
                nonlocal least
                least = min(least, shutil.disk_usage(small_disk).free)
                return await metric(process, "alert_router_deliveries_pending{") == 0

            await eventually(nothing_is_pending, "every outcome to be written down")
            assert accepted <= delivered_groups(destination.requests)
            assert "cannot settle" not in process.text()
            assert "cannot write the store" not in process.text()
            print(f"{len(accepted)} accepted, {left >> 20}, then {least >> 20} MiB free")
