"""Connections to Slack follow the configuration."""

from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp import web

from alert_router.notify.base import Notifier, Sending
from alert_router.notify.slack import SlackNotifier
from alert_router.server.slack_buttons import SlackButtons
from tests.programs import eventually
from tests.server.test_slack_socket_mode import Slack, workspace


def bot(slack: Slack, channel: str, token: str | None) -> SlackNotifier:
    return SlackNotifier(
        bot_token="xoxb-1", app_token=token, channel=channel, api_url=f"{slack.url}/api"
    )


def tokens(slack: Slack) -> list[str]:
    """With which connections were opened, so far."""
    return [
        headers["Authorization"].removeprefix("Bearer ")
        for method, headers, _ in slack.calls
        if method == "apps.connections.open"
    ]


async def test_there_is_one_connection_for_each_app_token_and_only_while_it_is_configured():
    async with workspace() as slack, aiohttp.ClientSession() as session:
        buttons = SlackButtons(web.Application(), lambda: Sending(session, ""))

        def follow(*notifiers: Notifier) -> None:
            named = dict(enumerate(notifiers))
            buttons.follow(cast(Any, SimpleNamespace(notifiers=named)))

        async def are_open(count: int) -> None:
            await eventually(
                lambda: sum(not socket.closed for socket in slack.sockets) == count, "connections"
            )

        follow(bot(slack, "#a", "xapp-1"), bot(slack, "#b", "xapp-1"), bot(slack, "#c", None))
        await are_open(1)
        follow(bot(slack, "#a", "xapp-1"), bot(slack, "#b", "xapp-2"))
        await are_open(2)
        assert tokens(slack) == ["xapp-1", "xapp-2"]
        follow(bot(slack, "#b", "xapp-2"))
        await are_open(1)
        assert tokens(slack) == ["xapp-1", "xapp-2"]
        await buttons.close()
        await are_open(0)
