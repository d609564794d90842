"""Which runbook and which receivers: the runbook table and the route tree, compiled.

Fallbacks for alerts that no entry matches are `enrich`'s.
"""

from alert_router.routing.index import Miss
from alert_router.routing.table import EntryStep, RunbookEntry, RunbookTable
from alert_router.routing.tree import Route, RouteStep, RouteTree

__all__ = [
    "EntryStep",
    "Miss",
    "Route",
    "RouteStep",
    "RouteTree",
    "RunbookEntry",
    "RunbookTable",
]
