"""`alert-router deliveries`: look at the store's deliveries, replay them, discard them.

A second process on the store of a running router: each call is one short transaction. What may
be replayed or discarded is the store's to say.
"""

import sys
import time
from pathlib import Path

import click

from alert_router.cli import CONFIG
from alert_router.cli.deliveries_view import body_text, deliveries_table, details
from alert_router.cli.group import InOrder
from alert_router.cli.output import count, join, output_option, print_json, show, tell
from alert_router.cli.store import read_config, read_dead, read_rows, tried, with_store
from alert_router.config import Config
from alert_router.outbox.as_json import row_as_json
from alert_router.outbox.model import DeliveryRow, Destination, State
from alert_router.outbox.sqlite import SqliteOutbox

IDS = click.argument("ids", nargs=-1, type=click.IntRange(min=1), metavar="ID...")


@click.group(cls=InOrder)
def deliveries() -> None:
    """What waits, what was delivered, what is dead; and what to do about it."""


@deliveries.command("list")
@CONFIG
@click.option(
    "--state", type=click.Choice([state.value for state in State]), help="Only those in this state."
)
@click.option("--receiver", help="Only those of this receiver.")
@click.option("--notifier", help="Only those of notifiers of this name.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many."
)
@output_option
def list_(
    config: Path | None,
    state: str | None,
    receiver: str | None,
    notifier: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List deliveries, newest first. Exit 0, however many there are."""

    def is_wanted(row: DeliveryRow) -> bool:
        wanted = row.destination
        return receiver in (None, wanted.receiver) and notifier in (None, wanted.notifier)

    async def read(outbox: SqliteOutbox) -> list[DeliveryRow]:
        return await read_rows(outbox, State(state) if state else None, is_wanted, limit)

    rows = with_store(read_config(config), read)
    if as_json:
        print_json({"deliveries": [row_as_json(row) for row in rows]})
    elif rows:
        show(deliveries_table(rows, time.time()))
        if len(rows) == limit:
            tell(f"the newest {limit}; --limit shows more")
    else:
        show("no deliveries")


@deliveries.command("show")
@CONFIG
@click.argument("delivery", type=click.IntRange(min=1), metavar="ID")
@output_option
@click.pass_context
def show_(ctx: click.Context, config: Path | None, delivery: int, as_json: bool) -> None:
    """Show the delivery ID and the body of its group. Exit 1 if there is none."""
    found = with_store(read_config(config), lambda outbox: outbox.show(delivery))
    if found is None:
        tell(f"there is no delivery {delivery}")
        ctx.exit(1)
    row, body = found
    if as_json:
        print_json(row_as_json(row) | {"body": body_text(body, parsed=True)})
    else:
        show(details(row, time.time()), "", body_text(body, parsed=False))


@deliveries.command()
@CONFIG
@IDS
@click.option("--all-dead", is_flag=True, help="Every dead delivery, oldest first.")
@click.option(
    "--to", metavar="RECEIVER/NOTIFIER", help="Send there instead, wherever it was to go first."
)
@click.option(
    "--force", is_flag=True, help="Even where the same group has since told something newer."
)
@output_option
@click.pass_context
def replay(
    ctx: click.Context,
    config: Path | None,
    ids: tuple[int, ...],
    all_dead: bool,
    to: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Send dead or delivered deliveries again, each as a new one at the end of its lane.

    Exit 0: all will be sent again; 1: some could not be.
    """
    if bool(ids) == all_dead:
        raise click.UsageError("give the IDs of deliveries, or --all-dead")
    loaded = read_config(config)
    known = _destinations(loaded)
    target = _destination(known, to) if to is not None else None

    async def work(outbox: SqliteOutbox) -> list[dict[str, object]]:
        async def one(delivery: int) -> dict[str, object]:
            if target is None and not force:
                await _refuse_unknown(outbox, delivery, known)
            now = time.time()
            return {"replayed_as": await outbox.replay(delivery, now=now, to=target, force=force)}

        chosen = await read_dead(outbox) if all_dead else list(ids)
        return [await tried(delivery, one) for delivery in chosen]

    results = with_store(loaded, work)
    _report(ctx, results, "replayed", as_json)


@deliveries.command()
@CONFIG
@IDS
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@click.pass_context
def discard(
    ctx: click.Context, config: Path | None, ids: tuple[int, ...], yes: bool, as_json: bool
) -> None:
    """Drop dead or waiting deliveries for good; nobody will get them.

    Asks first on a terminal; elsewhere --yes is needed. Exit 1: some could not be dropped.
    """
    if not ids:
        raise click.UsageError("give the IDs of deliveries")
    loaded = read_config(config)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody can be asked here; say --yes")
        click.confirm(f"Discard {count(len(ids), 'delivery', 'deliveries')}?", abort=True, err=True)

    async def work(outbox: SqliteOutbox) -> list[dict[str, object]]:
        async def one(delivery: int) -> dict[str, object]:
            await outbox.discard(delivery, now=time.time())
            return {"discarded": True}

        return [await tried(delivery, one) for delivery in ids]

    results = with_store(loaded, work)
    _report(ctx, results, "discarded", as_json)


def _destinations(config: Config) -> list[Destination]:
    """The configured notifiers."""
    return [
        Destination(receiver.name, notifier.identity)
        for receiver in config.receivers
        for notifier in receiver.notifiers
    ]


def _destination(known: list[Destination], text: str) -> Destination:
    """The one that RECEIVER/NOTIFIER names. Either may hold a slash itself, so that it may name
    two: then whom to wake is not for us to choose."""
    found = [one for one in known if f"{one.receiver}/{one.notifier}" == text]
    if not found:
        names = ", ".join(f"{one.receiver}/{one.notifier}" for one in known)
        raise click.BadParameter(f"{text!r} is none of {names}", param_hint="--to")
    if len(found) > 1:
        which = " or ".join(f"{one.notifier!r} of receiver {one.receiver!r}" for one in found)
        message = f"{text!r} may be {which}: give one of them another name"
        raise click.BadParameter(message, param_hint="--to")
    return found[0]


async def _refuse_unknown(outbox: SqliteOutbox, delivery: int, known: list[Destination]) -> None:
    """Raises ValueError for a delivery that would only wait again, since nothing sends it."""
    found = await outbox.show(delivery)
    if found is not None and found[0].destination not in known:
        gone = found[0].destination
        raise ValueError(
            f"{gone.receiver}/{gone.notifier} is not in the configuration: --to sends it elsewhere"
        )


def _report(ctx: click.Context, results: list[dict[str, object]], done: str, as_json: bool) -> None:
    failed = [result for result in results if "error" in result]
    if as_json:
        print_json({"deliveries": results})
    else:
        for result in results:
            if "error" in result:
                tell(("error", "bold red"), f": {result['id']}: {result['error']}")
            elif "replayed_as" in result:
                show(join(f"{result['id']} goes again as {result['replayed_as']}"))
        show(f"{len(results) - len(failed)} {done}, {len(failed)} failed")
    ctx.exit(1 if failed else 0)
