"""A notifier under test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alert_router.notify.base import Notifier

# Every secret of the tests has this word in each of its parts.
WORD = "SECRET"
# What the tests write in place of each character of a mention before the rules look at a message.
MENTIONED = "o"
PATH = f"/services/T0{WORD}/B0{WORD}?token=x{WORD}"


@dataclass(frozen=True)
class Case:
    """A notifier under test.

    `make` takes its URL and further keys; `keeps_rules` asserts on what `readable` returns for a
    payload; `ok` is the answer that it takes for a success. One that does not speak HTTP has
    `over_http=False` and skips its table; one whose URL is not a secret of its own has
    `any_url=False`. `mention` is a name for its key `mention`, and what becomes of it in a message.
    `patience` is how many seconds it waits after a 429 that does not say.
    """

    name: str
    make: Callable[..., Notifier]
    keeps_rules: Callable[[Any], None]
    ok: bytes = b""
    over_http: bool = True
    any_url: bool = True
    patience: float | None = None
    mention: tuple[str, str] | None = None
