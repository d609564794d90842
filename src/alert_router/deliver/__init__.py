"""Delivering what the outbox holds: claim, fold, enrich, notify, settle."""

from alert_router.deliver.attempt import DeliverContext
from alert_router.deliver.worker import Deliverer

__all__ = ["DeliverContext", "Deliverer"]
