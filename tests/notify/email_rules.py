"""What must hold for any e-mail: what it says is harmless, and it travels as one message."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from html.parser import HTMLParser
from typing import Any
from unicodedata import category
from urllib.parse import urlsplit

from alert_router.notify.email import EmailNotifier
from tests.notify.case import WORD, Case

_ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("p", "strong", "em", "s", "del", "a", "hr", "br", "span", "pre", "code", "ul", "ol", "li"),
    *("dl", "dt", "dd", "blockquote", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {
    *("style", "href", "rel", "lang", "charset", "name", "content", "id", "class", "start"),
    "align",
}

# All that a message has without headers of the configuration's own.
HEADERS = {
    *("from", "to", "subject", "date", "message-id", "in-reply-to", "references"),
    *("auto-submitted", "mime-version", "content-type"),
}


class _Strict(HTMLParser):
    """Fails for anything that runs, loads or leads where no browser should follow."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.code: list[str] = []
        self._in: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _ELEMENTS, f"<{tag}>"
        for name, value in attrs:
            assert name in _ATTRIBUTES, f"{name}= of <{tag}>"
            if name == "href" and value is not None:
                assert urlsplit(value or "").scheme in ("http", "https", "mailto"), value
            assert "url(" not in (value or "") or name == "href"
        if tag not in ("meta", "br", "hr"):
            self._in.append(tag)
        if tag == "pre":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._in, f"</{tag}>"
        assert self._in.pop() == tag, f"</{tag}>"

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "pre" in self._in:
            self.code[-1] += data


def parsed(html: str) -> _Strict:
    parser = _Strict()
    parser.feed(html)
    parser.close()
    assert parser._in == []
    return parser


def commands(html: str) -> list[str]:
    """The code of a message as a reader copies it."""
    return [code.rstrip("\n") for code in parsed(html).code]


def check(payload: Any) -> None:
    """What `render` made: a subject for one header, text and HTML that do no harm."""
    assert set(payload) == {"subject", "text", "html", "thread"}
    assert 0 < len(payload["subject"]) <= 200
    assert payload["subject"].isprintable()
    for text in (payload["text"], payload["html"]):
        assert not [c for c in text if category(c) in ("Cc", "Cs") and c not in "\n\t"]
        assert not set(text) & set(
            "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        )
    assert len(payload["html"].encode()) <= 130_000
    parsed(payload["html"])


def check_message(raw: bytes) -> EmailMessage:
    """What arrived at a server: one message, each header once, lines within RFC 5322."""
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.isascii()
    names = [name.lower() for name in message.keys()]  # noqa: SIM118 - a header may come twice
    assert len(names) == len(set(names))
    assert message.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert message_from_bytes(message.as_bytes(policy=SMTP)).keys() == message.keys()
    return message


CASES = [
    Case(
        "email",
        lambda url, **k: EmailNotifier.model_validate(
            {
                "to": "sre@example.org",
                "from": "alerts@example.org",
                "smarthost": "mail.example.org:587",
                "auth_username": "router",
                "auth_password": f"p{WORD}",
            }
            | k
        ),
        check,
        over_http=False,
    )
]
