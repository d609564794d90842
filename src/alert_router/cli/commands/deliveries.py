"""`alert-router deliveries`: list the deliveries in the store, replay them, discard them."""

import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from alert_router.cli import LazyGroup
from alert_router.cli.options import config_option, json_option
from alert_router.cli.outbox_access import as_storage, hint_of_spool, read_config, with_outbox
from alert_router.cli.output import (
    clean_lines,
    count,
    join,
    print_json,
    show,
    show_error,
    styled,
    table,
)
from alert_router.outbox.base import Outbox
from alert_router.outbox.model import (
    DeliveryFilter,
    DeliveryRow,
    Destination,
    State,
    Storage,
    iso,
    row_as_json,
)

_ALL = 2**31
_STYLES = {State.WAITING: "yellow", State.DELIVERED: "green", State.DEAD: "bold red"}

_storage_option = click.option(
    "--storage",
    metavar="URL",
    callback=lambda _ctx, _option, value: as_storage(value, "--storage") if value else None,
    help="Use this store instead of the configured one, for example a spool: sqlite:////FILE.",
)
_ids_argument = click.argument("ids", nargs=-1, type=click.IntRange(min=1), metavar="ID...")


@click.group(cls=LazyGroup)
def deliveries() -> None:
    """List deliveries that are waiting, delivered or dead; replay or discard them."""


@deliveries.command("list")
@config_option
@_storage_option
@click.option(
    "--state",
    type=click.Choice([state.value for state in State]),
    help="Only deliveries in this state.",
)
@click.option("--receiver", help="Only deliveries of this receiver.")
@click.option("--notifier", help="Only deliveries of notifiers with this name.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Maximum number."
)
@json_option
def list_(
    config: Path | None,
    storage: Storage | None,
    state: str | None,
    receiver: str | None,
    notifier: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List deliveries, newest first. Exit 0, also for an empty list."""
    wanted = DeliveryFilter(State(state) if state else None, receiver or "", notifier or "")
    loaded = read_config(config)
    rows = with_outbox(loaded, lambda outbox: outbox.deliveries(wanted, limit=limit), storage)
    if as_json:
        print_json({"deliveries": [row_as_json(row) for row in rows]})
    elif rows:
        now = time.time()
        columns = ("ID", "State", "Receiver", "Notifier", "Alerts", "Accepted", "Attempts", "Why")
        show(table(*columns, rows=[_cells(row, now) for row in rows]))
        if len(rows) == limit:
            show_error(f"only the newest {limit}; use --limit for more")
    else:
        show("no deliveries")
    if not as_json and storage is None and (hint := hint_of_spool(loaded)):
        show_error(hint)


@deliveries.command("show")
@config_option
@_storage_option
@click.argument("delivery", type=click.IntRange(min=1), metavar="ID")
@json_option
@click.pass_context
def show_(
    ctx: click.Context, config: Path | None, storage: Storage | None, delivery: int, as_json: bool
) -> None:
    """Show the delivery ID and the body of its alert group. Exit 1 if it does not exist."""
    found = with_outbox(read_config(config), lambda outbox: outbox.show(delivery), storage)
    if found is None:
        show_error(f"there is no delivery {delivery}")
        ctx.exit(1)
    row, body = found
    text = body.decode("utf-8", "replace")
    try:
        data: Any = json.loads(text)
        pretty = json.dumps(data, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        data = pretty = text
    if as_json:
        print_json(row_as_json(row) | {"body": data})
    else:
        show(*_details(row, time.time()), "", clean_lines(pretty))


@deliveries.command()
@config_option
@_storage_option
@_ids_argument
@click.option("--all-dead", is_flag=True, help="Every dead delivery, oldest first.")
@click.option(
    "--to", metavar="RECEIVER/NOTIFIER", help="Send to this notifier instead of the original one."
)
@click.option(
    "--force", is_flag=True, help="Also if a newer notification for the group was already sent."
)
@json_option
@click.pass_context
def replay(
    ctx: click.Context,
    config: Path | None,
    storage: Storage | None,
    ids: tuple[int, ...],
    all_dead: bool,
    to: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Send dead or delivered deliveries again, each as a new one at the end of its lane.

    Exit 0: all are queued again; 1: some could not be replayed.
    """
    if bool(ids) == all_dead:
        raise click.UsageError("give delivery IDs or --all-dead")
    loaded = read_config(config)
    configured = [
        Destination(receiver.name, notifier.identity)
        for receiver in loaded.receivers
        for notifier in receiver.notifiers
    ]
    target = _destination(configured, to) if to is not None else None

    async def replay_one(outbox: Outbox, delivery: int) -> dict[str, object]:
        if target is None and not force:
            await _require_configured(outbox, delivery, configured)
        new = await outbox.replay(delivery, now=outbox.now(), to=target, force=force)
        return {"replayed_as": new}

    chosen = None if all_dead else ids
    results = with_outbox(loaded, lambda outbox: _apply(outbox, chosen, replay_one), storage)
    _report(ctx, results, "replayed", as_json)


@deliveries.command()
@config_option
@_storage_option
@_ids_argument
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
@click.pass_context
def discard(
    ctx: click.Context,
    config: Path | None,
    storage: Storage | None,
    ids: tuple[int, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Discard dead or waiting deliveries for good: they are never sent.

    Asks for confirmation on a terminal; elsewhere --yes is required. Exit 1: some could not be
    discarded.
    """
    if not ids:
        raise click.UsageError("give delivery IDs")
    loaded = read_config(config)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("not a terminal: pass --yes")
        click.confirm(f"Discard {count(len(ids), 'delivery', 'deliveries')}?", abort=True, err=True)

    async def discard_one(outbox: Outbox, delivery: int) -> dict[str, object]:
        await outbox.discard(delivery, now=outbox.now())
        return {"discarded": True}

    results = with_outbox(loaded, lambda outbox: _apply(outbox, ids, discard_one), storage)
    _report(ctx, results, "discarded", as_json)


def _destination(configured: Sequence[Destination], text: str) -> Destination:
    """The destination that RECEIVER/NOTIFIER names. Both names may contain slashes; if two
    destinations match, neither is chosen."""
    found = [one for one in configured if f"{one.receiver}/{one.notifier}" == text]
    if len(found) == 1:
        return found[0]
    if found:
        which = " or ".join(f"{one.notifier!r} of receiver {one.receiver!r}" for one in found)
        message = f"{text!r} is ambiguous: {which}; rename one of them"
    else:
        names = ", ".join(f"{one.receiver}/{one.notifier}" for one in configured)
        message = f"{text!r} is not configured; choose one of {names}"
    raise click.BadParameter(message, param_hint="--to")


async def _require_configured(
    outbox: Outbox, delivery: int, configured: Sequence[Destination]
) -> None:
    """Raises ValueError for a delivery whose notifier no longer exists: nothing would send it."""
    found = await outbox.show(delivery)
    if found is not None and found[0].destination not in configured:
        to = found[0].destination
        raise ValueError(
            f"{to.receiver}/{to.notifier} is not configured; choose another notifier with --to"
        )


async def _apply(
    outbox: Outbox,
    ids: Sequence[int] | None,
    work: Callable[[Outbox, int], Awaitable[dict[str, object]]],
) -> list[dict[str, object]]:
    """The result or the error for each delivery; None means every dead one."""
    if ids is None:
        dead = await outbox.deliveries(DeliveryFilter(State.DEAD), limit=_ALL)
        ids = [row.id for row in reversed(dead)]  # a lane is replayed in its order
    results: list[dict[str, object]] = []
    for delivery in ids:
        try:
            result = await work(outbox, delivery)
        except LookupError:
            result = {"error": f"there is no delivery {delivery}"}
        except ValueError as error:
            result = {"error": str(error)}
        results.append({"id": delivery, **result})
    return results


def _report(ctx: click.Context, results: list[dict[str, object]], done: str, as_json: bool) -> None:
    """Write the results and exit."""
    failed = [result for result in results if "error" in result]
    if as_json:
        print_json({"deliveries": results})
    else:
        for result in results:
            if "error" in result:
                show_error(("error", "bold red"), f": {result['id']}: {result['error']}")
            elif "replayed_as" in result:
                show(join(f"{result['id']} replayed as {result['replayed_as']}"))
        show(f"{len(results) - len(failed)} {done}, {len(failed)} failed")
    ctx.exit(1 if failed else 0)


def _cells(row: DeliveryRow, now: float) -> list[str | Text]:
    why = _why(row)
    if why and row.due_at is not None and row.due_at > now:
        why += f"; next attempt {_age(row.due_at, now)}"
    return [
        str(row.id),
        styled(row.state.value, _STYLES[row.state]),
        row.destination.receiver,
        row.destination.notifier,
        str(len(row.fingerprints)),
        _age(row.accepted_at, now),
        str(row.attempts),
        why,
    ]


def _details(row: DeliveryRow, now: float) -> list[Text]:
    """Everything about a delivery, one line per field."""
    fields: dict[str, str | Text] = {
        "delivery": str(row.id),
        "state": styled(row.state.value, _STYLES[row.state]),
        "receiver": row.destination.receiver,
        "notifier": row.destination.notifier,
        "group": row.group,
        "alerts": ", ".join(row.fingerprints),
        "accepted": _moment(row.accepted_at, now),
        "settled": _moment(row.settled_at, now),
        "next attempt": _moment(row.due_at, now),
        "attempts": str(row.attempts),
        "why": _why(row),
    }
    return [join((f"{name:<13}", "bold"), value) for name, value in fields.items() if value]


def _why(row: DeliveryRow) -> str:
    return ": ".join(part for part in (row.reason, row.message) if part)


def _moment(moment: float | None, now: float) -> str:
    return f"{iso(moment)} ({_age(moment, now)})" if moment is not None else ""


def _age(moment: float, now: float) -> str:
    """`5m ago` or `in 5m`."""
    seconds = abs(now - moment)
    size, unit = next(
        (it for it in ((86400, "d"), (3600, "h"), (60, "m")) if seconds >= it[0]), (1, "s")
    )
    amount = f"{seconds / size:.0f}{unit}"
    return f"{amount} ago" if moment <= now else f"in {amount}"
