"""Apprise itself, loaded where it is first needed: its URLs, what it says, and one send.

All of it blocks; whoever calls it does so in a thread of its own.
"""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from alert_router.notify.answers import judge
from alert_router.notify.apprise.confined import confined
from alert_router.notify.apprise.message import chosen
from alert_router.notify.base import Delivered, Failed, Outcome, Reason, Remedy
from alert_router.notify.guard import Guard
from alert_router.notify.redact import clean

MISSING = (
    "the package `apprise` is not installed: `pip install 'alert-router[apprise]'`, or take a "
    "notifier of another type"
)
# They show something on the machine that the router runs on, or write to its log.
LOCAL = frozenset(("blink1", "dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"))
_STATUS = re.compile(r"\berror=(\d{3})\b")
_UNREACHED = re.compile(r"connection error|timed? ?out|socket exception", re.IGNORECASE)
_MOST_SAID = 500  # characters


def is_installed() -> bool:
    """Whether Apprise is to be had."""
    return find_spec("apprise") is not None


def objection(url: str) -> str:
    """What is wrong with an Apprise URL, in a sentence that does not tell it; empty if nothing."""
    return _loaded(url)[1]


def send(url: str, said: dict[str, Any], seconds: float, guard: Guard) -> Outcome:
    """Send a message, of which as much as the service takes. Apprise tells of success or failure
    alone: what else is known was read from its log."""
    plugin, wrong = _loaded(url)
    if wrong:
        return Failed(Reason.MISCONFIGURED, f"`url`: {wrong}", Remedy.HOLD)
    plugin.redirects = False
    plugin.socket_connect_timeout = plugin.socket_read_timeout = seconds
    title, text = _fitted(plugin, said)
    with confined(guard) as refused, _heard() as words:
        is_sent = plugin.notify(
            body=text, title=title, notify_type=said["type"], body_format="text"
        )
    if is_sent:
        return Delivered()
    if refused:
        return Failed(Reason.MISCONFIGURED, clean(str(refused[0].strerror), [url]), Remedy.HOLD)
    return _failed(" ".join(words), url)


def _failed(words: str, url: str) -> Outcome:
    status = _STATUS.search(words)
    told = clean(words[:_MOST_SAID], [url]) or "Apprise says no more than that it failed"
    if status is not None and int(status[1]) >= 300:
        return judge(int(status[1]), {}, told.encode(), [url])
    if _UNREACHED.search(words):
        return Failed(Reason.CONNECTION, told, in_doubt=True)
    return Failed(Reason.SERVER_ERROR, told, in_doubt=True)


def _fitted(plugin: Any, said: dict[str, Any]) -> tuple[str, str]:
    """Title and text within what the service takes, so that Apprise has nothing to cut."""
    title = said["title"][: plugin.title_maxlen] if plugin.title_maxlen else said["title"]
    within = plugin.overflow_amalgamate_title or not plugin.title_maxlen
    room = plugin.body_maxlen - plugin.overflow_buffer - (len(title) + 2 if within else 0)
    return title, chosen(said["texts"], max(room, 1))


def _loaded(url: str) -> tuple[Any, str]:
    """The service of a URL, or what is wrong with that."""
    import apprise  # noqa: PLC0415  # an extra, and half a second to load

    schema = url.partition(":")[0].lower()
    if schema in LOCAL:
        return None, f"{schema}:// is for the machine that the router runs on, and goes nowhere"
    asset = apprise.AppriseAsset(http_redirects=False)
    with _heard():
        plugin = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    return plugin, "" if plugin is not None else "it is no URL that Apprise knows"


class _Words(logging.Handler):
    """Keeps what is logged in the thread that listens, and passes on nothing: it may hold
    secrets."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        if (words := getattr(self.thread, "words", None)) is not None:
            words.append(record.getMessage())


_words = _Words()


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What Apprise warns of in this thread for the length of the block."""
    log = logging.getLogger("apprise")
    if _words not in log.handlers:
        log.addHandler(_words)
        log.propagate = False
    before = getattr(_words.thread, "words", None)
    words: list[str] = []
    _words.thread.words = words
    try:
        yield words
    finally:
        _words.thread.words = before
