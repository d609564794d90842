"""The notifier's keys; they are Alertmanager's."""

import re
import socket
from datetime import UTC, datetime
from email.headerregistry import Address
from email.utils import getaddresses, parseaddr
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from alert_router.fields import SecretField
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Notifier, Outcome, Sending
from alert_router.notify.email import smtp
from alert_router.notify.email.message import EmailPayload, compose, message_id, render
from alert_router.notify.http_notifier import HeaderName, Tls

_IMPLICIT_TLS = 465  # RFC 8314
_RESERVED = frozenset(
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
    is_odd = not text.isprintable() or not address.isascii() or re.search(r"[\s,;<>]", address)
    if not user or not domain or is_odd:
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
    if name.lower() in _RESERVED:
        raise ValueError("this header is set by the router itself")
    return name


class EmailNotifier(Notifier):
    """Sends by a mail server."""

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
    def _user_with_password(self) -> Self:
        if bool(self.auth_username) != bool(self.auth_password):
            raise ValueError("`auth_username` and `auth_password` go together")
        return self

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> EmailPayload:
        """Subject, text and HTML, and which thread they belong to."""
        return render(notification, detail)

    async def notify(self, payload: EmailPayload, sending: Sending) -> Outcome:
        sender = parseaddr(self.from_)[1]
        domain = sender.rpartition("@")[2]
        host, port = self.host(), int(self.smarthost.rpartition(":")[2])
        account = smtp.Account(
            host=host,
            port=port,
            hello=self.hello or socket.gethostname() or "localhost",
            implicit=port == _IMPLICIT_TLS,
            require_tls=self.require_tls,
            context=self.tls.context(),
            server_name=self.tls.server_name or host,
            username=self.auth_username,
            password=self.auth_password.read() if self.auth_password else "",
        )
        mail = compose(
            payload,
            sender=self.from_,
            to=self.to,
            id=message_id(sending.id, domain),
            thread=message_id(payload.thread, domain),
            now=datetime.now(UTC),
            headers=self.headers,
        )
        recipients = [parseaddr(address)[1] for address in self.to]
        return await smtp.send(account, sending, sender, recipients, mail, self.timeout)

    def host(self) -> str:
        """The mail server's."""
        return self.smarthost.rpartition(":")[0].strip("[]")
