"""What people press in Slack, kept as what they do on the page of the group."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from alert_router.fields import Secret
from alert_router.notify.base import Sending
from alert_router.notify.slack import SlackNotifier
from alert_router.notify.slack.socket_mode import ButtonRefused, SocketMode
from alert_router.runtime import Runtime
from alert_router.server.pages.actions import perform, view_of
from alert_router.server.pages.people import ActionRefused, clean_name

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
