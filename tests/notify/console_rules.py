"""What must hold for anything the console is sent."""

import re

from alert_router.notify.console import ConsoleNotifier
from tests.notify.case import Case

_ALLOWED = re.compile(r"[\n\t]")


def check(text: str) -> None:
    """No character that a terminal obeys, or that reorders what stands around it."""
    rest = _ALLOWED.sub("", text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", rest)
    text.encode()  # no lone surrogate


CASES = [Case("console", lambda url, **k: ConsoleNotifier(**k), check, over_http=False)]
