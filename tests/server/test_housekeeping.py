"""What is done now and then while the router runs."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from alert_router.runtime import read_runtime
from alert_router.server import running
from alert_router.server.tasks import tidy
from tests.http import post
from tests.programs import body, eventually, recorder, write_config


async def test_a_pause_set_by_a_clock_that_was_ahead_ends_once_it_is_set_back(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:
        config = write_config(tmp_path, [{"type": "webhook", "url": destination.url}])
        async with running(config, read_runtime(config)) as router:
            await router.deliverer.recovered()
            with closing(sqlite3.connect(router.runtime.config.storage.path)) as store:
                values = "oncall", "webhook", time.time(), time.time() + 5 * 3600
                store.execute(
                    "INSERT INTO destination (receiver, notifier, failing_since, paused_until)"
                    " VALUES (?, ?, ?, ?)",
                    values,
                )
                store.commit()
            host, port = router.addresses[0]
            assert (await post(f"http://{host}:{port}/webhook", body()))[0] == 200
            await tidy(router.outbox, router.runtime, router.metrics, time.time())
            await eventually(lambda: destination.requests, "the message")


async def test_what_waited_too_long_is_counted_for_its_destination(tmp_path: Path) -> None:
    config = write_config(
        tmp_path,
        [],
        receivers=[
            {"name": "oncall", "notifiers": [{"type": "webhook", "url": "http://127.0.0.1:1"}]}
        ],
        delivery={"max_age": "1h", "min_backoff": "30m", "max_backoff": "30m"},
    )
    async with running(config, read_runtime(config)) as router:
        host, port = router.addresses[0]
        for key in "ab":
            assert (await post(f"http://{host}:{port}/webhook", body(key=key)))[0] == 200
        labels = {"receiver": "oncall", "notifier": "webhook"}

        def failed(reason: str) -> float:
            name = "alert_router_notifications_failed_total"
            return router.metrics.registry.get_sample_value(name, labels | {"reason": reason}) or 0

        await eventually(lambda: failed("connection") == 2, "the attempts")
        await tidy(router.outbox, router.runtime, router.metrics, time.time() + 3700)
        assert failed("expired") == 2
        assert [row.dead for row in await router.outbox.backlog()] == [2]
