"""A Slack bot keeps one message a group, whatever happens to the router.

Slack itself cannot be had here: a server that keeps messages as Slack does stands for it.
"""

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.http import metric
from tests.programs import Request, Router, body, eventually, recorder, write_config

pytestmark = pytest.mark.story


@dataclass
class Slack:
    """A channel: messages by their `ts`, in order, and what was said in their threads."""

    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    replies: list[dict[str, Any]] = field(default_factory=list)
    after_next: list[Callable[[], object]] = field(default_factory=list)

    def answer(self, request: Request) -> web.StreamResponse:
        """As the Web API; what was asked for happens before anybody is told of it."""
        said = request.json
        method = request.path.removeprefix("/api/")
        ts = str(said.get("ts") or f"{len(self.messages) + len(self.replies) + 1}.0")
        if method == "chat.update" and ts not in self.messages:
            return web.json_response({"ok": False, "error": "message_not_found"})
        if "thread_ts" in said:
            self.replies.append(said)
        else:
            self.messages[ts] = said
        if self.after_next:
            self.after_next.pop(0)()
        return web.json_response({"ok": True, "channel": "C1", "ts": ts})

    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages.values()]


async def post(router: Router, payload: bytes) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{router.url}/webhook", data=payload) as answer,
    ):
        assert answer.status == 200


def bot(folder: Path, url: str) -> Path:
    (folder / "token").write_text("xoxb-token")
    notifier = {
        "type": "slack",
        "bot_token_file": str(folder / "token"),
        "channel": "#alerts",
        "api_url": f"{url}/api",
    }
    return write_config(folder, [notifier], delivery={"min_backoff": "50ms"})


FIRING_TEXT = "CRITICAL: HighErrorRate: HighErrorRate firing"
RESOLVED_TEXT = "RESOLVED: HighErrorRate: HighErrorRate resolved"
FIRING, RESOLVED = body("HighErrorRate"), body("HighErrorRate", "resolved")
CHANGED = body("HighErrorRate", pod="another")


async def test_one_message_is_kept_up_to_date_over_a_restart(tmp_path: Path) -> None:
    slack = Slack()
    async with recorder() as server:
        server.answer = slack.answer
        config = bot(tmp_path, server.url)
        running = await Router(config).started()
        try:
            await post(running, FIRING)
            await eventually(lambda: slack.messages, "the first message")
            await settled(running)
            running.end()
            running = await Router(config).started()
            await post(running, RESOLVED)
            await eventually(lambda: slack.replies, "the thread to be told")
            await settled(running)
            assert slack.texts() == [RESOLVED_TEXT]
            await post(running, FIRING)
            await eventually(lambda: len(slack.messages) == 2, "a new story")
        finally:
            running.end(signal.SIGKILL)
    assert slack.texts() == [RESOLVED_TEXT, FIRING_TEXT]
    assert [reply["text"] for reply in slack.replies] == [RESOLVED_TEXT]


async def test_killed_between_posting_and_writing_it_down_the_one_repeat_is_marked(
    tmp_path: Path,
) -> None:
    slack = Slack()
    async with recorder() as server:
        server.answer = slack.answer
        config = bot(tmp_path, server.url)
        running = await Router(config).started()
        try:
            slack.after_next.append(running.popen.kill)
            await post(running, FIRING)
            await eventually(lambda: running.popen.poll() is not None, "the kill")
            running = await Router(config).started()
            await eventually(lambda: len(slack.messages) == 2, "the repeat")
            await settled(running)
            await post(running, RESOLVED)
            await eventually(lambda: slack.replies, "the thread to be told")
            await settled(running)
        finally:
            running.end(signal.SIGKILL)
    first, second = slack.messages.values()
    assert "Sent again" not in json.dumps(first)
    assert "RESOLVED" in second["text"], "the repeat is the one that is kept up to date"
    repeats = [request.json for request in server.requests if "Sent again" in request.body.decode()]
    assert [one["text"] for one in repeats] == [FIRING_TEXT]


async def test_killed_between_changing_and_writing_it_down_the_same_message_is_changed_again(
    tmp_path: Path,
) -> None:
    slack = Slack()
    async with recorder() as server:
        server.answer = slack.answer
        config = bot(tmp_path, server.url)
        running = await Router(config).started()
        try:
            await post(running, FIRING)
            await eventually(lambda: slack.messages, "the first message")
            await settled(running)
            slack.after_next.append(running.popen.kill)
            await post(running, CHANGED)
            await eventually(lambda: running.popen.poll() is not None, "the kill")
            running = await Router(config).started()
            await eventually(lambda: slack.replies, "the thread to be told")
            await settled(running)
        finally:
            running.end(signal.SIGKILL)
    assert list(slack.messages) == ["1.0"]
    assert "pod=another" in json.dumps(slack.messages)
    methods = [request.path for request in server.requests]
    assert methods.count("/api/chat.update") == 2


async def settled(router: Router) -> None:
    """Wait until nothing waits: what was sent is written down."""

    async def nothing_waits() -> bool:
        return await metric(router, "alert_router_deliveries_pending{") == 0

    await eventually(nothing_waits, "every delivery to be settled")
