"""Short access to the outbox of a configuration, also beside a running router."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from alert_router.config import Config, default_config_path, load
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import Role, Storage, parse_storage
from alert_router.outbox.opening import open_outbox

T = TypeVar("T")


def read_config(path: Path | None) -> Config:
    """The configuration at `path`, or at the default path. Raises ProblemsError."""
    return load(path or default_config_path()).config


def existing_store(config: Config) -> Path:
    """The path of a store on SQLite. Raises ClickException if it does not exist."""
    path = config.storage.path
    if config.storage.url:
        raise click.ClickException(
            "the store is a PostgreSQL database: back it up and restore it with PostgreSQL's tools"
        )
    _require_file(path)
    return path


def _require_file(path: Path) -> None:
    if not path.exists():
        raise click.ClickException(
            f"there is no store at {path}: start the router with this configuration first"
        )


def with_outbox(
    config: Config, work: Callable[[Outbox], Awaitable[T]], storage: Storage | None = None
) -> T:
    """The result of `work` on the outbox of this configuration or on another one, which is closed
    afterwards. Raises ClickException."""
    chosen = storage or config.storage
    if not chosen.url:
        _require_file(chosen.path)

    async def run() -> T:
        outbox = await open_outbox(chosen, Role.COMMAND)
        try:
            return await work(outbox)
        finally:
            await outbox.close()

    try:
        return asyncio.run(run())
    except (StoreUnavailable, OSError) as error:
        text = f"cannot use the store: {error}"
        if chosen.url and config.storage.path.exists():
            text += f"\nfor what this router has accepted since then, add {_as_option(config)}"
        raise click.ClickException(text) from None


def hint_of_spool(config: Config) -> str:
    """How many deliveries are pending in the spool of this machine's router, and how to read them;
    "" where there are none."""
    spool = config.storage.path
    if not config.storage.url or not spool.exists():
        return ""
    try:
        backlog = with_outbox(config, lambda outbox: outbox.backlog(), Storage(spool))
    except click.ClickException as error:
        return f"the spool of this router: {error.message}"
    waiting = sum(row.waiting for row in backlog)
    return f"{waiting} more in the spool of this router: add {_as_option(config)}" * bool(waiting)


def _as_option(config: Config) -> str:
    return f"--storage sqlite:///{config.storage.path.absolute()}"


def as_storage(text: str, name: str) -> Storage:
    """The store at a URL, whose relative paths begin here. Raises BadParameter for the parameter
    of that name."""
    try:
        return parse_storage(text, Path())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=name) from None
