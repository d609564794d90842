"""`alert-router init`: write the two configuration files, from three answers."""

import json
import os
import sys
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from alert_router.cli.options import json_option
from alert_router.cli.output import clean, count, join, print_json, show
from alert_router.config import default_config_path
from alert_router.fields import ExternalUrl
from alert_router.runbook import Catalogue

# The types that need nothing but one secret, and its key.
_SECRETS = {
    "console": "",
    "slack": "url",
    "teams": "url",
    "discord": "url",
    "mattermost": "url",
    "googlechat": "url",
    "pagerduty": "routing_key",
    "webhook": "url",
}
_SECRETS_DIRECTORY = "/run/secrets/alert-router"
_DEFAULT_RUNBOOKS = "runbooks"

_MAIN = """\
# Alert Router's main configuration. Paths are relative to this file. docs/configuration.md has all
# keys. `alert-router check` reports mistakes with their place.
http:
  # Links in messages start with this: use an address that their readers can open.
  external_url: {external_url}
storage: sqlite:///alert-router.db
runbooks:
  path: {runbooks}
routing: routing.yaml
receivers:
  - name: default
    notifiers:
      - type: {type}
"""
_ROUTING = """\
# Which runbook an alert gets, and who is notified. `alert-router route test LABEL=VALUE...`
# explains both for one alert.

# The first entry that matches. Without one: the runbook that the alert's `runbook` or `runbook_url`
# annotation names, then the runbook named like the alert.
runbooks: []
#  - matchers: ['alertname=~"Redis.*"']
#    runbook: alerts/redis-issues

# As in Alertmanager.
route:
  receiver: default
"""


def _external_url(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        return TypeAdapter[str](ExternalUrl).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise click.BadParameter(f"{value!r}: {reason}") from None


class _Question(click.Option):
    """An option that is asked for on a terminal, and has its default elsewhere."""

    def prompt_for_value(self, ctx: click.Context) -> object:
        return super().prompt_for_value(ctx) if sys.stdin.isatty() else self.get_default(ctx)


@click.command()
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Main file to write. Default: $ALERT_ROUTER_CONFIG, config/alert-router.yaml.",
)
@click.option(
    "--runbooks",
    cls=_Question,
    prompt="Directory of your runbooks",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=_DEFAULT_RUNBOOKS,
    show_default=True,
    metavar="DIR",
    help="Directory of the runbooks.",
)
@click.option(
    "--type",
    "type_",
    cls=_Question,
    prompt="Where should messages go",
    type=click.Choice(list(_SECRETS)),
    default="console",
    show_default=True,
    help="Type of the destination. Others: docs/notifiers.",
)
@click.option(
    "--external-url",
    cls=_Question,
    prompt="URL under which people open this router",
    callback=_external_url,
    default="http://localhost:9095",
    show_default=True,
    metavar="URL",
    help="URL that links in messages start with.",
)
@json_option
def init(config: Path | None, runbooks: Path, type_: str, external_url: str, as_json: bool) -> None:
    """Write a configuration: the main file, and routing.yaml beside it.

    Asks for what is not given, if standard input is a terminal. Never overwrites a file. Exit 1:
    one of the files exists, or cannot be written.
    """
    main = config or default_config_path()
    routing = main.with_name("routing.yaml")
    relative = os.path.relpath(runbooks.resolve(), main.parent.resolve())
    text = _MAIN.format(
        external_url=json.dumps(external_url), runbooks=json.dumps(relative), type=type_
    )
    secret = _SECRETS[type_]
    secret_file = f"{_SECRETS_DIRECTORY}/{type_}-{secret.replace('_', '-')}" if secret else None
    if secret_file:
        text += f"        {secret}_file: {secret_file}\n"
    _write({main: text, routing: _ROUTING})
    if as_json:
        print_json({"files": [str(main), str(routing)], "secret_file": secret_file})
        return
    show(*(join(("created ", "dim"), (str(path), "bold")) for path in (main, routing)))
    number = len(Catalogue.load(runbooks).runbooks)
    show(f"{count(number, 'runbook')} in {clean(str(runbooks))}")
    if secret_file:
        show(
            f"Put the {secret.replace('_', ' ')} of {type_} into {secret_file}, or change its path."
        )
    option = f" --config {clean(str(main))}" if main != default_config_path() else ""
    show(
        "",
        f"alert-router check{option}",
        f"alert-router preview{option} alertname=KubePodCrashLooping namespace=prod pod=api-0",
        f"alert-router serve{option}",
    )


def _write(texts: dict[Path, str]) -> None:
    """Write all files or none."""
    for path in texts:
        if os.path.lexists(path):
            hint = "use it, remove it, or name another main file with --config"
            raise click.ClickException(f"{clean(str(path))} already exists; {hint}")
    written: list[Path] = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise click.ClickException(f"cannot write {clean(str(path))}: {error.strerror}") from None
