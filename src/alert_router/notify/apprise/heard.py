"""What Apprise says in its log while it sends: nowhere else does it say why it failed.

Kept are its warnings; of its talk for debugging, which holds secrets, no text at all, only
whether a connection came about. Nothing is passed on to the process's own log.
"""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_SOCKET = "Socket Exception"
# As requests and urllib3 put it; whatever else ends a connection may come after the message.
_NEVER_THERE = re.compile(
    r"Failed to (?:establish a new connection|resolve)\b.*?\[Errno -?\d+\] ([A-Za-z ]+)"
    r"|(ConnectTimeoutError|CERTIFICATE_VERIFY_FAILED)\b",
    re.DOTALL,
)
_WORDS = {
    "ConnectTimeoutError": "no answer to the attempt to connect",
    "CERTIFICATE_VERIFY_FAILED": "the certificate is not trusted",
}


@dataclass(slots=True)
class Heard:
    """The warnings; why connections did not come about; whether anything may have arrived: one of
    several targets has it, or a connection broke."""

    warnings: list[str] = field(default_factory=list)
    unconnected: list[str] = field(default_factory=list)
    may_have_arrived: bool = False

    def take(self, level: int, text: str) -> None:
        """One entry of the log."""
        if level >= logging.WARNING:
            self.warnings.append(text)
        elif level >= logging.INFO:  # as in "Sent JSON notification."
            self.may_have_arrived = True
        elif text.startswith(_SOCKET):
            if found := _NEVER_THERE.search(text):
                self.unconnected.append(found[1] or _WORDS[found[2]])
            else:
                self.may_have_arrived = True


class _Ears(logging.Handler):
    """Hands what is logged to who listens in the same thread."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        heard: Heard | None = getattr(self.thread, "heard", None)
        if heard is not None:
            heard.take(record.levelno, record.getMessage())


_ears = _Ears()


@contextmanager
def listening() -> Iterator[Heard]:
    """What Apprise logs in this thread for the length of the block."""
    log = logging.getLogger("apprise")
    if _ears not in log.handlers:
        log.addHandler(_ears)
        log.setLevel(logging.DEBUG)
        log.propagate = False
    before = getattr(_ears.thread, "heard", None)
    _ears.thread.heard = heard = Heard()
    try:
        yield heard
    finally:
        _ears.thread.heard = before
