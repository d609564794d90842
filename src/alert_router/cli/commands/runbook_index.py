"""`alert-router runbook index`: write or check the page that lists all runbooks."""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import zip_longest
from pathlib import Path

import click

from alert_router.cli.options import config_option, json_option
from alert_router.cli.output import clean, count, join, print_json, show, show_error
from alert_router.config import default_config_path, load
from alert_router.runbook import Catalogue
from alert_router.runbook.generate import audit_of, index_page, is_index
from alert_router.runbook.metadata import parse_date, parse_interval

_FILE_NAME = "README.md"


def _date(_ctx: click.Context, _param: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    today = datetime.now(UTC).date()
    found = today if value == "today" else parse_date(value)
    if found is None or found > today:
        raise click.BadParameter(f"{value!r} is not a date up to today, for example {today}")
    return found


def _interval(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not parse_interval(value):
        raise click.BadParameter(f"{value!r} is not an interval, for example 90d")
    return value


@click.command("index")
@config_option
@click.argument("path", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if the page is outdated.")
@click.option(
    "--audited",
    metavar="DATE",
    callback=_date,
    help="Date on which all runbooks were reviewed together: 2026-01-31 or `today`.",
)
@click.option(
    "--audit-interval",
    metavar="TIME",
    callback=_interval,
    help="Time between two such reviews, for example 90d.",
)
@click.option("--force", is_flag=True, help="Replace a page that was written by hand.")
@json_option
@click.pass_context
def index_command(
    ctx: click.Context,
    config: Path | None,
    path: Path | None,
    check: bool,
    audited: date | None,
    audit_interval: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write README.md into the directory of the runbooks: all runbooks, owners and review dates.

    The directory is PATH, or the one in the configuration. The page keeps the date of the last
    audit. Exit 1: the page is outdated (--check), or was written by hand.
    """
    catalogue = Catalogue.load(path or load(config or default_config_path()).config.runbooks.path)
    page = catalogue.root / _FILE_NAME
    try:
        old = page.read_text(encoding="utf-8")
    except FileNotFoundError:
        old = ""
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"cannot read {clean(str(page))}: {error}") from None
    audit = audit_of(old)
    audit = replace(audit, last=audited or audit.last, interval=audit_interval or audit.interval)
    new = index_page(catalogue, audit)
    number = len(catalogue.runbooks)
    if not check:
        _write(page, old, new, force=force)
    if as_json:
        print_json({"file": str(page), "runbooks": number, "was_current": old == new})
    elif not check:
        show(join((str(page), "bold"), f"  {count(number, 'runbook')}"))
    if check and old != new:
        _show_difference(page, old, new)
        ctx.exit(1)


def _write(page: Path, old: str, new: str, *, force: bool) -> None:
    if old and not is_index(old) and not force:
        raise click.ClickException(
            f"{clean(str(page))} was written by hand; use --force to overwrite it"
        )
    if old != new:
        try:
            page.write_text(new, encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"cannot write {page}: {error.strerror}") from None


def _show_difference(page: Path, old: str, new: str) -> None:
    """Write the first line that differs to standard error."""
    lines = zip_longest(old.splitlines(keepends=True), new.splitlines(keepends=True), fillvalue="")
    number, before, after = next(
        (number, *pair) for number, pair in enumerate(lines, 1) if pair[0] != pair[1]
    )
    show_error((f"{page}:{number}", "bold"), ": outdated; run `alert-router runbook index`")
    if before:
        show_error((f"  - {before.rstrip()}", "red"))
    if after:
        show_error((f"  + {after.rstrip()}", "green"))
