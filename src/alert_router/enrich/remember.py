"""Choices remembered: an alert is counted when it comes in and enriched for each notifier, and
most alerts differ only in labels that no table asks for; a runbook is looked for once.

How it is chosen is `choose`. A reload brings other tables, and forgets.
"""

from collections.abc import Callable, Iterable

from alert_router.enrich.choose import ANNOTATIONS, Choice
from alert_router.model import Alert

_MOST = 2048  # choices
_LONGEST = 4096  # characters of what one was made of; with more it is made anew each time


def remembering(
    choose: Callable[[Alert], Choice], names: Iterable[str]
) -> Callable[[Alert], Choice]:
    """The same function, which asks for no other labels than these and the alert's name, and for
    no annotations but those that can name a runbook."""
    asked = tuple({"alertname", *names})
    known: dict[tuple[str | None, ...], Choice] = {}

    def remembered(alert: Alert) -> Choice:
        key = (*map(alert.labels.get, asked), *map(alert.annotations.get, ANNOTATIONS))
        found = known.get(key)
        if found is None:
            found = choose(alert)
            if sum(len(text) for text in key if text) <= _LONGEST:
                if len(known) >= _MOST:
                    known.clear()
                known[key] = found
        return found

    return remembered
