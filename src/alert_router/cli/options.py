"""Options and arguments that several commands share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])

config_option = click.option(
    "--config",
    "-c",
    "config",
    type=click.Path(path_type=Path),
    help="Configuration file, or a directory of runbooks alone. Default: $ALERT_ROUTER_CONFIG, "
    "config/alert-router.yaml, /etc/alert-router/alert-router.yaml.",
)

json_option = click.option(
    "--output",
    "as_json",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    callback=lambda _ctx, _option, value: value == "json",
    help="Output format.",
)

strict_option = click.option(
    "--strict", is_flag=True, help="Treat warnings as findings: exit with 1."
)


def format_option(*formats: str) -> Callable[[CommandFunction], CommandFunction]:
    """`--output` with these formats, passed as `output`; the first is the default."""
    return click.option(
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Output format.",
    )


def label_pairs(
    _ctx: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, str]:
    """A click callback: NAME=VALUE arguments as a dict."""
    found: dict[str, str] = {}
    for text in values:
        # Bytes that are not UTF-8 become U+FFFD, as in a posted body.
        decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        name, equals, value = decoded.partition("=")
        if not equals or not name:
            raise click.BadParameter(
                f"{text!r}: expected NAME=VALUE, for example severity=critical", param=parameter
            )
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice", param=parameter)
        found[name] = value
    return found


annotation_option = click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="NAME=VALUE",
    callback=label_pairs,
    help="Annotation of the test alert. Repeatable.",
)

resolved_option = click.option(
    "--resolved", is_flag=True, help="Make the test alert resolved instead of firing."
)
