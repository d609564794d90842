"""What a reload may change, and what stays until the next start."""

import asyncio
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alert_router.model.problem import Place, Problem, Severity
from alert_router.runtime import read_runtime
from alert_router.server import running
from alert_router.server.router import persist, report
from tests.http import post
from tests.programs import body, write_config


async def test_a_store_that_a_reload_names_is_the_next_start_s_and_no_webhook_is_refused(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, [{"type": "console"}])
    async with running(config, read_runtime(config)) as router:
        elsewhere = json.loads(config.read_text()) | {"storage": "sqlite:////not/there/yet.db"}
        config.write_text(json.dumps(elsewhere))
        assert (await router.reload()).successful
        host, port = router.addresses[0]
        status, _ = await post(f"http://{host}:{port}/webhook", body())
        assert status == 200


async def test_work_in_the_background_begins_anew_after_an_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    begun = asyncio.Queue[int]()

    async def work() -> None:
        begun.put_nowait(1)
        raise RuntimeError("nobody foresaw this")

    task = asyncio.create_task(persist("watching files", work, pause=0))
    for _ in range(3):
        await asyncio.wait_for(begun.get(), 10)
    task.cancel()
    assert "watching files" in "".join(capfd.readouterr())


def test_problems_are_logged_at_the_level_of_their_severity() -> None:
    with capture_logs() as lines:
        report(tuple(Problem("a-code", "m", Place("a.yaml", 1), each) for each in Severity))
    assert [line["log_level"] for line in lines] == [each.value for each in Severity]
