"""Messages say who has it: what people do on the page reaches Slack, Discord and Telegram in the
message that is there, whatever is killed between the two."""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests import postgres
from tests.programs import Recorder, Router, eventually, recorder, router, write_config
from tests.server.test_group_page import alerts, send
from tests.server.test_page_actions import tab
from tests.stories.test_changing_messages_story import CHATS, Chat

pytestmark = pytest.mark.story

ROUNDS = 2


def config(folder: Path, url: str, **more: Any) -> Path:
    made = [
        {"type": "slack", "bot_token": "xoxb-t", "channel": "#a", "api_url": f"{url}/slack"},
        {"type": "discord", "url": f"{url}/discord/api/webhooks/1/token"},
        {"type": "telegram", "bot_token": "1:t", "chat_id": -5, "api_url": f"{url}/telegram"},
        {"type": "webhook", "url": f"{url}/webhook", "send_resolved": False},
    ]
    return write_config(folder, [one | {"rate_limit": "500/s"} for one in made], **more)


class Channel(Chat):
    """Remembers every text that rang: replies and notices too."""

    def __init__(self) -> None:
        super().__init__()
        self.posts = 0

    def shown(self) -> list[str]:
        return [texts[-1] for texts in self.messages.values()]


@asynccontextmanager
async def channels() -> AsyncIterator[tuple[Recorder, dict[str, Channel]]]:
    chats = {name: Channel() for name in CHATS}
    async with recorder() as server:

        def answer(request: Any) -> web.Response:
            name = request.path.split("/")[1]
            if name == "webhook":
                return web.Response()
            if not any(word in request.path for word in ("chat.update", "/messages/", "edit")):
                chats[name].posts += 1
            text = json.dumps(request.json, ensure_ascii=False)
            told = CHATS[name](chats[name], request.path, request.json, text)
            return web.json_response(told)

        server.answer = answer
        yield server, chats


async def all_show(chats: dict[str, Channel], words: str) -> None:
    def check() -> bool:
        return all(chat.messages and words in chat.shown()[-1] for chat in chats.values())

    await eventually(check, f"messages that say: {words}")


async def test_messages_say_who_has_it_without_ringing_again(tmp_path: Path) -> None:
    async with channels() as (server, chats), router(config(tmp_path, server.url)) as running:
        id_ = await send(running, alerts("cart-1"))
        await all_show(chats, "HighErrorRate")
        async with tab(running, id_, "Ana") as ana:
            await ana.press("take")
            await all_show(chats, "Ana has it")
            await ana.press(ana.button("☐"))
            await ana.press(ana.button("☐", 0))
            await all_show(chats, "Ana has it, 2 of 4 done")
            assert [len(chat.messages) for chat in chats.values()] == [1, 1, 1]
            assert [chat.posts for chat in chats.values()] == [1, 1, 1]
            await send(running, alerts("cart-1", status="resolved"))
            await all_show(chats, "Ana had it, 2 of 4 done")
            await ana.load()
            await ana.press(ana.button("☑"))
            await all_show(chats, "Ana had it, 1 of 4 done")
        assert all("RESOLVED" in chat.shown()[0] for chat in chats.values())
        assert len([one for one in server.requests if one.path == "/webhook"]) == 1
        # What fires again is nobody's yet.
        await send(running, alerts("cart-1", startsAt="2026-11-24T03:00:00Z"))
        await eventually(lambda: all(len(c.messages) == 2 for c in chats.values()), "new messages")
        assert not any("Ana" in chat.shown()[-1] for chat in chats.values())


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_killed_between_a_tick_and_its_message_nothing_is_lost_or_doubled(
    tmp_path: Path, store: str
) -> None:
    chance = random.Random(2026)
    more = {}
    if store == "postgres":
        more["storage"] = await postgres.server().database(tmp_path)
    async with channels() as (server, chats):
        path = config(tmp_path, server.url, **more)
        running = await Router(path).started()
        try:
            id_ = await send(running, alerts("cart-1"))
            await all_show(chats, "HighErrorRate")
            for number in range(ROUNDS):
                async with tab(running, id_, f"Ana{number}") as ana:
                    await ana.press("take")
                await asyncio.sleep(chance.uniform(0, 1.2))  # before, while or after it is sent
                running.end(signal.SIGKILL)
                running = await Router(path).started()
                await all_show(chats, f"Ana{number} has it")
            for chat in chats.values():
                (texts,) = chat.messages.values()
                names = [
                    number for text in texts for number in range(ROUNDS) if f"Ana{number}" in text
                ]
                assert names == sorted(names), "never back to what was before"
                assert "Sent again" not in "".join(texts)
            assert [chat.posts for chat in chats.values()] == [1, 1, 1]
        finally:
            running.end(signal.SIGKILL)
