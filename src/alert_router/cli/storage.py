"""`alert-router storage`: back up the store and restore it."""

from pathlib import Path

import click

from alert_router.cli import CONFIG
from alert_router.cli.group import InOrder
from alert_router.cli.output import join, output_option, print_json, show
from alert_router.cli.store import read_config
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.sqlite.copies import restore
from alert_router.outbox.sqlite.opening import back_up

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")


@click.group(cls=InOrder)
def storage() -> None:
    """Back up the store, or restore it."""


@storage.command("backup")
@CONFIG
@FILE
@output_option
def backup_(config: Path | None, file: Path, as_json: bool) -> None:
    """Write a copy of the store to FILE, a new file, while the router runs or not.

    The copy has everything that was accepted before. Exit 1: it could not be made.
    """
    store = read_config(config).storage.path
    if not store.exists():
        raise click.ClickException(
            f"there is no store at {store}: the router has not run with this configuration yet"
        )
    try:
        back_up(store, file)
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from None
    size = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        show(join(f"wrote {file}, {size:,} bytes"))


@storage.command("restore")
@CONFIG
@FILE
@output_option
def restore_(config: Path | None, file: Path, as_json: bool) -> None:
    """Put the copy FILE in the place of the store; the router must be stopped.

    The present store is kept beside it. Exit 1: the copy is damaged, or the store is in use.
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
            show(join(f"the store before is kept as {kept}"))
