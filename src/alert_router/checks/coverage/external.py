"""The labels that Prometheus adds to every alert on its way out (`global.external_labels`).

They stand in Prometheus's own configuration, so that a rule file does not tell them.
"""

from collections.abc import Mapping

from alert_router.checks.rules import ABSENT, Carried, Values

# What such labels are called, in Prometheus's documentation, the operator's defaults and by
# custom. An alert may carry them unknown to us. That one carries others besides, which neither
# its rule sets nor its expression yields, is not expected.
CUSTOMARY = (
    "account",
    "availability_zone",
    "cluster",
    "cluster_id",
    "cluster_name",
    "datacenter",
    "dc",
    "env",
    "environment",
    "k8s_cluster",
    "monitor",
    "prometheus",
    "prometheus_replica",
    "region",
    "replica",
    "site",
    "stage",
    "tenant",
    "zone",
)


def with_external(carried: Carried, given: Mapping[str, str | None]) -> Carried:
    """The labels an alert arrives with. `given` are labels that somebody says it has, unless its
    rule or expression says otherwise: their value, "" where there is no such label, None where
    the value is not known.

    What Prometheus adds never replaces a label that is there (prometheus/prometheus, notifier).
    """
    added: dict[str, str | None] = {**dict.fromkeys(CUSTOMARY), **given}
    return carried.having(
        {name: _arriving(carried.of(name), value) for name, value in added.items()}
    )


def _arriving(values: Values, added: str | None) -> Values:
    if values is not None and "" not in values:
        return values
    if added is None:
        return None
    return (values or ABSENT) - ABSENT | {added}
