"""Names that do not resolve: a name server that never answers for some delays nobody else, and
nothing keeps the process from ending.
"""

import asyncio
import re
import signal
from itertools import count
from pathlib import Path

import pytest
from aiohttp import web

from tests.http import metric, post
from tests.nameserver import asking, name_server
from tests.programs import (
    HOURS,
    PATIENCE,
    Recorder,
    Request,
    body,
    eventually,
    patched,
    recorder,
    router,
    write_config,
)

pytestmark = pytest.mark.story

HANGING = [
    {"type": "webhook", "name": f"hang{n}", "url": f"http://hang{n}.test:9/", "timeout": "5m"}
    for n in range(3)
]

# A look-up that nobody answers lasts for hours: what happens all the same has not waited for it.
FOR_HOURS: dict[str, object] = {
    "alert_router.notify.egress.Resolver.__init__.__defaults__": (36_000.0,),
    "alert_router.notify.egress._TRIES": 1000,  # one by c-ares takes seconds at most
}
ALWAYS_AGAIN = FOR_HOURS | {"alert_router.notify.egress._FRESH": 0.0}


def port(destination: Recorder) -> str:
    return destination.url.rpartition(":")[2]


def closing(_: Request) -> web.Response:
    """An answer after which the next message needs a connection, and its name an address."""
    return web.Response(headers={"Connection": "close"})


async def test_names_for_which_nobody_answers_delay_no_other_destination_and_no_stop(
    tmp_path: Path,
) -> None:
    async with recorder() as destination, name_server({"well.test": "127.0.0.1"}) as server:
        destination.answer = closing
        well = {"type": "webhook", "name": "well", "url": f"http://well.test:{port(destination)}/"}
        config = write_config(tmp_path, [well, *HANGING], delivery={"shutdown_timeout": "2s"})
        async with router(
            config, prefix=(*asking(server, tmp_path), *patched(FOR_HOURS))
        ) as process:
            keys = {f"k{number}" for number in range(100)}
            for key in keys:
                assert (await post(f"{process.url}/webhook", body(key=key, n=key)))[0] == 200
            await eventually(
                lambda: keys <= {request.json["groupKey"] for request in destination.requests},
                "every message",
            )
            await eventually(
                lambda: {f"hang{n}.test" for n in range(3)} <= set(server.asked), "the look-ups"
            )
            process.popen.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.popen.wait, PATIENCE) == 0


async def test_the_last_good_answer_serves_while_the_name_server_is_silent(
    tmp_path: Path,
) -> None:
    async with recorder() as destination, name_server({"well.test": "127.0.0.1"}) as server:
        destination.answer = closing
        url = f"http://well.test:{port(destination)}/"
        config = write_config(tmp_path, [{"type": "webhook", "url": url}], delivery=HOURS)
        prefix = (*asking(server, tmp_path), *patched(ALWAYS_AGAIN))
        async with router(config, prefix=prefix) as process:
            await post(f"{process.url}/webhook", body(key="before"))
            await eventually(lambda: destination.requests, "the first message")
            server.silent = True
            asked, numbers = len(server.asked), count()

            def arrived() -> set[str]:
                return {request.json["groupKey"] for request in destination.requests}

            async def is_asked_again() -> bool:
                key = f"stale{next(numbers)}"
                # No page: it is not tried again before an hour.
                await post(f"{process.url}/webhook", body(key=key, severity="warning"))
                await eventually(lambda: key in arrived(), "the message")
                return len(server.asked) > asked

            await eventually(is_asked_again, "the answer to become old")
            assert await is_asked_again()
            assert await metric(process, "alert_router_destination_failing_seconds{") == 0


async def test_search_domains_and_the_hosts_file_are_read_as_the_system_does(
    tmp_path: Path,
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 only-in-hosts\n")
    names = {"chat.monitoring.svc.test": "127.0.0.1"}
    async with recorder() as destination, name_server(names) as server:
        notifiers = [
            {"type": "webhook", "name": name, "url": f"http://{host}:{port(destination)}/{name}"}
            for name, host in {"short": "chat.monitoring", "hosts": "only-in-hosts"}.items()
        ]
        config = write_config(tmp_path, notifiers)
        first = asking(server, tmp_path, "search x.test svc.test\noptions ndots:5\n")
        own = ("sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts))
        async with router(config, prefix=(*first, *own)) as process:
            await post(f"{process.url}/webhook", body())
            await eventually(lambda: len(destination.requests) == 2, "both messages")
        assert {request.path for request in destination.requests} == {"/short", "/hosts"}


async def test_what_does_not_resolve_or_is_not_allowed_is_said_at_the_start(
    tmp_path: Path,
) -> None:
    names = {"metadata.test": "169.254.169.254", "inside.test": "127.0.0.1"}
    async with name_server(names) as server:
        notifiers = [
            {"type": "webhook", "name": name, "url": f"http://{name}.test:9/"}
            for name in ("nowhere", "metadata", "inside")
        ]
        config = write_config(tmp_path, notifiers, delivery={"private_destinations": None})
        async with router(config, prefix=asking(server, tmp_path)) as process:
            unreachable = 'alert_router_destination_unreachable{notifier="%s",receiver="oncall"}'

            async def are_looked_up() -> bool:
                found = [await metric(process, unreachable % n) for n in ("nowhere", "metadata")]
                return found == [1, 1]

            await eventually(are_looked_up, "the look-ups")
            assert await metric(process, unreachable % "inside") == 0
            lines = re.findall(r"^.*destination cannot be reached.*$", process.text(), re.MULTILINE)
            nowhere, metadata = sorted(lines, key=lambda line: "metadata.test" in line)
            assert "the name nowhere.test does not resolve" in nowhere
            assert "delivery.private_destinations" in metadata
            assert '"level": "error"' in metadata
