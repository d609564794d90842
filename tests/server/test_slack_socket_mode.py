"""Slack's Socket Mode, against a server that speaks it as docs.slack.dev describes: apis/events-api
/using-socket-mode, reference/interaction-payloads/block_actions-payload."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from alert_router.notify.base import Sending
from alert_router.notify.slack import SlackNotifier
from alert_router.server import slack_buttons as module
from alert_router.server.slack_buttons import ButtonRefused, SocketMode
from tests.programs import eventually

GROUP = "0198c0de-0000-7000-8000-000000000001"


class Slack:
    """A workspace: the connections that are open, and what it was told over each of them."""

    def __init__(self) -> None:
        self.url = ""
        self.sockets: list[web.WebSocketResponse] = []
        self.told: list[tuple[int, dict[str, Any]]] = []  # the connection's number, what it said
        self.calls: list[tuple[str, dict[str, str], str]] = []
        self.refuse = 0  # so many connections
        self.profile: dict[str, Any] = {"display_name": "Ana 🚀", "real_name": "Ana Bell"}
        self.knows_people = True

    async def api(self, request: web.Request) -> web.Response:
        method, text = request.match_info["method"], await request.text()
        self.calls.append((method, dict(request.headers), text))
        answer: dict[str, Any] = {"ok": True}
        if method == "apps.connections.open":
            if self.refuse:
                self.refuse -= 1
                answer = {"ok": False, "error": "invalid_auth"}
            else:
                answer["url"] = f"{self.url.replace('http', 'ws')}/link?ticket=s3cr3t"
        elif method == "users.info":
            answer["user"] = {"name": "abell", "profile": self.profile}
            if not self.knows_people:
                answer = {"ok": False, "error": "missing_scope"}
        return web.json_response(answer)

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        number = len(self.sockets)
        self.sockets.append(socket)
        await socket.send_json({"type": "hello", "num_connections": 1})
        async for message in socket:
            self.told.append((number, json.loads(message.data)))
        return socket

    async def says(self, said: Any, number: int = -1) -> None:
        text = said if isinstance(said, str) else json.dumps(said)
        await self.sockets[number].send_str(text)

    def acknowledged(self) -> list[str]:
        return [said["envelope_id"] for _, said in self.told]


@asynccontextmanager
async def workspace(slack: Any = None) -> AsyncIterator[Any]:
    slack = slack or Slack()
    app = web.Application()
    app.router.add_post("/api/{method}", slack.api)
    app.router.add_get("/link", slack.link)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield slack
    finally:
        for socket in slack.sockets:
            await socket.close()
        await runner.cleanup()


@asynccontextmanager
async def connected(
    slack: Slack, press: Callable[[str, str, str], Awaitable[str]]
) -> AsyncIterator[None]:
    notifier = SlackNotifier(
        bot_token="xoxb-b0t", app_token="xapp-4pp", channel="#a", api_url=f"{slack.url}/api"
    )
    async with aiohttp.ClientSession() as session:
        socket = SocketMode(notifier, lambda: Sending(session, ""), press)
        task = asyncio.create_task(socket.run())
        try:
            await eventually(lambda: slack.sockets, "a connection")
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def pressed(
    envelope: str = "e-1", value: str = f"{GROUP} take", *, chosen: bool = False
) -> dict[str, Any]:
    option = {"text": {"type": "plain_text", "text": "x"}, "value": value}
    action = {"type": "static_select", "selected_option": option} if chosen else {"value": value}
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "abell", "name": "abell", "team_id": "T1"},
        "channel": {"id": "C1", "name": "alerts"},
        "actions": [{"action_id": "act-0", "block_id": "b", "action_ts": "1.2"} | action],
    }
    more = {"accepts_response_payload": True}
    return {"envelope_id": envelope, "type": "interactive", "payload": payload} | more


class Presses(list[tuple[str, str, str]]):
    """What was pressed."""

    async def __call__(self, name: str, user: str, value: str) -> str:
        self.append((name, user, value))
        return ""


async def test_what_is_pressed_is_done_in_the_name_that_is_shown_and_acknowledged():
    presses = Presses()
    async with workspace() as slack, connected(slack, presses):
        await slack.says(pressed())
        await slack.says(pressed("e-2", f"{GROUP} tick 0123456789ab", chosen=True))
        await eventually(lambda: len(slack.told) == 2, "two acknowledgements")
    assert sorted(slack.acknowledged()) == ["e-1", "e-2"]
    assert sorted(presses) == [
        ("Ana 🚀", "U1", f"{GROUP} take"),
        ("Ana 🚀", "U1", f"{GROUP} tick 0123456789ab"),
    ]
    tokens = {method: headers["Authorization"] for method, headers, _ in slack.calls}
    assert tokens == {"apps.connections.open": "Bearer xapp-4pp", "users.info": "Bearer xoxb-b0t"}
    assert ("user=U1") in {text for method, _, text in slack.calls if method == "users.info"}


@pytest.mark.parametrize(
    ("profile", "knows_people", "name"),
    [
        ({"display_name": " ", "real_name": "Ana Bell"}, True, "Ana Bell"),
        ({}, True, "abell"),
        ({}, False, "abell"),
    ],
)
async def test_who_shows_no_name_is_called_by_another(profile, knows_people, name):
    presses = Presses()
    async with workspace() as slack, connected(slack, presses):
        slack.profile, slack.knows_people = profile, knows_people
        await slack.says(pressed())
        await eventually(lambda: slack.told, "the acknowledgement")
    assert presses == [(name, "U1", f"{GROUP} take")]


async def test_an_envelope_that_comes_twice_is_done_once_and_acknowledged_twice():
    presses = Presses()
    async with workspace() as slack, connected(slack, presses):
        for number in (1, 2):
            await slack.says(pressed() | {"retry_attempt": number})
            await eventually(lambda n=number: len(slack.told) == n, "the acknowledgement")
    assert slack.acknowledged() == ["e-1", "e-1"]
    assert len(presses) == 1


async def test_what_did_not_work_is_not_acknowledged_and_can_come_again():
    worked = False

    async def press(name: str, user: str, value: str) -> str:
        if not worked:
            raise RuntimeError
        return ""

    async with workspace() as slack, connected(slack, press):
        await slack.says(pressed())
        await slack.says({"envelope_id": "other", "type": "events_api", "payload": {}})
        await eventually(lambda: slack.told, "what is behind it")
        assert slack.acknowledged() == ["other"]
        worked = True
        await slack.says(pressed())
        await eventually(lambda: len(slack.told) == 2, "the acknowledgement")
    assert slack.acknowledged() == ["other", "e-1"]


async def test_what_has_no_effect_is_said_to_the_person_alone():
    async def press(name: str, user: str, value: str) -> str:
        raise ButtonRefused("There is no <such> group.")

    async with workspace() as slack, connected(slack, press):
        await slack.says(pressed())
        await eventually(lambda: slack.told, "the acknowledgement")
        await eventually(lambda: slack.calls[-1][0] == "chat.postEphemeral", "the message")
    said = slack.calls[-1][2]
    text = "There is no &lt;such&gt; group."
    assert json.loads(said) == {"channel": "C1", "user": "U1", "text": text}


async def test_a_connection_that_is_to_end_is_read_until_another_is_there(monkeypatch):
    monkeypatch.setattr(module, "_SOON", -1.0)
    presses = Presses()
    async with workspace() as slack, connected(slack, presses):
        await slack.says({"type": "disconnect", "reason": "refresh_requested"})
        await eventually(lambda: len(slack.sockets) == 2, "another connection")
        await slack.says(pressed("old"), 0)
        await slack.says(pressed("new"), 1)
        await eventually(lambda: len(slack.told) == 2, "both acknowledgements")
        await slack.sockets[0].close()
        await slack.says(pressed("later"), 1)
        await eventually(lambda: len(slack.told) == 3, "the acknowledgement")
    assert sorted((number, said["envelope_id"]) for number, said in slack.told) == [
        (0, "old"), (1, "later"), (1, "new"),
    ]  # fmt: skip


async def test_a_connection_that_breaks_or_is_refused_is_made_again_with_growing_pauses(
    monkeypatch, caplog, capsys
):
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def sleeping(seconds: float) -> None:
        if seconds >= 0.5:
            pauses.append(seconds)
            seconds = 0
        await sleep(seconds)

    presses = Presses()
    async with workspace() as slack, connected(slack, presses):
        monkeypatch.setattr(asyncio, "sleep", sleeping)
        slack.refuse = 6
        await slack.sockets[0].close()
        await eventually(lambda: len(slack.sockets) == 2, "another connection")
        await slack.says({"type": "disconnect", "reason": "link_disabled"})
        await eventually(lambda: len(slack.sockets) == 3, "another connection")
        await slack.says(pressed())
        await eventually(lambda: slack.told, "the acknowledgement")
    assert len(pauses) == 8
    assert pauses[0] <= 2
    assert pauses[4] > pauses[0]
    assert max(pauses) <= 60
    output = caplog.text + "".join(capsys.readouterr())
    for secret in ("s3cr3t", "xapp-4pp", "xoxb-b0t"):
        assert secret not in output


@pytest.mark.parametrize(
    "said",
    [
        "no JSON",
        "[]",
        "1",
        '{"type": 1}',
        {"envelope_id": 5, "type": "interactive"},
        {"type": "interactive", "payload": {}},
    ],
)
async def test_what_is_no_envelope_is_ignored(said):
    presses = Presses()
    async with workspace() as slack, connected(slack, presses):
        await slack.says(said)
        await slack.says(pressed())
        await eventually(lambda: slack.told, "the acknowledgement")
    assert slack.acknowledged() == ["e-1"]


@pytest.mark.parametrize(
    "payload",
    [
        None, [], "x", {}, {"type": "view_submission"}, {"type": "block_actions"},
        {"type": "block_actions", "user": None, "actions": [{}]},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": []},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"value": 5}]},
        {"type": "block_actions", "user": {"id": []}, "actions": [{"value": "x"}]},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": [None]},
        {"type": "block_actions", "user": {"id": "U1"}, "channel": 3, "actions": [{"value": "x"}]},
    ],
)  # fmt: skip
async def test_other_interactions_are_acknowledged_and_do_nothing(payload):
    presses = Presses()
    async with workspace() as slack, connected(slack, presses):
        await slack.says({"envelope_id": "e", "type": "interactive", "payload": payload})
        await eventually(lambda: slack.told, "the acknowledgement")
    assert (slack.acknowledged(), list(presses)) == (["e"], [])


async def test_more_presses_than_can_be_done_at_once_are_left_to_slack(monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    go = asyncio.Event()

    async def press(name: str, user: str, value: str) -> str:
        await go.wait()
        return ""

    async with workspace() as slack, connected(slack, press):
        for number in range(5):
            await slack.says(pressed(f"e-{number}"))
        await slack.sockets[0].ping()
        go.set()
        await eventually(lambda: len(slack.told) == 2, "two acknowledgements")
        await slack.says(pressed("last"))
        await eventually(lambda: "last" in slack.acknowledged(), "the acknowledgement")
    assert len(slack.told) < 6


def test_buttons_need_a_bot():
    with pytest.raises(ValueError, match="goes with `bot_token`"):
        SlackNotifier(url="https://hooks.slack.com/x", app_token="xapp-1")


@pytest.mark.parametrize(("failures", "least", "most"), [(1, 1, 2), (4, 8, 16), (10_000, 30, 60)])
def test_a_pause_grows_up_to_a_minute(failures, least, most):
    assert least <= module._pause(failures) <= most


async def test_a_connection_that_takes_long_to_fail_is_not_taken_for_one_that_lasted(monkeypatch):
    pauses: list[int] = []

    def pause(failures: int) -> float:
        pauses.append(failures)
        return 0.0

    monkeypatch.setattr(module, "_pause", pause)
    monkeypatch.setattr(module, "_SOON", 0.0)
    async with workspace() as slack, connected(slack, Presses()):
        slack.refuse = 3
        await slack.sockets[0].close()
        await eventually(lambda: len(slack.sockets) == 2, "another connection")
    assert pauses == [1, 2, 3]
