"""An e-mail as it travels: headers that no value can break out of, text and HTML side by side."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256

_LONGEST_HEADER = 300  # characters of a value that is not ours


def message_id(id: str, domain: str) -> str:
    """The Message-ID of a batch: a resend has the same one."""
    return f"<{sha256(id.encode(errors='replace')).hexdigest()[:32]}@{domain}>"


def compose(
    words: Mapping[str, str],
    *,
    sender: str,
    to: Sequence[str],
    id: str,
    thread: str,
    now: datetime,
    headers: Mapping[str, str],
) -> bytes:
    """The message, CRLF line ends. `thread` is the Message-ID that all of a group refer to."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = header(words["subject"])
    message["Date"] = now
    message["Message-ID"] = id
    message["In-Reply-To"] = thread
    message["References"] = thread
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    for name, value in headers.items():
        message[name] = header(value)
    message.set_content(_sendable(words["text"]), cte="base64")
    message.add_alternative(_sendable(words["html"]), subtype="html", cte="base64")
    return message.as_bytes()


def header(text: str) -> str:
    """A value for a header: one line of printable characters, of bounded length. What looks like
    an encoded word (RFC 2047) is none: decoded, it could hold a line break and headers."""
    line = "".join(c if c.isprintable() else " " for c in _sendable(text))
    return " ".join(line.split()).replace("=?", "= ?")[:_LONGEST_HEADER]


def _sendable(text: str) -> str:
    """Without lone surrogates, which no encoding takes."""
    return text.encode("utf-8", "replace").decode()
