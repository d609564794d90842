"""What one group leaves behind can be followed: its id in the log, its trace at the destination."""

import json
from pathlib import Path

import pytest
from aiohttp import web

from tests.http import post
from tests.programs import Request, body, eventually, recorder, router, write_config
from tests.test_receive import TRACE

pytestmark = pytest.mark.story


async def test_a_group_is_followed_by_its_id_in_the_log_and_its_trace_at_the_destination(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:
        destination.answer = lambda request: web.Response(status=400)
        notifier = {"type": "webhook", "url": f"{destination.url}/hook"}
        async with router(write_config(tmp_path, [notifier])) as running:
            headers = {"traceparent": TRACE}
            _, accepted = await post(f"{running.url}/webhook", body(), headers=headers)
            lines = await eventually(
                lambda: [
                    json.loads(line) for line in running.text().splitlines() if '"group_id"' in line
                ],
                "a line about the group",
            )
    assert {line["group_id"] for line in lines} == {accepted["id"]}
    first: Request = destination.requests[0]
    assert first.headers["traceparent"].split("-")[1] == TRACE.split("-")[1]
    assert first.headers["traceparent"] != TRACE
