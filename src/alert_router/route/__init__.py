"""Which runbook and which receivers: the runbook table and the route tree, compiled.

Fallbacks for alerts that no entry matches are `enrich`'s.
"""

from alert_router.route.index import Miss
from alert_router.route.table import EntryStep, RunbookEntry, RunbookTable
from alert_router.route.tree import Route, RouteStep, RouteTree

__all__ = [
    "EntryStep",
    "Miss",
    "Route",
    "RouteStep",
    "RouteTree",
    "RunbookEntry",
    "RunbookTable",
]
