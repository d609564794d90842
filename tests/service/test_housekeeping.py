"""What is done now and then while the router runs."""

import time
from pathlib import Path

from alert_router.outbox.model import Destination
from alert_router.service import running
from alert_router.service.housekeeping import tidy
from alert_router.service.snapshot import read
from tests.http import post
from tests.programs import body, eventually, recorder, write_config


async def test_a_pause_set_by_a_clock_that_was_ahead_ends_once_it_is_set_back(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:
        config = write_config(tmp_path, [{"type": "webhook", "url": destination.url}])
        async with running(config, read(config)) as router:
            hours_ahead = time.time() + 5 * 3600
            await router.outbox.pause(Destination("oncall", "webhook"), hours_ahead, "429")
            host, port = router.addresses[0]
            assert (await post(f"http://{host}:{port}/webhook", body()))[0] == 200
            await tidy(router.outbox, router.snapshot, time.time())
            await eventually(lambda: destination.requests, "the message")
