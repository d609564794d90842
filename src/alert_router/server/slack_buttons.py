"""The buttons that people press in Slack, kept as what they do on the page of the group.

The presses come over a websocket that the router opens, Socket Mode (docs.slack.dev,
apis/events-api/using-socket-mode). Each is acknowledged once it has taken effect: without that
within three seconds, Slack shows the person that it did not work.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import structlog
from aiohttp import web
from pydantic_core import from_json

from alert_router.fields import Secret, SecretUnavailable
from alert_router.notify.base import Failed, Sending
from alert_router.notify.slack import SlackNotifier
from alert_router.runtime import Runtime
from alert_router.server.pages.actions import perform, view_of
from alert_router.server.pages.people import ActionRefused, clean_name

log = structlog.get_logger(__name__)

_ACT_SECONDS = 2.5  # Slack waits for three
_AT_ONCE = 16  # presses
_REMEMBERED = 1_000  # envelopes, and names of people
_NAME_SECONDS = 3_600.0
_HEARTBEAT = 20.0  # seconds between pings
_CONNECT_SECONDS = 15.0
_DRAIN_SECONDS = 30.0  # Slack closes a connection some ten seconds after it says so
_SOON = 10.0  # seconds: a connection that lasted no longer counts as failed
_LONGEST_PAUSE = 60.0
_LARGEST = 1024 * 1024  # bytes of a message

# Takes the name and the Slack id of who pressed it, and the button's value; gives what to say to
# that person alone, or "". It raises ButtonRefused with such a message where the press has no
# effect; any other error means that it did not work and may be tried again.
Press = Callable[[str, str, str], Awaitable[str]]


class ButtonRefused(Exception):
    """A press that has no effect; the message is for the person."""


@dataclass(eq=False, slots=True)
class SocketMode:
    """The connection of one app; `press` is called for each button that is pressed."""

    notifier: SlackNotifier
    sending: Callable[[], Sending]
    press: Press
    _seen: OrderedDict[str, bool] = field(default_factory=OrderedDict)
    _names: OrderedDict[str, tuple[float, str]] = field(default_factory=OrderedDict)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _connected_at: float | None = None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        try:
            while True:
                self._connected_at = None
                try:
                    await self._connection()
                    error = "closed"
                except (aiohttp.ClientError, OSError, ValueError, SecretUnavailable) as caught:
                    # The text of aiohttp's errors has the URL, which lets whoever has it in.
                    is_ours = isinstance(caught, SecretUnavailable | _Refused)
                    error = str(caught) if is_ours else type(caught).__name__
                except Exception:  # a defect of ours must not end it
                    log.exception("Socket Mode failed")
                    error = "internal"
                failures = 0 if self._has_lasted() else failures + 1
                if failures:
                    pause = _pause(failures)
                    log.warning(
                        "Socket Mode is not connected", error=error, next_in=round(pause, 1)
                    )
                    await asyncio.sleep(pause)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _has_lasted(self) -> bool:
        began = self._connected_at
        return began is not None and asyncio.get_running_loop().time() - began > _SOON

    async def _connection(self) -> None:
        """Connect, and read until the connection ends or Slack asks for another one. In that case
        it is read until it is closed, beside the next one. Raises ValueError, OSError and errors of
        aiohttp."""
        url = await self.notifier.open_socket(self.sending())
        if isinstance(url, Failed):
            raise _Refused(url.message)
        # `tls.server_name` is for the host of the Web API, which is another one.
        options = self.notifier.connection() | {"server_hostname": None}
        async with asyncio.timeout(_CONNECT_SECONDS):
            socket = await self.sending().session.ws_connect(
                url, heartbeat=_HEARTBEAT, max_msg_size=_LARGEST, **options
            )
        is_leaving = False
        try:
            is_leaving = await self._read(socket)
        finally:
            if is_leaving:
                self._start(self._drain(socket))
            else:
                await socket.close()

    async def _drain(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            with suppress(aiohttp.ClientError, OSError, ValueError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    while not socket.closed:
                        await self._read(socket)
        finally:
            await socket.close()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> bool:
        """Whether Slack asks for another connection; false once this one is closed."""
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            try:
                said = from_json(message.data)
            except ValueError:
                continue
            if not isinstance(said, dict):
                continue
            if said.get("type") == "hello":
                self._connected_at = asyncio.get_running_loop().time()
                log.info("Socket Mode is connected")
            elif said.get("type") == "disconnect":
                if said.get("reason") == "link_disabled":
                    raise _Refused("Socket Mode is switched off in the settings of the Slack app")
                return True
            elif isinstance(envelope := said.get("envelope_id"), str):
                self._received(socket, envelope, said)
        return False

    def _received(
        self, socket: aiohttp.ClientWebSocketResponse, envelope: str, said: dict[str, Any]
    ) -> None:
        if len(self._running) >= _AT_ONCE:
            log.warning("too many buttons pressed at once; Slack says that one did not work")
            return
        if self._seen.get(envelope) is False:  # it is being done
            return
        self._start(self._handle(socket, envelope, said))

    async def _handle(
        self, socket: aiohttp.ClientWebSocketResponse, envelope: str, said: dict[str, Any]
    ) -> None:
        """Do what an envelope says, unless that was done, and acknowledge it."""
        if not self._seen.get(envelope, False):
            self._seen[envelope] = False
            try:
                async with asyncio.timeout(_ACT_SECONDS):
                    await self._act(said.get("payload"))
            except Exception as error:
                del self._seen[envelope]  # it may come again
                log.warning("a button that was pressed did not work", error=type(error).__name__)
                return
            self._seen[envelope] = True
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        with suppress(aiohttp.ClientError, OSError, RuntimeError):  # closed: it comes again
            await socket.send_json({"envelope_id": envelope})

    async def _act(self, payload: Any) -> None:
        """Do what was pressed; nothing for any other interaction."""
        pressed = _pressed(payload)
        if pressed is None:
            return
        user, fallback, channel, value = pressed
        try:
            text = await self.press(await self._name(user, fallback), user, value)
        except ButtonRefused as error:
            text = str(error)
        if text:  # not part of the press, which has taken effect
            self._start(self._whisper(channel, user, text))

    async def _whisper(self, channel: str, user: str, text: str) -> None:
        with suppress(SecretUnavailable):
            await self.notifier.whisper(channel, user, text, self.sending())

    async def _name(self, user: str, fallback: str) -> str:
        """The name that a person has chosen to be shown; what the press says where that cannot be
        found out."""
        now = asyncio.get_running_loop().time()
        known_until, name = self._names.get(user, (0.0, ""))
        if now >= known_until:
            try:
                async with asyncio.timeout(_ACT_SECONDS / 2):
                    name = await self.notifier.name_of(user, self.sending())
            except TimeoutError:
                name = ""
            self._names[user] = now + (_NAME_SECONDS if name else 60.0), name
            while len(self._names) > _REMEMBERED:
                self._names.popitem(last=False)
        return name or fallback or user

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _pause(failures: int) -> float:
    """Seconds after so many failures in a row, so spread that routers do not come in step."""
    full = min(2.0 ** min(failures, 10), _LONGEST_PAUSE)
    return full * random.uniform(0.5, 1)  # noqa: S311


class _Refused(ValueError):
    """Why there is no connection; the text holds no secret."""


def _pressed(payload: Any) -> tuple[str, str, str, str] | None:
    """Who pressed what: the person's id, what else they are called, the channel, the value."""
    try:
        if payload["type"] != "block_actions":
            return None
        user, (action, *_) = payload["user"], payload["actions"]
        value = (action.get("selected_option") or action)["value"]
        fallback = user.get("name") or user.get("username") or ""
        channel = payload.get("channel") or {}
        found = user["id"], str(fallback), str(channel.get("id", "")), value
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if isinstance(value, str) and isinstance(user["id"], str) else None


_ANSWERS = ("helped ", "not_helped ")


class SlackButtons:
    """The connections to Slack: one for each app token in the configuration."""

    def __init__(self, app: web.Application, sending: Callable[[], Sending]) -> None:
        self._app = app
        self._sending = sending
        self._connections: dict[tuple[Secret, str], tuple[SlackNotifier, asyncio.Task[None]]] = {}

    def follow(self, runtime: Runtime) -> None:
        """Keep exactly the connections that the configuration asks for."""
        wanted: dict[tuple[Secret, str], SlackNotifier] = {}
        for notifier in runtime.notifiers.values():
            if isinstance(notifier, SlackNotifier) and notifier.app_token is not None:
                wanted.setdefault((notifier.app_token, notifier.api_url), notifier)
        for key, (notifier, task) in list(self._connections.items()):
            if wanted.get(key) != notifier:
                task.cancel()
                del self._connections[key]
        for key, notifier in wanted.items():
            if key not in self._connections:
                socket = SocketMode(notifier, self._sending, self._press)
                self._connections[key] = notifier, asyncio.create_task(socket.run())

    async def close(self) -> None:
        """End all connections."""
        tasks = [task for _, task in self._connections.values()]
        self._connections.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _press(self, name: str, user: str, value: str) -> str:
        group, _, do = value.partition(" ")
        try:
            view = await view_of(self._app, group)
            await perform(self._app, view, do, clean_name(name) or user, slack_user=user)
        except (ActionRefused, ValueError) as error:
            raise ButtonRefused(str(error)) from error
        # All else shows in the message itself.
        return "Your answer is kept. Thank you." if do.startswith(_ANSWERS) else ""
