"""From a button in Slack to the page and back into the message, with a workspace that speaks the
Web API and Socket Mode."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.http import get
from tests.programs import eventually, router, write_config
from tests.server.test_group_page import alerts, send
from tests.server.test_slack_socket_mode import Slack, pressed, workspace

pytestmark = pytest.mark.story


class Channel(Slack):
    """Remembers the message as it is now."""

    shown: dict[str, Any]

    async def api(self, request: web.Request) -> web.Response:
        answer = await super().api(request)
        method, _, text = self.calls[-1]
        if method in ("chat.postMessage", "chat.update"):
            if "thread_ts" not in (said := json.loads(text)):
                self.shown = said
            return web.json_response({"ok": True, "channel": "C1", "ts": "1.2"})
        return answer

    def elements(self) -> list[dict[str, Any]]:
        (block,) = [block for block in self.shown["blocks"] if block["type"] == "actions"]
        assert "block_id" not in block
        return block["elements"]

    def whispered(self) -> str:
        method, _, text = self.calls[-1]
        return text if method == "chat.postEphemeral" else ""

    def says_now(self, words: str) -> bool:
        return words in json.dumps(self.shown, ensure_ascii=False)


async def test_buttons_in_slack_are_what_the_page_does_and_the_message_shows_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "app-token").write_text("xapp-4pp\n")
    async with workspace(Channel()) as slack:
        notifier = {
            "type": "slack", "bot_token": "xoxb-t", "app_token_file": str(tmp_path / "app-token"),
            "channel": "#a", "api_url": f"{slack.url}/api", "rate_limit": "500/s",
        }  # fmt: skip
        async with router(write_config(tmp_path, [notifier])) as running:
            id_ = await send(running, alerts("cart-1"))
            await eventually(lambda: slack.sockets and hasattr(slack, "shown"), "the message")
            take, done = slack.elements()
            assert (take["text"]["text"], take["value"]) == ("I have it", f"{id_} take")
            assert (done["type"], len(done["options"])) == ("static_select", 4)

            await slack.says(pressed("e-1", take["value"]))
            await eventually(lambda: slack.says_now("Ana 🚀 has it"), "who has it")
            await slack.says(pressed("e-2", done["options"][1]["value"], chosen=True))
            await eventually(lambda: slack.says_now("Ana 🚀 has it, 1 of 4 done"), "what is done")
            assert len(slack.elements()[1]["options"]) == 3
            assert slack.acknowledged() == ["e-1", "e-2"]
            _, text = await get(f"{running.url}/groups/{id_}")
            assert "Ana 🚀 did: " in text

            await send(running, alerts("cart-1", status="resolved"))
            await eventually(lambda: slack.says_now("The runbook helped"), "the question")
            helped, _ = slack.elements()
            await slack.says(pressed("e-3", helped["value"]))
            await eventually(lambda: "Your answer is kept" in slack.whispered(), "the answer")
            _, text = await get(f"{running.url}/groups/{id_}")
            assert "Ana 🚀: the runbook alerts/high-error-rate helped" in text

            await slack.says(pressed("e-4", "0198c0de-0000-7000-8000-000000000001 take"))
            await eventually(lambda: "e-4" in slack.acknowledged(), "the acknowledgement")
            await eventually(lambda: "There is no such alert group" in slack.whispered(), "why")
