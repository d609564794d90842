"""`alert-router deliveries`: look at the store's deliveries, replay them, discard them.

A second process on the store of a running router: each call is one short transaction. What may
be replayed or discarded is the store's to say.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click

from alert_router.cli import CONFIG
from alert_router.cli.deliveries_view import body_text, deliveries_table, details, row_as_json
from alert_router.cli.group import InOrder
from alert_router.cli.output import count, join, output_option, print_json, show, tell
from alert_router.config import Config, default_config_path, load
from alert_router.outbox.base import DeliveryRow, Destination, State, StoreUnavailable
from alert_router.outbox.sqlite import SqliteOutbox

T = TypeVar("T")

_PAGE = 500  # rows read at a time

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
        return await _rows(outbox, State(state) if state else None, is_wanted, limit)

    rows = _with_store(_config(config), read)
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
    found = _with_store(_config(config), lambda outbox: outbox.show(delivery))
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
    loaded = _config(config)
    target = _destination(loaded, to) if to is not None else None

    async def work(outbox: SqliteOutbox) -> list[dict[str, object]]:
        async def one(delivery: int) -> dict[str, object]:
            now = time.time()
            return {"replayed_as": await outbox.replay(delivery, now=now, to=target, force=force)}

        chosen = await _dead(outbox) if all_dead else list(ids)
        return [await _tried(delivery, one) for delivery in chosen]

    results = _with_store(loaded, work)
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
    loaded = _config(config)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("nobody can be asked here; say --yes")
        click.confirm(f"Discard {count(len(ids), 'delivery', 'deliveries')}?", abort=True, err=True)

    async def work(outbox: SqliteOutbox) -> list[dict[str, object]]:
        async def one(delivery: int) -> dict[str, object]:
            await outbox.discard(delivery, now=time.time())
            return {"discarded": True}

        return [await _tried(delivery, one) for delivery in ids]

    results = _with_store(loaded, work)
    _report(ctx, results, "discarded", as_json)


def _config(path: Path | None) -> Config:
    return load(path or default_config_path()).config


def _with_store(config: Config, work: Callable[[SqliteOutbox], Awaitable[T]]) -> T:
    """What `work` returns, on the store of this configuration, which is left closed."""
    path = config.storage.path
    if not path.exists():
        raise click.ClickException(
            f"there is no store at {path}: the router has not run with this configuration yet"
        )

    async def run() -> T:
        outbox = await asyncio.to_thread(SqliteOutbox.open, path, exclusive=False)
        try:
            return await work(outbox)
        finally:
            await outbox.close()

    try:
        return asyncio.run(run())
    except (StoreUnavailable, OSError) as error:
        raise click.ClickException(f"cannot use the store at {path}: {error}") from None


async def _rows(
    outbox: SqliteOutbox,
    state: State | None,
    is_wanted: Callable[[DeliveryRow], bool],
    limit: int | None,
) -> list[DeliveryRow]:
    """Up to `limit` wanted rows, newest first, read page by page."""
    found: list[DeliveryRow] = []
    before: int | None = None
    while limit is None or len(found) < limit:
        page = await outbox.list(state=state, limit=_PAGE, before=before)
        found += filter(is_wanted, page)
        if len(page) < _PAGE:
            break
        before = page[-1].id
    return found[:limit]


async def _dead(outbox: SqliteOutbox) -> Iterable[int]:
    """The dead deliveries, oldest first, so that a lane is replayed in its order."""
    rows = await _rows(outbox, State.DEAD, lambda _row: True, None)
    return [row.id for row in reversed(rows)]


async def _tried(
    delivery: int, one: Callable[[int], Awaitable[dict[str, object]]]
) -> dict[str, object]:
    """The result of one delivery: what was done, or why it could not be."""
    try:
        return {"id": delivery, **await one(delivery)}
    except LookupError:
        return {"id": delivery, "error": f"there is no delivery {delivery}"}
    except ValueError as error:
        return {"id": delivery, "error": str(error)}


def _destination(config: Config, text: str) -> Destination:
    """The configured notifier that RECEIVER/NOTIFIER names; either may hold a slash itself."""
    known = {
        f"{receiver.name}/{notifier.identity}": Destination(receiver.name, notifier.identity)
        for receiver in config.receivers
        for notifier in receiver.notifiers
    }
    if text not in known:
        raise click.BadParameter(f"{text!r} is none of {', '.join(known)}", param_hint="--to")
    return known[text]


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
