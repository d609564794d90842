"""Signed links in messages with which people act without a login: what they look like, and the key
that signs them.

A link is bound to a group, to one action and to a time at which it expires. Who has it can do that
and nothing else.
"""

import base64
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import structlog

from alert_router.fields import SecretUnavailable
from alert_router.notification import Notification
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.runtime import Runtime

log = structlog.get_logger(__name__)

_TOKEN = re.compile(r"([A-Za-z0-9_-]{8,1400})\.([A-Za-z0-9_-]{22})")
_PAYLOAD = re.compile(r"([0-9a-f]{1,11})\.([0-9a-f-]{1,64})\.(.+)", re.DOTALL)
_PURPOSE = b"alert-router link 1\0"  # the key signs nothing else, whatever else it is used for
_LONGEST_ABOUT = 500  # bytes of a runbook's id
_MOST_RUNBOOKS = 2  # that a message asks about


class LinkRefused(Exception):
    """A link with which nothing may be done; the message is for people."""


def sign(key: bytes, group: str, do: str, expires_at: float) -> str:
    """The token of a link that does `do`, as the buttons of the group's page name it."""
    payload = f"{int(expires_at):x}.{group}.{do}".encode(errors="replace")
    return f"{_text(payload)}.{_signature(key, payload)}"


def verify(key: bytes, token: str, now: float) -> tuple[str, str]:
    """The group and the action of a token that `sign` made. Raises LinkRefused."""
    found = _TOKEN.fullmatch(token)
    payload = _bytes(found[1]) if found else b""
    if found is None or not hmac.compare_digest(_signature(key, payload), found[2]):
        raise LinkRefused(
            "This link was cut, changed, or signed with a key that is not in use any more."
        )
    parts = _PAYLOAD.fullmatch(payload.decode())
    assert parts is not None  # we signed it
    expires_at = int(parts[1], 16)
    if now >= expires_at:
        when = datetime.fromtimestamp(expires_at, UTC).strftime("%Y-%m-%d %H:%M")
        raise LinkRefused(f"This link expired at {when} UTC.")
    return parts[2], parts[3]


def _signature(key: bytes, payload: bytes) -> str:
    return _text(hmac.new(key, _PURPOSE + payload, sha256).digest()[:16])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) % 4 != 1 else b""


class LinkKey:
    """The key that is in force: the configuration's, else one that the store has for all routers
    that share it."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._stored: bytes | None = None

    async def read(self, runtime: Runtime) -> bytes | None:
        """The key; None where links are off. Raises SecretUnavailable and StoreUnavailable."""
        links = runtime.config.http.links
        if links is None:
            return None
        if key := links.read_key():
            return key
        if self._stored is None:
            self._stored = await self._outbox.secret("links")
        return self._stored


async def with_links(notification: Notification, runtime: Runtime, key: LinkKey) -> Notification:
    """The notification with links for what a person may do now; without any where they are off, or
    the key cannot be read."""
    links = runtime.config.http.links
    if links is None or not notification.groups or notification.composed_at is None:
        return notification
    try:
        signing = await key.read(runtime)
    except (SecretUnavailable, StoreUnavailable) as error:
        log.warning("the message has no links to act: cannot read their key", error=str(error))
        return notification
    assert signing is not None
    expires_at = notification.composed_at.timestamp() + links.expire
    wanted = [("I have it", "take")]
    if not notification.group.firing:
        parts = [
            part
            for part in notification.runbooks
            if len(part.id.encode(errors="replace")) <= _LONGEST_ABOUT
        ][:_MOST_RUNBOOKS]
        wanted = [
            (f"{words}: {part.title}" if len(parts) > 1 else words, f"{do} {part.id}")
            for part in parts
            for words, do in (("It helped", "helped"), ("It did not help", "not_helped"))
        ]
    base, group = notification.external_url.rstrip("/"), notification.groups[-1]
    actions = tuple(
        (words, f"{base}/act/{sign(signing, group, do, expires_at)}") for words, do in wanted
    )
    return replace(notification, actions=actions)
