"""The wall clock is set while the router runs: nothing dies of it, and nothing waits for it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from tests.http import metric, post
from tests.programs import Request, body, eventually, need, recorder, router, write_config
from tests.stories.test_fault_stories import QUICK, delivered_groups

pytestmark = pytest.mark.story

DEAD = "alert_router_dead_letters{"


def faked(tmp_path: Path) -> tuple[dict[str, str], Callable[[str], None]]:
    """The environment of a process whose wall clock can be set, and what sets it: by `+25h`."""
    need("faketime")
    (library, *_) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    file = tmp_path / "clock"

    def move(by: str) -> None:
        new = tmp_path / "clock.new"
        new.write_text(by)
        new.rename(file)  # never half written

    move("+0")
    faking = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    return os.environ | faking, move


async def test_what_was_accepted_before_the_clock_was_set_ahead_is_delivered(
    tmp_path: Path,
) -> None:
    """By more than max_age, while one destination is well and busy and another one fails."""
    gate = asyncio.Event()

    async def wait(_: Request) -> web.Response:
        await gate.wait()
        return web.Response()

    environment, move = faked(tmp_path)
    async with recorder() as busy, recorder() as failing:
        busy.answer = wait
        failing.answer = lambda request: web.Response(status=503)
        notifiers = [
            {"type": "webhook", "name": "busy", "url": busy.url, "concurrency": 1},
            {"type": "webhook", "name": "failing", "url": failing.url},
        ]
        config = write_config(tmp_path, notifiers, delivery=QUICK)
        async with router(config, env=environment) as process:
            ids = set()
            for number in range(5):
                _, answer = await post(f"{process.url}/webhook", body(key=f"k{number}"))
                ids.add(answer["id"])
            move("+25h")
            await eventually(lambda: "clock was changed" in process.text(), "the log to say so")
            _, answer = await post(f"{process.url}/webhook", body(key="after"))
            ids.add(answer["id"])
            tried = len(failing.requests)
            await eventually(lambda: len(failing.requests) > tried + 5, "more attempts")
            gate.set()
            failing.answer = lambda request: web.Response()
            await eventually(lambda: ids <= delivered_groups(busy.requests), "the busy one")
            await eventually(lambda: ids <= delivered_groups(failing.requests), "the failing one")
            assert await metric(process, DEAD) == 0


async def test_after_the_clock_was_set_ahead_what_fails_expires_one_max_age_later(
    tmp_path: Path,
) -> None:
    max_age = 8.0
    environment, move = faked(tmp_path)
    config = write_config(
        tmp_path,
        [{"type": "webhook", "url": "http://127.0.0.1:9/"}],
        delivery=QUICK | {"max_age": "8s"},
    )
    async with router(config, env=environment) as process:

        async def dead(number: int) -> bool:
            return await metric(process, DEAD) == number

        await post(f"{process.url}/webhook", body(key="first"))
        # From here on the start is long enough ago.
        await eventually(lambda: dead(1), "the first to expire")
        await post(f"{process.url}/webhook", body(key="second"))
        jumped = time.monotonic()
        move("+1h")
        await eventually(lambda: dead(2), "the second to expire")
        assert time.monotonic() - jumped > max_age - 1


async def test_after_the_clock_was_set_back_what_backs_off_is_tried_at_once(
    tmp_path: Path,
) -> None:
    environment, move = faked(tmp_path)
    poison = 500

    def answer(request: Request) -> web.Response:
        return web.Response(status=poison if b"poison" in request.body else 200)

    async with recorder() as destination:
        destination.answer = answer
        config = write_config(tmp_path, [{"type": "webhook", "url": destination.url}])
        async with router(config, env=environment) as process:
            await post(f"{process.url}/webhook", body(key="poison"))

            async def backs_off() -> bool:
                await post(f"{process.url}/webhook", body(key=f"{time.monotonic()}"))
                return '"retry_in"' in process.text()  # it alone, while others get through

            await eventually(backs_off, "the message to back off")
            move("-1h")
            poison = 200
            await eventually(
                lambda: any(r.status == 200 and b"poison" in r.body for r in destination.requests),
                "the message",
            )


# Looks at the clock, sets it, looks again.
LOOK = """
import sys
from alert_router.server import tasks
tasks._AT_START = 0.0
it = tasks.Clock()
for by in sys.argv[2:]:
    open(sys.argv[1], "w").write(by)
    it.look()
    print(it.has_jumped, it.may_expire(3600), it.may_prune())
    it.has_jumped = False
"""


@pytest.mark.parametrize(
    ("moves", "looks"),
    [
        (["+0", "+2"], ["False True True", "False True True"]),
        (["+30", "+30"], ["True True True", "False True True"]),
        (["-1h", "-1h"], ["True True True", "False True True"]),
        (["+30d", "+30d"], ["True False False", "False False False"]),
        (["+30d", "+0"], ["True False False", "True False False"]),
    ],
)
def test_a_jump_of_the_clock_puts_off_what_is_judged_by_age(
    tmp_path: Path, moves: list[str], looks: list[str]
) -> None:
    environment, _ = faked(tmp_path)
    command = [sys.executable, "-c", LOOK, str(tmp_path / "clock"), *moves]
    seen = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert [line for line in seen.stdout.splitlines() if "clock" not in line] == looks


def test_for_a_while_after_the_start_nothing_is_judged_by_age() -> None:
    from alert_router.server.tasks import Clock

    clock = Clock()
    clock.look()
    assert not clock.may_expire(3600)
    assert not clock.may_prune()
