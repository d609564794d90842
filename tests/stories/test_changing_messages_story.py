"""Messages that are changed stay true, whatever is killed and whatever the destination does.

The router is killed at random moments while groups fire, change and are resolved; Slack, Discord
and Telegram, for which servers stand that keep messages as these do, refuse now and then, and
sometimes take a message without saying so.
"""

import asyncio
import json
import random
import re
import signal
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.http import metric
from tests.programs import Request, Router, body, eventually, recorder, write_config

pytestmark = pytest.mark.story

GROUPS = [f"g{number}" for number in range(9)]
ROUNDS = 4
WORD = re.compile(r"word-(g\d+)-(\d+)-(firing|resolved)-end")  # what an alert says of itself
Word = tuple[str, str, str]  # group, number, status


@dataclass
class Chat:
    """A channel: each message with what it said in the order in which it was changed."""

    messages: dict[str, list[str]] = field(default_factory=dict)

    def post(self, text: str) -> str:
        self.messages[id := str(10**9 + len(self.messages))] = [text]
        return id

    def change(self, id: str, text: str) -> None:
        self.messages[id].append(text)

    def of(self, group: str) -> list[list[str]]:
        """The messages about a group, oldest first."""
        return [texts for texts in self.messages.values() if words(texts[0])[0][0] == group]


def words(text: str) -> list[Word]:
    return WORD.findall(text)


def slack(chat: Chat, path: str, said: dict[str, Any], text: str) -> dict[str, Any]:
    if path.endswith("chat.update"):
        chat.change(said["ts"], text)
        return {"ok": True, "channel": "C1", "ts": said["ts"]}
    return {"ok": True, "channel": "C1", "ts": "1.0" if "thread_ts" in said else chat.post(text)}


def discord(chat: Chat, path: str, said: dict[str, Any], text: str) -> dict[str, Any]:
    if "/messages/" in path:
        id = path.rsplit("/", 1)[1]
        chat.change(id, text)
    else:  # the notice about a change has no links
        id = chat.post(text) if "[Alertmanager]" in text else "1"
    return {"id": id, "channel_id": "1", "type": 0}


def telegram(chat: Chat, path: str, said: dict[str, Any], text: str) -> dict[str, Any]:
    if path.endswith("editMessageText"):
        id = str(said["message_id"])
        chat.change(id, text)
    else:
        id = "1" if "reply_parameters" in said else chat.post(text)
    return {"ok": True, "result": {"message_id": int(id)}}


CHATS = {"slack": slack, "discord": discord, "telegram": telegram}


def answers(chats: dict[str, Chat], chance: random.Random) -> Callable[[Request], Any]:
    async def answer(request: Request) -> web.StreamResponse:
        await asyncio.sleep(chance.uniform(0, 0.02))
        luck = chance.random()
        if luck < 0.05:
            return web.Response(status=500)
        if luck < 0.08:
            return web.Response(status=429, headers={"Retry-After": "0.05"})
        name = request.path.split("/")[1]
        text = json.dumps(request.json, ensure_ascii=False)
        told = CHATS[name](chats[name], request.path, request.json, text)
        # It was taken, and whoever sent it does not learn of it.
        return web.Response(status=502) if luck > 0.97 else web.json_response(told)

    return answer


def config(folder: Path, url: str) -> Path:
    made = [
        {"type": "slack", "bot_token": "xoxb-t", "channel": "#a", "api_url": f"{url}/slack"},
        {"type": "discord", "url": f"{url}/discord/api/webhooks/1/token"},
        {"type": "telegram", "bot_token": "1:t", "chat_id": -5, "api_url": f"{url}/telegram"},
    ]
    notifiers = [one | {"rate_limit": "500/s"} for one in made]
    return write_config(folder, notifiers, delivery={"min_backoff": "50ms", "max_backoff": "200ms"})


@dataclass
class Load:
    """Posts without end; what was answered 200 last, of each group."""

    router: Router
    chance: random.Random
    last: dict[str, Word] = field(default_factory=dict)
    count: int = 0
    stop: bool = False

    async def post(self, groups: list[str]) -> None:
        """One poster; it owns its groups, so that their order is known."""
        numbers: dict[str, int] = defaultdict(int)
        async with aiohttp.ClientSession() as session:
            while not self.stop:
                group = self.chance.choice(groups)
                numbers[group] += 1
                fires = self.last.get(group, ("", "", "resolved"))[2] == "resolved"
                status = "firing" if fires else self.chance.choice(["firing", "resolved"])
                word = (group, str(numbers[group]), status)
                # Each time it began anew: else it would be the duplicate of what was said before.
                starts = f"2026-11-23T03:02:14.{numbers[group]:03}Z"
                payload = json.loads(body(status=status, key=group, starts=starts, pod=group))
                for alert in payload["alerts"]:
                    alert["annotations"]["summary"] = f"word-{'-'.join(word)}-end"
                await self._until_taken(session, json.dumps(payload).encode())
                self.last[group] = word
                self.count += 1

    async def _until_taken(self, session: aiohttp.ClientSession, payload: bytes) -> None:
        """As Alertmanager would: again until it is answered 200."""
        while True:
            try:
                async with session.post(f"{self.router.url}/webhook", data=payload) as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, ConnectionError):
                pass
            await asyncio.sleep(0.02)


async def pending(router: Router) -> float:
    return await metric(router, "alert_router_deliveries_pending{")


async def test_every_message_shows_the_last_state_and_no_second_one_goes_unmarked(
    tmp_path: Path,
) -> None:
    chance = random.Random(2026)
    chats = {name: Chat() for name in CHATS}
    async with recorder() as server:
        server.answer = answers(chats, chance)
        path = config(tmp_path, server.url)
        load = Load(await Router(path).started(), chance)
        posters = [asyncio.create_task(load.post(GROUPS[start::3])) for start in range(3)]
        try:
            for _ in range(ROUNDS):
                target = load.count + chance.randint(20, 60)
                await eventually(lambda t=target: load.count >= t, "webhooks taken")
                load.router.end(signal.SIGKILL)
                load.router = await Router(path).started()
            load.stop = True
            await asyncio.gather(*posters)

            async def nothing_waits() -> bool:
                return await pending(load.router) == 0

            await eventually(nothing_waits, "every delivery")
        finally:
            load.stop = True
            for poster in posters:
                poster.cancel()
            await asyncio.gather(*posters, return_exceptions=True)
            load.router.end(signal.SIGKILL)
    for name, chat in chats.items():
        for group, last in load.last.items():
            judge(f"{name} {group}", chat.of(group), last)


def judge(what: str, messages: list[list[str]], last: Word) -> None:
    assert messages, what
    assert last in words(messages[-1][-1]), f"{what} shows what was said last"
    for texts in messages:
        shown = [max(int(number) for _, number, _ in words(text)) for text in texts]
        assert shown == sorted(shown), f"{what} never goes back"
    for earlier, later in pairwise(messages):
        if words(earlier[-1])[0][2] == "firing":
            assert "Sent again" in later[0], f"{what}: a second message about what still fires"
