"""A store that does not answer: requests are answered all the same, with 503 where that is
needed, and a store that never will again ends the process.
"""

import asyncio
import json
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alert_router.outbox.base import StoreEnded, StoreUnavailable
from tests.http import get, metric, post
from tests.outbox.kit import group, open_sqlite
from tests.programs import PATIENCE, body, eventually, recorder, router, write_config
from tests.stories.test_fault_stories import delivered_groups
from tests.strace import syncs_that, traceable

pytestmark = pytest.mark.story


async def test_while_the_disk_hangs_everything_is_answered_and_afterwards_all_goes_out(
    tmp_path: Path,
) -> None:
    """One fdatasync does not end before the test lets it: whoever waited for it would get no
    answer."""
    async with recorder() as destination:
        config = write_config(tmp_path, [{"type": "webhook", "url": destination.url}])
        async with router(config, preexec_fn=traceable) as process:

            async def send(number: int) -> tuple[int, dict[str, Any]]:
                return await post(f"{process.url}/webhook", body(key=f"k{number}"))

            ids = {(await send(number))[1]["id"] for number in range(5)}
            async with syncs_that("delay_enter=3600s", process):
                posting = asyncio.create_task(send(5))
                for path in ("metrics", "-/ready", "-/healthy"):
                    status, _ = await get(f"{process.url}/{path}")
                assert status == 200, "it is healthy"

                async def is_not_ready() -> bool:
                    status, text = await get(f"{process.url}/-/ready")
                    return status == 503 and "does not answer" in text

                async def store_is_old() -> bool:
                    return await metric(process, "alert_router_store_answer_age_seconds") > 5

                await eventually(is_not_ready, "ready to say so")
                await eventually(store_is_old, "the age of the store's last answer")
                assert (await send(1000))[0] == 503
                assert (await posting)[0] == 503
                for path in ("api/v1/coverage", f"api/v1/groups/{next(iter(ids))}"):
                    assert (await get(f"{process.url}/{path}"))[0] == 503

            async def is_ready() -> bool:
                return (await get(f"{process.url}/-/ready"))[0] == 200

            await eventually(is_ready, "the disk")
            # What was given up while it was being written is there: its repetition is known.
            status, answer = await send(5)
            assert status == 200
            ids.add(answer["id"])
            await eventually(lambda: ids <= delivered_groups(destination.requests), "all of them")
            await eventually(
                lambda: (
                    {f"k{n}" for n in range(6)}
                    == {request.json["groupKey"] for request in destination.requests}
                ),
                "one that nobody waited for any more",
            )


# Runs the program that follows; once a file appears, an exception is raised in the store's thread.
KILLER = """
import ctypes, os, runpy, sys, threading, time
flag = sys.argv[1]
def kill():
    while not os.path.exists(flag):
        time.sleep(0.02)
    for thread in threading.enumerate():
        if thread.name == "outbox-writer":
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
threading.Thread(target=kill, daemon=True).start()
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


async def test_a_router_whose_store_has_ended_exits_with_an_error_though_nothing_comes_in(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, [{"type": "console"}])
    flag = tmp_path / "kill"
    async with router(config, prefix=(sys.executable, "-c", KILLER, str(flag))) as process:
        assert (await post(f"{process.url}/webhook", body()))[0] == 200
        flag.touch()
        code = await asyncio.to_thread(process.popen.wait, PATIENCE)
    assert code == 1
    lines = [json.loads(line) for line in process.text().splitlines() if line.startswith("{")]
    said = [line["event"] for line in lines if line["level"] == "critical"]
    assert said == [
        "the thread of the store failed",
        "exiting: the store has ended; what was being sent will be repeated",
    ]
    with closing(sqlite3.connect(tmp_path / "alert-router.db")) as store:
        assert store.execute("SELECT count(*) FROM alert_group").fetchone() == (1,)


@pytest.mark.parametrize("kind", [SystemExit, MemoryError])
async def test_whoever_waits_for_a_store_that_ends_is_answered(
    tmp_path: Path, kind: type[BaseException]
) -> None:
    """The thread fails wherever it is: while it waits for another process's transaction, or when
    it takes what comes next."""
    import ctypes

    outbox = await open_sqlite(tmp_path)
    (thread,) = (it for it in threading.enumerate() if it.name == "outbox-writer")
    await outbox.accept(group("first"), 0)
    with closing(sqlite3.connect(tmp_path / "alert-router.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        running = [asyncio.ensure_future(outbox.accept(group("a"), 0))]
        await asyncio.sleep(0)  # handed over
        waiting = [asyncio.ensure_future(outbox.accept(group(f"{n}"), 0)) for n in range(3)]
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(kind)
        )
        other.execute("ROLLBACK")
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(*running, *waiting, return_exceptions=True)
        assert all(isinstance(answer, StoreUnavailable) for answer in answers), answers
        if kind is SystemExit:
            with pytest.raises(StoreEnded):
                await outbox.backlog()
        await outbox.close()
