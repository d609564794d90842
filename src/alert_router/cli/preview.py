"""`alert-router preview`: what each destination would be sent for a payload.

Routed, enriched and rendered by the router's own code; nothing is stored, nothing is sent and
no secret is read.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click
import structlog

from alert_router.alert import AlertGroup, PayloadError
from alert_router.cli import CONFIG
from alert_router.cli.output import (
    clean_lines,
    console,
    join,
    output_option,
    print_json,
    show,
    tell,
)
from alert_router.cli.unwanted import UNWANTED
from alert_router.config import default_config_path
from alert_router.deliver import attempt
from alert_router.deliver.fold import fold
from alert_router.deliver.wanted import wanted
from alert_router.notify import AnyNotifier, ConsoleNotifier, Notifier
from alert_router.notify.terminal import write
from alert_router.outbox.model import Claim, Destination, WaitingGroup
from alert_router.pipeline import Source, to_store
from alert_router.service.snapshot import Snapshot, read


@dataclass(frozen=True, slots=True)
class Preview:
    """What one destination would be sent; `payload` is None where it would be sent nothing,
    since the notifier's key `unwanted` leaves nothing."""

    destination: Destination
    notifier: Notifier
    payload: Any
    unwanted: str = ""


def _types() -> dict[str, type[Notifier]]:
    """The notifiers there are, by type: the members of the union."""
    members: tuple[type[Notifier], ...] = get_args(get_args(AnyNotifier)[0])
    return {member.model_fields["type"].default: member for member in members}


@click.command()
@CONFIG
@click.argument("payload", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--receiver", help="As if posted to /webhook/RECEIVER.")
@click.option("--notifier", help="Only for notifiers of this name.")
@click.option(
    "--type",
    "type_",
    type=click.Choice(sorted(_types())),
    help="As if each receiver had one notifier of this type, with the type's defaults.",
)
@output_option
@click.pass_context
def preview(
    ctx: click.Context,
    config: Path | None,
    payload: Path,
    receiver: str | None,
    notifier: str | None,
    type_: str | None,
    as_json: bool,
) -> None:
    """Show what each destination would be sent for the webhook body in the file PAYLOAD (- is
    standard input).

    Sends nothing and reads no secret. Exit 1: the body is no alert group.
    """
    if notifier and type_:
        raise click.UsageError("give one of --notifier and --type")
    # What cannot be enriched or rendered is logged: not among what is shown.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    snapshot = read(config or default_config_path())
    receivers = snapshot.state.receivers.notifiers
    if receiver is not None and receiver not in receivers:
        raise click.BadParameter(
            f"{receiver!r} is none of {', '.join(receivers)}", param_hint="--receiver"
        )
    raw = _read(payload)
    try:
        previews = make(raw, snapshot, receiver or "", type_)
    except PayloadError as error:
        tell(f"{payload}: not an alert group: {clean_lines(str(error))}")
        ctx.exit(1)
    previews = [one for one in previews if notifier in (None, one.destination.notifier)]
    if as_json:
        print_json([_as_json(one) for one in previews])
    elif previews:
        for one in previews:
            _show(one)
    else:
        show("no notifier would be sent anything")


def make(raw: bytes, snapshot: Snapshot, receiver: str, type_: str | None) -> list[Preview]:
    """The previews of a body, in the order of its receivers. Raises PayloadError."""
    group = AlertGroup.from_bytes(raw)
    stored = to_store(group, raw, Source(receiver), snapshot.state.receivers, time.time())
    targets = {target.destination: target.fingerprints for target in stored.targets}
    notifiers: dict[Destination, Notifier] = dict(snapshot.notifiers)
    if type_ is not None:
        routed = snapshot.state.receivers.choose(group, receiver)
        notifiers = {Destination(name, type_): _of_type(type_) for name in routed}
        targets = {
            Destination(name, type_): tuple(alert.fingerprint for alert in alerts)
            for name, alerts in routed.items()
        }
    return [
        _preview(
            Claim(
                id=stored.id,
                lane=0,
                fence=0,
                destination=destination,
                groups=(WaitingGroup(0, stored.id, raw, fingerprints, stored.accepted_at),),
                attempt=1,
            ),
            notifiers[destination],
            snapshot,
        )
        for destination, fingerprints in targets.items()
    ]


def _preview(claim: Claim, notifier: Notifier, snapshot: Snapshot) -> Preview:
    group = wanted(fold(claim.groups), notifier, snapshot.desk.scale)
    if isinstance(group, str):
        return Preview(claim.destination, notifier, None, group)
    notification = attempt.write(claim, group, notifier, snapshot.desk)
    notification, _ = attempt.word(notification, notifier)
    payload, _ = attempt.render(notification, notifier, attempt.most_detail(claim))
    return Preview(claim.destination, notifier, payload)


def _of_type(type_: str) -> Notifier:
    """A notifier of that type with its defaults: never validated, so that it needs no secret
    and no address; it renders, and cannot send."""
    return _types()[type_].model_construct(type=type_)


def _read(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None


def _as_json(one: Preview) -> dict[str, Any]:
    return {
        "receiver": one.destination.receiver,
        "notifier": one.destination.notifier,
        "type": one.notifier.type,
        "payload": None if one.payload is None else one.notifier.readable(one.payload),
    }


def _show(one: Preview) -> None:
    to = f"{one.destination.receiver}/{one.destination.notifier}"
    show(join(("── ", "dim"), (to, "bold"), f" ({one.notifier.type})", (" ──", "dim")))
    if one.payload is None:
        reason = UNWANTED[one.unwanted]
        show(join((f"nothing: it wants {reason}", "dim")))
    elif isinstance(one.notifier, ConsoleNotifier) and console().is_terminal:
        write(one.payload, one.notifier.timeout)
    else:
        data = one.notifier.readable(one.payload)
        pretty = data if isinstance(data, str) else json.dumps(data, indent=2, ensure_ascii=False)
        show(clean_lines(pretty))
