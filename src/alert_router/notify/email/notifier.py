"""The notifier `email`: one message for all of its recipients, threaded by group.

What it says is `message`'s, how it travels `mime`'s, what a server answers `smtp`'s.
"""

import re
import socket
import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.utils import getaddresses, parseaddr
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import from_json, to_json

from alert_router.fields import SecretUnavailable
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Failed, Notifier, Outcome, Reason, Remedy, Sending
from alert_router.notify.email import smtp
from alert_router.notify.email.message import words
from alert_router.notify.email.mime import compose, message_id
from alert_router.notify.overhttp import HeaderName, Tls
from alert_router.notify.secrets import SecretField

_IMPLICIT_TLS = 465  # RFC 8314
_OURS = frozenset(
    (
        *("from", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references"),
        *("auto-submitted", "mime-version", "content-type", "content-transfer-encoding"),
    )
)


def _address(text: str) -> str:
    """`sre@example.org` or `Alerts <alerts@example.org>`."""
    found = getaddresses([text])
    name, address = found[0] if len(found) == 1 else ("", "")
    user, _, domain = address.rpartition("@")
    strange = not text.isprintable() or not address.isascii() or re.search(r"[\s,;<>]", address)
    if not user or not domain or strange:
        raise ValueError("expected an address such as sre@example.org")
    return str(Address(display_name=name, addr_spec=address))


def _smarthost(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("expected host:port, such as smtp.example.org:587")
    return text


EmailAddress = Annotated[str, AfterValidator(_address)]
Addresses = Annotated[
    tuple[EmailAddress, ...],
    BeforeValidator(lambda value: value.split(",") if isinstance(value, str) else value),
]


def _header_name(name: str) -> str:
    if name.lower() in _OURS:
        raise ValueError("this header is set by the router itself")
    return name


class EmailNotifier(Notifier):
    """Sends by a mail server; the keys are Alertmanager's."""

    type: Literal["email"] = "email"
    to: Addresses = Field(min_length=1)
    from_: EmailAddress = Field(alias="from")
    smarthost: Annotated[str, AfterValidator(_smarthost)]
    hello: str = ""
    auth_username: str = ""
    auth_password: SecretField | None = None
    require_tls: bool = True
    tls: Tls = Tls()
    headers: dict[Annotated[HeaderName, AfterValidator(_header_name)], str] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.auth_username) != bool(self.auth_password):
            raise ValueError("`auth_username` and `auth_password` go together")
        return self

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> bytes:
        """Subject, text and HTML as JSON, and which thread they belong to."""
        made = words(notification, detail)
        return to_json(
            {
                "subject": made.subject,
                "text": made.text,
                "html": made.html,
                "thread": "\n".join(
                    (notification.receiver, notification.notifier, notification.group.group_key)
                ),
            },
            inf_nan_mode="null",
        )

    async def notify(self, payload: bytes, sending: Sending) -> Outcome:
        said: dict[str, Any] = from_json(payload)
        domain = parseaddr(self.from_)[1].rpartition("@")[2]
        try:
            account = self._account()
        except SecretUnavailable as error:
            return Failed(Reason.MISCONFIGURED, str(error), Remedy.HOLD)
        message = compose(
            said,
            sender=self.from_,
            to=self.to,
            id=message_id(sending.id, domain),
            thread=message_id(said["thread"], domain),
            now=datetime.now(UTC),
            headers=self.headers,
        )
        return await smtp.send(
            account,
            sending.guard,
            parseaddr(self.from_)[1],
            [parseaddr(address)[1] for address in self.to],
            message,
            self.timeout,
            sending.resolve,
        )

    def host(self) -> str:
        """The mail server's."""
        return self.smarthost.rpartition(":")[0].strip("[]")

    def _account(self) -> smtp.Account:
        """Raises SecretUnavailable where password or certificates cannot be read."""
        host, port = self.host(), self.smarthost.rpartition(":")[2]
        context: ssl.SSLContext = self.tls.context()
        return smtp.Account(
            host=host,
            port=int(port),
            hello=self.hello or socket.gethostname() or "localhost",
            implicit=int(port) == _IMPLICIT_TLS,
            require_tls=self.require_tls,
            context=context,
            server_name=self.tls.server_name or host,
            username=self.auth_username,
            password=self.auth_password.read() if self.auth_password else "",
        )
