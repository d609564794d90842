"""Markdown pages that are made from templates beside this module. What they say is theirs."""

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def template(name: str, **filters: Callable[[str], str]) -> Template:
    """The template of that name. Nothing is escaped but by the filters: each value has to pass
    the one that makes it fit for its place."""
    made = Environment(
        loader=PackageLoader("alert_router.runbook", ""),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, not HTML
    )
    made.filters |= filters
    return made.get_template(name)
