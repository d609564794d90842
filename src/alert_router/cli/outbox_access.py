"""Short access to the outbox of a configuration, also beside a running router."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from alert_router.config import Config, default_config_path, load
from alert_router.outbox.base import Outbox, StoreUnavailable
from alert_router.outbox.model import Role
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
    if not path.exists():
        raise click.ClickException(
            f"there is no store at {path}: start the router with this configuration first"
        )
    return path


def with_outbox(config: Config, work: Callable[[Outbox], Awaitable[T]]) -> T:
    """The result of `work` on the outbox of this configuration, which is closed afterwards.
    Raises ClickException."""
    if not config.storage.url:
        existing_store(config)

    async def run() -> T:
        outbox = await open_outbox(config.storage, Role.COMMAND)
        try:
            return await work(outbox)
        finally:
            await outbox.close()

    try:
        return asyncio.run(run())
    except (StoreUnavailable, OSError) as error:
        raise click.ClickException(f"cannot use the store: {error}") from None
