"""`alert-router storage`: back up the store, restore it, copy it, bring it up to date."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress

from alert_router.cli import LazyGroup
from alert_router.cli.options import config_option, json_option
from alert_router.cli.outbox_access import as_storage, existing_store, read_config
from alert_router.cli.output import join, print_json, show
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.sqlite.files import restore
from alert_router.outbox.sqlite.opening import back_up

_file_argument = click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE"
)


@click.group(cls=LazyGroup)
def storage() -> None:
    """Back up the store, restore it, copy it, or bring its tables up to date."""


@storage.command("backup")
@config_option
@_file_argument
@json_option
def backup_(config: Path | None, file: Path, as_json: bool) -> None:
    """Write a copy of the store to the new file FILE, also while the router runs.

    The copy contains everything that was accepted before. Exit 1: the backup failed.
    """
    store = existing_store(read_config(config))
    try:
        back_up(store, file)
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from None
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        show(join(f"written: {file}, {size:,} bytes"))


@storage.command("restore")
@config_option
@_file_argument
@json_option
def restore_(config: Path | None, file: Path, as_json: bool) -> None:
    """Replace the store with the copy FILE. The router must be stopped.

    The current store is kept beside it. Exit 1: the copy is damaged, or the store is in use.
    """
    store = read_config(config).storage.path
    try:
        kept = restore(store, file)
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json({"store": str(store), "kept": str(kept) if kept else None})
    else:
        show(join(f"restored {store} from {file}"))
        if kept is not None:
            show(join(f"the previous store is kept as {kept}"))


@storage.command("migrate")
@config_option
@json_option
def migrate_(config: Path | None, as_json: bool) -> None:
    """Bring the tables of the store up to date, as the router does when it starts.

    For those who let no service change tables: run it as their owner before an update. Exit 1: it
    failed.
    """
    # asyncpg is an extra.
    from alert_router.outbox.opening import migrate  # noqa: PLC0415

    steps = _run(migrate(read_config(config).storage))
    if as_json:
        print_json({"steps": steps})
    else:
        show("the tables are up to date")


@storage.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
def copy_(source: str, target: str, as_json: bool) -> None:
    """Copy the store FROM into the store TO, each sqlite:///FILE or postgresql://HOST/DATABASE.

    The routers of FROM must be stopped. What is in TO already stays: a copy that was interrupted
    goes on when it is run again. Exit 1: the copy failed.
    """
    from alert_router.outbox.opening import copy  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bar:
        task = bar.add_task("copying alert groups")
        done = _run(
            copy(
                as_storage(source, "FROM"),
                as_storage(target, "TO"),
                lambda some, total: bar.update(task, completed=some, total=total),
            )
        )
    if as_json:
        print_json({"alert_groups": done})
    else:
        show(f"copied: {done:,} alert groups")


T = TypeVar("T")


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (StoreUnavailable, OSError) as error:
        raise click.ClickException(str(error)) from None
