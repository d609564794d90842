"""The runbook table (alert to runbook) and the route tree (alert to receivers), compiled."""

from alert_router.routing.table import EntryStep, Index, Miss, RunbookEntry, RunbookTable
from alert_router.routing.tree import Route, RouteStep, RouteTree

__all__ = [
    "EntryStep",
    "Index",
    "Miss",
    "Route",
    "RouteStep",
    "RouteTree",
    "RunbookEntry",
    "RunbookTable",
]
