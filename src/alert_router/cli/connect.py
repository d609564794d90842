"""What `check --connect` finds: destinations whose names do not resolve, or lead to addresses that
nothing is sent to, on this machine."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from alert_router import yaml_source
from alert_router.config import Config, codes
from alert_router.model.problem import Problem, Severity
from alert_router.notify.egress import Guard, Obstacle, Resolver, Unreachable, obstacle

_FOUND = {
    Obstacle.UNRESOLVED: (
        codes.UNRESOLVED_NAME,
        Severity.ERROR,
        "correct the name, or the name servers of this machine; deliveries wait until it resolves",
    ),
    Obstacle.FORBIDDEN: (
        codes.FORBIDDEN_ADDRESS,
        Severity.WARNING,
        "deliveries wait until it is allowed",
    ),
}


def unreachable(path: Path, config: Config) -> Iterator[Problem]:
    """A problem for each notifier that cannot be reached; `path` is the main file."""
    hosts = {
        (index, number): host
        for index, receiver in enumerate(config.receivers)
        for number, notifier in enumerate(receiver.notifiers)
        if (host := notifier.host())
    }
    found = asyncio.run(_obstacles(set(hosts.values()), config))
    main = yaml_source.read(path)
    for (index, number), host in hosts.items():
        if it := found[host]:
            code, severity, hint = _FOUND[it.obstacle]
            node, _ = main.find(("receivers", index, "notifiers", number))
            yield main.problem(code, it.message, node.place, hint=hint, severity=severity)


async def _obstacles(hosts: set[str], config: Config) -> dict[str, Unreachable | None]:
    guard, resolver = Guard(config.delivery.private_destinations), Resolver()
    try:
        found = await asyncio.gather(*(obstacle(host, guard, resolver.resolve) for host in hosts))
    finally:
        await resolver.close()
    return dict(zip(hosts, found, strict=True))
