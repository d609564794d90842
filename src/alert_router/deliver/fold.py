"""Folding: the groups that wait in one lane become the one group that is true now.

Pure. Which groups belong together is the store's to say.
"""

from collections.abc import Sequence

from alert_router.model import Alert, AlertGroup, BodyLimits
from alert_router.outbox.model import WaitingGroup

_DEFAULT = BodyLimits()


def fold(waiting: Sequence[WaitingGroup], limits: BodyLimits = _DEFAULT) -> AlertGroup:
    """One group out of a lane's, oldest first: the newest, plus earlier alerts that it does not
    name and that are over, plus earlier firing ones where the newest was truncated.

    An alert counts with the last state it was seen in: one that fired last and is absent now is
    silenced or gone, and only truncation makes it worth telling.
    """
    groups = [_read(one, limits) for one in waiting]
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


def _read(one: WaitingGroup, limits: BodyLimits) -> AlertGroup:
    """A stored group with the alerts that are for this lane. What an earlier version stored, or
    other limits let through, is cut now; where senders give no fingerprints, that changes the ones
    made of labels. Then all alerts are kept: one too many is better than one lost."""
    group = AlertGroup.within(limits, one.body)[0]
    kept = group.only(frozenset(one.fingerprints))
    is_missing = len(kept.alerts) < min(len(one.fingerprints), len(group.alerts))
    changed = bool(group.cut.labels or group.cut.values) and not group.cut.alerts
    return group if is_missing and (changed or not kept.alerts) else kept
