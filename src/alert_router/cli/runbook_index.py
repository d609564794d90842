"""`alert-router runbook index`: the page that lists the runbooks, made anew or checked.

What it says is `runbook.generate`'s.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import click

from alert_router.cli import CONFIG
from alert_router.cli.output import clean, count, join, output_option, print_json, show, tell
from alert_router.config import default_config_path, load
from alert_router.runbook import Catalogue
from alert_router.runbook.generate import audit_of, index_page, is_index
from alert_router.runbook.review_dates import parse_date, parse_interval

_NAME = "README.md"


def _date(_ctx: click.Context, _param: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    today = datetime.now(UTC).date()
    found = today if value == "today" else parse_date(value)
    if found is None or found > today:
        raise click.BadParameter(f"{value!r} is no date up to today, such as {today}")
    return found


def _interval(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not parse_interval(value):
        raise click.BadParameter(f"{value!r} is no interval, such as 90d")
    return value


@click.command("index")
@CONFIG
@click.argument("path", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the page is not current.")
@click.option(
    "--audited",
    metavar="DATE",
    callback=_date,
    help="All runbooks were gone through together on that day (2026-01-31, or `today`).",
)
@click.option(
    "--audit-interval", metavar="TIME", callback=_interval, help="How often they are to be: 90d."
)
@click.option("--force", is_flag=True, help="Replace a page that was written by hand.")
@output_option
@click.pass_context
def index_(
    ctx: click.Context,
    config: Path | None,
    path: Path | None,
    check: bool,
    audited: date | None,
    audit_interval: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write README.md into the runbooks' directory: an index of all, with owners and reviews.

    The directory is PATH, or the configuration's. The page keeps the date of the last audit.
    Exit 1: the page is not current (--check), or was written by hand.
    """
    catalogue = Catalogue.load(path or load(config or default_config_path()).config.runbooks.path)
    page = catalogue.root / _NAME
    try:
        old = page.read_text(encoding="utf-8")
    except FileNotFoundError:
        old = ""
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"cannot read {clean(str(page))}: {error}") from None
    audit = audit_of(old)
    audit = replace(audit, last=audited or audit.last, interval=audit_interval or audit.interval)
    new = index_page(catalogue, audit)
    told = {"file": str(page), "runbooks": len(catalogue.runbooks), "was_current": old == new}
    if check:
        if as_json:
            print_json(told)
        ctx.exit(_compare(page, old, new))
    if old and not is_index(old) and not force:
        raise click.ClickException(
            f"{clean(str(page))} was written by hand; --force replaces it, and it is lost"
        )
    if old != new:
        try:
            page.write_text(new, encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"cannot write {page}: {error.strerror}") from None
    if as_json:
        print_json(told)
    else:
        show(join((str(page), "bold"), f"  {count(len(catalogue.runbooks), 'runbook')}"))


def _compare(page: Path, old: str, new: str) -> int:
    """0 where the page is as it would be made; else 1, with the first line that is not."""
    if old == new:
        return 0
    before, after = old.splitlines(), new.splitlines()
    place = next(
        (
            number
            for number, pair in enumerate(zip(before, after, strict=False))
            if len(set(pair)) > 1
        ),
        min(len(before), len(after)),
    )
    tell(
        join(
            (f"{page}:{place + 1}", "bold"),
            ": not current; `alert-router runbook index` makes it so",
        )
    )
    for mark, lines, colour in (("-", before, "red"), ("+", after, "green")):
        if place < len(lines):
            tell((f"  {mark} {lines[place]}", colour))
    return 1
