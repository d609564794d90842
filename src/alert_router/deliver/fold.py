"""Folding: the groups that wait in one lane become the one group that is true now.

Pure. Which groups belong together is the store's to say.
"""

from collections.abc import Sequence

from alert_router.alert import Alert, AlertGroup, BodyLimits
from alert_router.outbox.model import WaitingGroup

_DEFAULT = BodyLimits()


def fold(waiting: Sequence[WaitingGroup], limits: BodyLimits = _DEFAULT) -> AlertGroup:
    """One group out of a lane's, oldest first: the newest, plus earlier alerts that it does not
    name and that are over, plus earlier firing ones where the newest was truncated.

    An alert counts with the last state it was seen in: one that fired last and is absent now is
    silenced or gone, and only truncation makes it worth telling.
    """
    # What an earlier version stored, or other limits let through, is cut now.
    groups = [
        AlertGroup.within(limits, one.body)[0].only(frozenset(one.fingerprints)) for one in waiting
    ]
    newest = groups[-1]
    if len(groups) == 1:
        return newest
    earlier: dict[str, Alert] = {}
    for group in groups[:-1]:
        for alert in group.alerts:
            earlier.pop(alert.fingerprint, None)  # so that the order is that of the last word
            earlier[alert.fingerprint] = alert
    named = {alert.fingerprint for alert in newest.alerts}
    added = tuple(
        alert
        for alert in earlier.values()
        if alert.fingerprint not in named and (newest.truncated_alerts or not alert.firing)
    )
    return newest.with_alerts(newest.alerts + added) if added else newest
