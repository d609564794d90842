"""Delivering what the outbox holds: claim, fold, enrich, notify, settle."""

from alert_router.deliver.attempt import Desk
from alert_router.deliver.deliverer import Deliverer
from alert_router.deliver.lines import Lines

__all__ = ["Deliverer", "Desk", "Lines"]
