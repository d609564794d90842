"""Bodies and requests made to stop the router, against the real process: it stays healthy within
its memory, what can go out goes out, and nothing stored keeps it from starting.
"""

import asyncio
import io
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.http import get, metric, post
from tests.programs import (
    Recorder,
    Router,
    body,
    eventually,
    free_port,
    recorder,
    router,
    write_config,
)

pytestmark = pytest.mark.story

SIZE = 10 * 1024 * 1024 - 1024  # the default `http.max_body`, nearly
MEMORY = 256  # MiB
# Processor seconds of the router before it answers: what else the machine does is no fault of it.
HEALTHY = 5.0  # a slow machine takes ten times as many as others; the stalls took 13 and more

PROBE = """
import http.client, os, select, sys
host, port = sys.argv[1].split(":")
def spent():
    with open(f"/proc/{sys.argv[2]}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
worst = 0.0
while True:
    if select.select([sys.stdin], [], [], 0.01)[0]:
        if not sys.stdin.readline():
            break
        print(worst, flush=True)
        worst = 0.0
    began = spent()
    connection = http.client.HTTPConnection(host, int(port), timeout=600)
    connection.request("GET", "/-/healthy")
    assert connection.getresponse().status == 200
    connection.close()
    worst = max(worst, spent() - began)
"""


@asynccontextmanager
async def probing(process: Router) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """Asks for /-/healthy without pause, from a process of its own; gives the most that the router
    did before it answered since the last call, in processor seconds."""
    address, pid = process.url.removeprefix("http://"), str(process.popen.pid)
    prober = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROBE, address, pid),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert prober.stdin is not None
    assert prober.stdout is not None
    to, of = prober.stdin, prober.stdout

    async def worst() -> float:
        to.write(b"?\n")
        return float(await of.readline())

    await worst()
    try:
        yield worst
    finally:
        to.close()
        await prober.wait()


async def send(process: Router, raw: bytes) -> tuple[int, dict[str, Any]]:
    """Status and answer. Large bodies are sent bit by bit, so that the test's own loop goes on."""
    return await post(f"{process.url}/webhook", io.BytesIO(raw))  # type: ignore[arg-type]


def most_memory(process: Router) -> int:
    """The largest resident size so far, MiB."""
    text = Path(f"/proc/{process.popen.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) // 1024


def group(alerts: bytes, key: bytes = b"k") -> bytes:
    head = b'{"version":"4","groupKey":"' + key + b'","status":"firing","receiver":"r",'
    return head + b'"groupLabels":{},"commonLabels":{},"alerts":' + alerts + b"}"


def many(item: bytes, size: int = SIZE) -> bytes:
    return group(b"[" + b",".join([item] * ((size - 200) // (len(item) + 1))) + b"]")


def one(value: bytes) -> bytes:
    return group(b'[{"labels":{"alertname":"A","x":' + value + b"}}]")


def text(piece: bytes) -> bytes:
    return one(b'"' + piece * ((SIZE - 300) // len(piece)) + b'"')


def names() -> bytes:
    labels = b",".join(b'"name%d":"x"' % n for n in range((SIZE - 300) // 17))
    return group(b'[{"labels":{' + labels + b"}}]")


def nested(piece: bytes, place: bytes) -> bytes:
    """Each value is within the limits; all of them together would be millions of objects."""
    value = b"[" + b",".join([piece] * (60_000 // (len(piece) + 1))) + b"]"
    return many(place % value)


def real() -> bytes:
    labels = {f"label_{n}": "a value of usual length" for n in range(12)}
    alert = {"status": "firing", "labels": labels, "annotations": {"summary": "x" * 300}}
    return many(json.dumps(alert).encode())


def full() -> bytes:
    labels = b",".join(b'"n%d":""' % n for n in range(100))
    return many(b'{"labels":{' + labels + b"}}")


BODIES: dict[str, tuple[Callable[[], bytes], int]] = {
    "usual alerts": (real, 200),
    "200,000 alerts": (lambda: many(b'{"labels":{"alertname":"A"}}', 5_600_000), 200),
    "empty alerts": (lambda: many(b"{}"), 200),
    "alerts of one empty name": (lambda: many(b'{"":0}'), 200),
    "numbers for alerts": (lambda: many(b"0"), 400),
    "alerts full of labels": (full, 200),
    "alerts of 60 KB": (
        lambda: many(b'{"labels":{"alertname":"A"},"annotations":{"a":"' + b"x" * 60_000 + b'"}}'),
        200,
    ),
    "700,000 label names": (names, 200),
    "one label of 10 MB": (lambda: text(b"x"), 200),
    "one label of escapes": (lambda: text(b"\\n"), 200),
    "one label of half pairs": (lambda: text(b"\\ud800"), 200),
    "one label of emoji": (lambda: text("\N{GRINNING FACE}".encode()), 200),
    "one label of digits": (lambda: one(b"9" * (SIZE - 300)), 200),
    "a list for a label": (lambda: one(b"[" + b'"",' * (SIZE // 3 - 200) + b"0]"), 200),
    "lists for labels": (lambda: nested(b"[]", b'{"labels":{"x":%s}}'), 200),
    "texts in lists for labels": (lambda: nested(b'""', b'{"labels":{"x":%s}}'), 200),
    "lists in unknown fields": (lambda: nested(b"[]", b'{"labels":{},"x":%s}'), 200),
    "objects in unknown fields": (lambda: nested(b'{"":0}', b'{"labels":{},"x":%s}'), 200),
    "numbers in unknown fields": (lambda: nested(b"1.5", b'{"labels":{},"x":%s}'), 200),
    "a long group key": (lambda: group(b'[{"labels":{}}]', b"k" * (SIZE - 300)), 200),
    "newlines before": (lambda: b"\n" * (SIZE - 300) + one(b'"y"'), 200),
    "newlines behind": (lambda: one(b'"y"') + b"\n" * (SIZE - 300), 200),
    "brackets": (lambda: b"[" * SIZE, 400),
    "nested": (lambda: one(b"[" * (SIZE - 300)), 400),
    "no end": (lambda: one(b'"' + b"x" * (SIZE - 300))[:-20], 400),
}


@pytest.mark.parametrize("name", BODIES)
async def test_no_single_body_stalls_the_router_or_takes_its_memory(
    tmp_path: Path, name: str
) -> None:
    make, expected = BODIES[name]
    raw = make()
    assert len(raw) <= SIZE + 1024
    async with recorder() as there:
        notifiers = [
            {"type": "console"},
            {"type": "webhook", "url": f"{there.url}/w"},
            {"type": "slack", "url": f"{there.url}/s"},
        ]
        async with (
            router(write_config(tmp_path, notifiers)) as process,
            probing(process) as worst,
        ):
            status, answer = await send(process, raw)
            assert (status, status == 200 or bool(answer["expected"])) == (expected, True)
            if expected == 200:
                await eventually(lambda: len(there.requests) == 2, "both messages")
            assert await worst() < HEALTHY
            assert most_memory(process) < MEMORY
            assert process.end() == 0


@pytest.mark.long
async def test_many_large_bodies_at_once_stay_within_the_memory_too(tmp_path: Path) -> None:
    """What there is no room for is answered 503, which Alertmanager tries again."""
    bodies = [real().replace(b'"k"', b'"k%d"' % n, 1) for n in range(8)]
    async with recorder() as there:
        notifiers = [
            {"type": "webhook", "name": f"w{n}", "url": f"{there.url}/{n}"} for n in range(4)
        ]
        async with (
            router(write_config(tmp_path, notifiers)) as process,
            probing(process) as worst,
        ):

            async def until_accepted(raw: bytes) -> None:
                async def accepted() -> bool:
                    status, _ = await send(process, raw)
                    assert status in (200, 503)
                    return status == 200

                await eventually(accepted, "a body to be accepted")

            await asyncio.gather(*map(until_accepted, bodies))
            await eventually(lambda: len(there.requests) >= 32, "all messages")
            assert await worst() < 3 * HEALTHY
            assert most_memory(process) < MEMORY


async def test_small_bodies_are_accepted_while_large_ones_are_read(tmp_path: Path) -> None:
    async with router(write_config(tmp_path, [{"type": "console"}])) as process:
        large = asyncio.create_task(send(process, names()))
        accepted = 0
        while not large.done():
            status, _ = await post(f"{process.url}/webhook", body(f"A{accepted}"))
            assert status == 200
            accepted += not large.done()
        assert accepted, "a body of a hundredth of the work does not wait for the large one"
        assert (await large)[0] == 200


async def test_what_was_cut_is_said_in_the_message_and_counted(tmp_path: Path) -> None:
    limits = {"alerts": 10, "labels": 8, "value": 256}
    http = {"listen": "127.0.0.1:0", "limits": limits}
    alert = {
        "status": "firing",
        "labels": {"alertname": "A", **{f"l{n}": "x" for n in range(9)}},
        "annotations": {"summary": "s" * 1000},
    }
    raw = group(json.dumps([alert] * 25).encode())
    async with recorder() as there:
        notifiers = [{"type": "webhook", "url": there.url}]
        async with router(write_config(tmp_path, notifiers, http=http)) as process:
            assert (await send(process, raw))[0] == 200
            await eventually(lambda: there.requests, "the message")
            told = there.requests[0].json
            (note,) = told["alert_router"]["notes"]
            assert note.startswith(
                "15 more alerts were cut; 20 labels and annotations were cut; "
                "10 long values were shortened"
            )
            assert len(told["alerts"]) == 10
            assert told["truncatedAlerts"] == 15
            for what, count in {"alerts": 15, "labels": 20, "values": 10}.items():
                series = f'alert_router_body_cut_total{{what="{what}"}}'
                assert await metric(process, series) == count


POISON = b'{"labels":{"alertname":"HighErrorRate"},"annotations":{"runbook_url":"%s"}}'


def poison() -> list[bytes]:
    """Each held the loop of an earlier version for seconds or for good."""
    return [
        group(b"[" + POISON % (b"/a" * (kib * 512)) + b"]", b"%d" % kib) for kib in (1, 58, 390)
    ] + [group(b"[" + b",".join([POISON % (b"/%d/a" % n * 500) for n in range(2000)]) + b"]", b"m")]


async def test_no_stored_group_keeps_the_router_from_starting(tmp_path: Path) -> None:
    http = {"listen": "127.0.0.1:0", "limits": {"value": "1MiB"}}
    notifiers = [{"type": "webhook", "url": f"http://127.0.0.1:{free_port()}"}]
    async with router(write_config(tmp_path, notifiers, http=http)) as process:
        for raw in poison():
            assert (await send(process, raw))[0] == 200
        process.end(signal.SIGKILL)

    async with recorder() as there:
        notifiers = [{"type": "webhook", "url": there.url}]
        config = write_config(tmp_path, notifiers, http=http)
        async with router(config) as process, probing(process) as worst:
            await eventually(lambda: len(there.requests) >= 4, "all messages")
            assert await worst() < HEALTHY
            assert process.end() == 0


async def test_after_two_crashes_a_group_goes_out_without_choosing_a_runbook(
    tmp_path: Path,
) -> None:
    async with recorder() as there:
        never: asyncio.Future[web.Response] = asyncio.get_running_loop().create_future()
        there.answer = lambda request: never
        config = write_config(tmp_path, [{"type": "webhook", "url": there.url}])
        for attempt in range(2):
            async with router(config) as process:
                if attempt == 0:
                    assert (await post(f"{process.url}/webhook", body()))[0] == 200
                await eventually(lambda: len(there.requests) > attempt, "an attempt")  # noqa: B023
                process.end(signal.SIGKILL)
        there.answer = Recorder().answer
        async with router(config) as process:
            await eventually(lambda: len(there.requests) == 3, "the third attempt")
            assert there.requests[0].json["runbooks"]
            last = there.requests[2].json
            assert last["runbooks"] == []
            assert any("Sent without runbooks" in note for note in last["alert_router"]["notes"])
            assert last["alerts"][0]["labels"]["alertname"] == "HighErrorRate"
        never.cancel()


async def test_a_loop_that_keeps_lagging_is_not_ready_until_it_is_well_again(
    tmp_path: Path,
) -> None:
    async with router(write_config(tmp_path, [{"type": "console"}])) as process:

        async def is_ready() -> bool:
            return (await get(f"{process.url}/-/ready"))[0] == 200

        await eventually(is_ready, "the router to be ready")
        answer = ""
        for _ in range(12):  # stopped for longer than a second again and again
            process.popen.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1.3)  # the fault itself
            process.popen.send_signal(signal.SIGCONT)
            status, answer = await get(f"{process.url}/-/ready")
            if status == 503:
                break
        assert "lags" in answer
        await eventually(is_ready, "the router to be ready again")
        late = 'alert_router_event_loop_lag_seconds_bucket{le="1.0"}'
        every = "alert_router_event_loop_lag_seconds_count"
        assert await metric(process, every) - await metric(process, late) >= 3


async def test_asking_for_pages_and_metrics_without_end_does_not_stall_the_intake(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, [{"type": "console", "name": f"c{n}"} for n in range(40)])
    long = tmp_path / "runbooks" / "long.md"
    step = "1. Look at `x` and **y** in [z](https://example.org).\n\n   ```bash\n   ls\n   ```\n\n"
    long.write_text("# Long\n\n## Detection\n\n" + step * 3000)
    async with router(config) as process, aiohttp.ClientSession() as session:

        async def ask(path: str) -> None:
            while True:
                async with session.get(process.url + path) as answer:
                    assert answer.status == 200
                    await answer.read()

        paths = ["/metrics", "/runbooks/", "/runbooks/long"] * 4
        asking = [asyncio.create_task(ask(path)) for path in paths]
        try:
            async with probing(process) as worst:
                for number in range(30):
                    status, _ = await post(f"{process.url}/webhook", body(f"A{number}"))
                    assert status == 200
                assert await worst() < HEALTHY
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
