"""Choices remembered: an alert is counted when it comes in and enriched once for each notifier,
and the same alert comes again and again; its runbook is looked for once.

How it is chosen is `choose`. A reload brings other tables, and forgets.
"""

from collections.abc import Callable

from alert_router.alert import Alert
from alert_router.enrich.choose import ANNOTATIONS, Choice

_MOST = 2048  # choices; about 2 KiB each with the labels they are for
_LONGEST = 8192  # characters of labels and annotations; longer ones are looked for each time


def remembering(choose: Callable[[Alert], Choice]) -> Callable[[Alert], Choice]:
    """The same function of an alert's labels and of its annotations that can name a runbook,
    with the answers for the alerts of late."""
    known: dict[tuple[object, ...], Choice] = {}

    def remembered(alert: Alert) -> Choice:
        get = alert.annotations.get
        key = (*map(get, ANNOTATIONS), *alert.labels.items())
        found = known.get(key)
        if found is None:
            found = choose(alert)
            if _length(alert) <= _LONGEST:
                if len(known) >= _MOST:
                    known.clear()
                known[key] = found
        return found

    return remembered


def _length(alert: Alert) -> int:
    texts = (alert.annotations.get(name, "") for name in ANNOTATIONS)
    return sum(map(len, texts)) + sum(map(len, alert.labels)) + sum(map(len, alert.labels.values()))
