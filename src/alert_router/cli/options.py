"""Options and arguments that several commands share."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from alert_router.preview.sample_alert import make_alert, make_group

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


def read_body(
    ctx: click.Context, what: tuple[str, ...], annotations: Mapping[str, str], *, resolved: bool
) -> bytes:
    """The body that the argument `what` of a command means: a payload file, `-` for standard
    input, or the labels of a test alert."""
    is_file = len(what) == 1 and (what[0] == "-" or "=" not in what[0] or Path(what[0]).is_file())
    if not is_file:
        parameter = next(param for param in ctx.command.params if param.name == "what")
        labels = {"alertname": "TestAlert"} | label_pairs(ctx, parameter, what)
        alert = make_alert(labels, annotations, resolved=resolved)
        return json.dumps(make_group(alert, "alert-router-send").as_json()).encode()
    if annotations or resolved:
        raise click.UsageError("--annotation and --resolved require LABEL=VALUE arguments")
    if what[0] == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(what[0]).read_bytes()
    except OSError as error:
        hint = "" if "=" in what[0] else "; for a test alert write LABEL=VALUE"
        raise click.UsageError(f"cannot read {what[0]!r}: {error.strerror}{hint}") from None
