"""The notifier's keys; they are Alertmanager's."""

import re
import socket
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from alert_router.fields import SecretField
from alert_router.notification import Detail, Notification
from alert_router.notify.base import Notifier, Outcome, Sending
from alert_router.notify.email import smtp
from alert_router.notify.email.headers import (
    ADDRESS_HEADERS,
    Mailbox,
    parse_mailbox,
    parse_mailboxes,
    split_mailboxes,
)
from alert_router.notify.email.message import EmailPayload, compose, message_id, render
from alert_router.notify.http_notifier import HeaderName, Tls

_HOST_AND_PORT = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.%\w]+\]):(?P<port>[0-9]{1,5})")
_IMPLICIT_TLS = 465  # RFC 8314
_LOCAL_HOSTS = frozenset(("localhost", "127.0.0.1", "::1"))
_LONGEST_NAME = 50  # so that a value fits beside it in a line
_LONGEST_VALUE = 900  # in one line, of the 998 bytes of RFC 5322
_RESERVED = frozenset(
    (
        *("from", "to", "subject", "date", "message-id", "in-reply-to", "references"),
        *("auto-submitted", "mime-version", "content-type", "content-transfer-encoding"),
    )
)


def _smarthost(text: str) -> str:
    found = _HOST_AND_PORT.fullmatch(text)
    if not found or not 0 < int(found["port"]) < 65536:
        raise ValueError("expected host:port, such as smtp.example.org:587")
    return text


def _mailbox(value: object) -> object:
    return parse_mailbox(value) if isinstance(value, str) else value


def _items(value: object) -> object:
    """The items of one text with commas, or of a list of such texts."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return texts
    return [item for text in texts for item in split_mailboxes(text)]


Address = Annotated[Mailbox, BeforeValidator(_mailbox)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_items)]


def _header_name(name: str) -> str:
    if name.lower() in ("cc", "bcc"):
        raise ValueError(f"write it as the key `{name.lower()}` beside `to`")
    if name.lower() in _RESERVED:
        raise ValueError("this header is set by the router itself")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"expected a name of at most {_LONGEST_NAME} characters")
    return name


def _header_value(text: str) -> str:
    if not 0 < len(text) <= _LONGEST_VALUE or not text.strip():
        raise ValueError(f"expected text of at most {_LONGEST_VALUE} characters")
    return text


HeaderValue = Annotated[str, AfterValidator(_header_value)]


class EmailNotifier(Notifier):
    """Sends by a mail server."""

    type: Literal["email"] = "email"
    to: Addresses = Field(min_length=1)
    """The recipients, as a list or separated by commas."""
    cc: Addresses = ()
    """Further recipients."""
    bcc: Addresses = ()
    """Further recipients that no header names."""
    from_: Address = Field(alias="from")
    """The sender; replies go there."""
    smarthost: Annotated[str, AfterValidator(_smarthost)]
    """The mail server, `host:port`; port 465 is TLS from the start, others use STARTTLS."""
    hello: str = ""
    """What the router calls itself to the server; the machine's name if not set."""
    auth_username: str = ""
    """The login's name."""
    auth_password: SecretField | None = None
    """The login's password."""
    require_tls: bool = True
    """Whether nothing is sent to a server without STARTTLS; `false` does not use STARTTLS at
    all."""
    tls: Tls = Tls()
    """Certificates for this server."""
    headers: dict[Annotated[HeaderName, AfterValidator(_header_name)], HeaderValue] = Field(
        default_factory=dict
    )
    """Further headers, except those that the router sets itself."""

    @model_validator(mode="after")
    def _user_with_password(self) -> Self:
        if bool(self.auth_username) != bool(self.auth_password):
            raise ValueError("`auth_username` and `auth_password` go together")
        port = self.smarthost.rpartition(":")[2]
        is_plain = not self.require_tls and int(port) != _IMPLICIT_TLS
        if self.auth_password and is_plain and self.host() not in _LOCAL_HOSTS:
            raise ValueError("the password would be sent without TLS: remove `require_tls: false`")
        return self

    @model_validator(mode="after")
    def _addresses_in_headers(self) -> Self:
        for name, value in self.headers.items():
            if name.lower() in ADDRESS_HEADERS:
                try:
                    parse_mailboxes(value)
                except ValueError as error:
                    raise ValueError(f"`headers`: {name}: {error}") from None
        return self

    def render(self, notification: Notification, detail: Detail = Detail.FULL) -> EmailPayload:
        """Subject, text and HTML, and which thread they belong to."""
        return render(notification, detail)

    async def notify(self, payload: EmailPayload, sending: Sending) -> Outcome:
        domain = self.from_.domain
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
            cc=self.cc,
            id=message_id(sending.id, domain),
            thread=message_id(payload.thread, domain),
            now=datetime.now(UTC),
            headers=self.headers,
        )
        boxes = (*self.to, *self.cc, *self.bcc)
        recipients = list(dict.fromkeys(box.address for box in boxes))
        sender = self.from_.address
        return await smtp.send(account, sending, sender, recipients, mail, self.timeout)

    def host(self) -> str:
        """The mail server's."""
        return self.smarthost.rpartition(":")[0].strip("[]")
