"""Matching one alert in a runbook table of 10,000 entries over matching it in one of 10.

Every alert has 12 labels, most of them with values of its own. Seven of ten meet an entry of the
usual table, anywhere in it, and one of six an entry of the worst.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence

from alert_router.matcher import parse_matchers
from alert_router.routing import RunbookEntry, RunbookTable
from benchmarks.programs import report

FEW, MANY = 10, 10_000
ALERTS = 2_000  # different ones, asked one after another
ROUNDS = 15
Labels = dict[str, str]
Make = Callable[[int], str]

# Names as alerts have them: 25 × 20 × 20 of them, of many lengths.
WHERE = (
    "Kube", "Node", "Redis", "Postgres", "Kafka", "Etcd", "Nginx", "Istio", "Vault", "Consul",
    "Thanos", "Loki", "Grafana", "Argo", "CertManager", "CoreDNS", "Ingress", "Elasticsearch",
    "Rabbit", "Mongo", "Memcached", "Envoy", "Jenkins", "Harbor", "Schema",
)  # fmt: skip
WHOSE = (
    "Pod", "Container", "Api", "Disk", "Network", "Memory", "Replica", "Volume", "Queue", "Backup",
    "Certificate", "Client", "Server", "Leader", "Topic", "Index", "Shard", "Session", "Cache",
    "Job",
)  # fmt: skip
WHAT = (
    "Down", "Slow", "Full", "Lagging", "Flapping", "Crashing", "Missing", "Expired", "Overloaded",
    "Unreachable", "ErrorRateHigh", "LatencyHigh", "Throttled", "Restarting", "Saturated",
    "OutOfSync", "Stuck", "Absent", "Degraded", "Rejected",
)  # fmt: skip


def main() -> None:
    """Print the ratios."""
    compare("one alert in 10,000 runbook entries over 10", "< 2", usual)
    compare("  the same, no label value seen before", "< 2", usual, fresh=True)
    compare("  worst case: 10,000 × `.*x.*`", "-", wildcard)
    compare("  worst case, no label value seen before", "-", wildcard, fresh=True)


def compare(name: str, aim: str, make: Make, *, fresh: bool = False) -> None:
    """Time both tables in turns, so that what else the machine does meets both."""
    tables = {size: table(size, make) for size in (FEW, MANY)}
    times: dict[int, list[float]] = {FEW: [], MANY: []}
    known = {size: alerts(size, 0) for size in tables}
    for number in range(ROUNDS):
        for size, compiled in tables.items():
            asked = alerts(size, number + 1) if fresh else known[size]
            times[size].append(microseconds(compiled, asked))
    # The first round fills what is remembered.
    few, many = (statistics.median(times[size][1:]) for size in (FEW, MANY))
    report(name, many / few, aim, f"{many:.1f} µs over {few:.1f} µs")


def microseconds(compiled: RunbookTable, asked: Sequence[Labels]) -> float:
    """For one alert."""
    match = compiled.match
    start = time.perf_counter()
    for labels in asked:
        match(labels)
    return (time.perf_counter() - start) / len(asked) * 1e6


def table(size: int, make: Make) -> RunbookTable:
    """Entries whose texts `make` writes."""
    return RunbookTable(
        [RunbookEntry(parse_matchers(make(number)), "id") for number in range(size)]
    )


def alert_name(number: int) -> str:
    """A different one for each entry."""
    return WHERE[number % 25] + WHOSE[number // 25 % 20] + WHAT[number // 500]


def usual(number: int) -> str:
    """Of ten entries nine are equalities and alternations, one is a prefix."""
    name = alert_name(number)
    return (
        f'alertname="{name}"',
        f'alertname="{name}",severity="critical"',
        f'alertname=~"{name}|{name}Soon|{name}Late"',
        f'alertname="{name}"',
        f'alertname="{name}",namespace="team-{number % 50}"',
        f'alertname="{name}",severity=~"warning|critical"',
        f'job="job-{number}"',
        f'alertname="{name}",env!="dev"',
        f'alertname=~"{name}|{name}Budget",cluster=~"prod-.*"',
        f'alertname=~"{name}.*"',
    )[number % 10]


def wildcard(number: int) -> str:
    """What no index can narrow by its beginning."""
    return f'alertname=~".*{alert_name(number)}-.*"'


def alerts(size: int, seed: int) -> list[Labels]:
    """Alerts for a table of that size, of 12 labels each."""
    chance = random.Random(seed)
    return [alert(chance, size) for _ in range(ALERTS)]


def alert(chance: random.Random, size: int) -> Labels:
    """One made for an entry of the table, or in one of five cases for none."""
    number = chance.randrange(size)
    wanted = chance.random() > 0.2
    unique = f"{chance.getrandbits(40):010x}"
    # Only prefixes and wildcards meet a name that goes on.
    suffix = f"-{unique}" if number % 10 == 9 or chance.random() < 0.1 else ""
    return {
        "alertname": alert_name(number) + suffix if wanted else f"Unknown{unique}",
        "severity": chance.choice(("critical", "warning")),
        "namespace": f"team-{number % 50}",
        "cluster": f"prod-{chance.choice(('eu', 'us', 'ap'))}-{chance.randrange(9)}",
        "env": "prod",
        "job": f"job-{number}" if wanted else "job",
        "pod": f"api-{unique[:9]}-{unique[5:]}",
        "instance": f"10.0.{chance.randrange(256)}.{chance.randrange(256)}:9102",
        "container": "api",
        "service": "api",
        "endpoint": "http-metrics",
        "prometheus": "monitoring/k8s",
    }


if __name__ == "__main__":
    main()
