"""What of a group a notifier wants to be told: not all want what is over, or what is minor.

Pure. Which groups belong together is `fold`'s.
"""

from typing import Literal

from alert_router.model import AlertGroup
from alert_router.model.severity import Scale
from alert_router.notify.base import Notifier

# The key of the notifier that leaves nothing to tell.
Unwanted = Literal["send_resolved", "min_severity"]


def wanted(group: AlertGroup, notifier: Notifier, scale: Scale) -> AlertGroup | Unwanted:
    """The group with the alerts that are wanted. Without `send_resolved` that is what fires, as
    in Alertmanager (notify.go, RetryStage); with `min_severity`, what is at least as grave."""
    alerts = group.alerts
    if not notifier.send_resolved:
        alerts = tuple(alert for alert in alerts if alert.firing)
        if not alerts:
            return "send_resolved"
    if least := notifier.min_severity:
        alerts = tuple(alert for alert in alerts if scale.at_least(alert, least))
        if not alerts:
            return "min_severity"
    return group if len(alerts) == len(group.alerts) else group.with_alerts(alerts)
