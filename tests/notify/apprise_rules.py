"""What must hold for any text that is handed to a service nobody here knows: characters that are
seen, and words that no common chat takes for a mention."""

import re
from typing import Any

from alert_router.notify.apprise import AppriseNotifier
from tests.notify.case import Case

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_FENCED = re.compile(r"^(`{3,})\n(.*?)\n\1$", re.DOTALL | re.MULTILINE)
_MENTION = re.compile(r"<[!@#]\w|(?<!\w)@(?:everyone|here|channel|all)\b|<users/")


def check(said: Any) -> None:
    """All that holds of a message."""
    assert set(said) == {"title", "type", "body"}
    assert said["type"] in {"failure", "warning", "info", "success"}
    assert said["title"].strip()
    assert "\n" not in said["title"]
    assert said["body"].strip() or said["title"]
    for text in (said["title"], said["body"]):
        assert not _UNSEEN.search(text)
    assert not _MENTION.search(said["title"])


def commands(said: Any) -> list[str]:
    """The code of a message as a reader copies it."""
    return [code for _, code in _FENCED.findall(said["body"])]


CASES = [
    Case(
        "apprise",
        lambda url, **k: AppriseNotifier(url=url.replace("http", "json", 1), **k),
        check,
        over_http=False,
    )
]
