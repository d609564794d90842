"""`alert-router storage`: back up the store, or restore it."""

from pathlib import Path

import click

from alert_router.cli.lazy_group import LazyGroup
from alert_router.cli.options import config_option, json_option
from alert_router.cli.outbox_access import existing_store, read_config
from alert_router.cli.output import join, print_json, show
from alert_router.outbox.base import StoreUnavailable
from alert_router.outbox.sqlite.copies import restore
from alert_router.outbox.sqlite.opening import back_up

_file_argument = click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE"
)


@click.group(cls=LazyGroup)
def storage() -> None:
    """Back up the store, or restore it."""


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
