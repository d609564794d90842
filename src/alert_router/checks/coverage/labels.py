"""Which labels the alerts carry that a runbook is for: what its placeholders may ask for."""

from collections.abc import Collection, Iterable, Mapping

from alert_router.checks.coverage.model import AlertCoverage


def labels_by_runbook(
    alerts: Iterable[AlertCoverage], external: Collection[str] = ()
) -> Mapping[str, frozenset[str] | None]:
    """For each runbook that some alert gets, or may get, every label that one of these alerts can
    carry, with the external labels that were given; None where an expression leaves open which
    labels there are. Runbooks that no alert gets are not in it."""
    found: dict[str, frozenset[str] | None] = {}
    for alert in alerts:
        own = alert.rule.carried.possible()
        names = None if own is None else own | frozenset(external)
        for runbook in {choice.runbook for choice in alert.choices if choice.runbook is not None}:
            known = found.get(runbook, frozenset())
            found[runbook] = None if known is None or names is None else known | names
    return found
