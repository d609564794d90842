"""What single values cannot tell: names given twice, receivers unused, secrets plain or missing.

What one file names in another is for `load`.
"""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from alert_router.config import codes
from alert_router.config.model import Config
from alert_router.fields import Secret
from alert_router.model.problem import Place, Problem, Severity
from alert_router.notify.egress import Guard
from alert_router.yaml_source import Document, Entry, Fields, Location, Text, children
from alert_router.yaml_source.mask import clip, is_secret


def defined_receivers(main: Document) -> dict[str, Place]:
    """The names of the receivers, with the place of each name; the first where one is twice."""
    found: dict[str, Place] = {}
    for node in children(main.root.get("receivers")):
        name = node.get("name") if isinstance(node, Fields) else None
        if isinstance(name, Text) and name.value:
            found.setdefault(name.value, name.place)
    return found


def name_problems(main: Document) -> Iterator[Problem]:
    """Receivers of one name, and notifiers of one name within a receiver."""
    defined = defined_receivers(main)
    for node in children(main.root.get("receivers")):
        if not isinstance(node, Fields):
            continue
        name = node.get("name")
        if isinstance(name, Text) and name.value and defined[name.value] != name.place:
            first = defined[name.value]
            message = f"two receivers are called `{clip(name.value)}`; the first is at {first}"
            hint = "give one of them another name"
            yield main.problem(codes.DUPLICATE_NAME, message, name.place, hint=hint)
        yield from _notifier_names(main, node)


def _notifier_names(main: Document, receiver: Fields) -> Iterator[Problem]:
    taken: dict[str, Place] = {}
    for node in children(receiver.get("notifiers")):
        if not isinstance(node, Fields):
            continue
        value = node.get("name") if node.text("name") else node.get("type")
        if not isinstance(value, Text) or not value.value:
            continue
        if value.value in taken:
            first = taken[value.value]
            message = f"two notifiers are called `{clip(value.value)}`; the first is at {first}"
            hint = "give each a `name` of its own: it is what the store knows it by"
            yield main.problem(codes.DUPLICATE_NAME, message, value.place, hint=hint)
        taken.setdefault(value.value, value.place)


def unused_receivers(main: Document, used: set[str]) -> Iterator[Problem]:
    """Receivers no route leads to; they can still be posted to by name."""
    for name, place in defined_receivers(main).items():
        if name not in used:
            message = f"no route leads to the receiver `{name}`"
            hint = f"only what is posted to /webhook/{name} reaches it"
            yield main.problem(
                codes.UNUSED_RECEIVER, message, place, hint=hint, severity=Severity.INFO
            )


def plain_secrets(main: Document, config: Config) -> Iterator[Problem]:
    """Secrets that stand in the file itself."""
    for location in _plain(config, ()):
        node, entry = main.find(location)
        place = entry.place if isinstance(entry, Entry) else node.place
        key = location[-1]
        message = f"`{key}` holds a secret in plain text"
        hint = f"put it into a file and write `{key}_file`, or write ${{VARIABLE}}"
        if location[-2:-1] == ("headers",):
            hint = "write ${VARIABLE}, the name of an environment variable"
        yield main.problem(
            codes.SECRET_IN_PLAIN, message, place, hint=hint, severity=Severity.WARNING
        )


def _plain(value: object, location: Location) -> Iterator[Location]:
    if isinstance(value, Secret) and value.plain is not None:
        if location[-1] != "proxy" or "@" in value.plain:  # most proxies have no password
            yield location
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if is_secret(str(key)):
                yield from _plain(item, (*location, str(key)))
    elif isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            yield from _plain(getattr(value, name), (*location, info.alias or name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _plain(item, (*location, index))


def unreadable_secrets(main: Document, config: Config) -> Iterator[Problem]:
    """Secrets that cannot be read now: a warning, since `check` has to work without them."""
    owners: list[tuple[Location, list[str]]] = []
    if config.http.auth:
        owners.append((("http", "auth"), config.http.auth.secrets_missing()))
    for index, receiver in enumerate(config.receivers):
        for number, notifier in enumerate(receiver.notifiers):
            location: Location = ("receivers", index, "notifiers", number)
            owners.append((location, notifier.secrets_missing()))
    for location, sentences in owners:
        node, _ = main.find(location)
        for sentence in sentences:
            hint = "deliveries that need it wait until it is there"
            if location[0] == "http":
                hint = "nobody is let in until it is there"
            yield main.problem(
                codes.SECRET_UNREADABLE, sentence, node.place, hint=hint, severity=Severity.WARNING
            )


def forbidden_addresses(main: Document, config: Config) -> Iterator[Problem]:
    """Destinations that are addresses which nothing is sent to: found now, not by the first
    alert. Names are not resolved, since they may mean something else where the router runs."""
    guard = Guard(config.delivery.private_destinations)
    for index, receiver in enumerate(config.receivers):
        for number, notifier in enumerate(receiver.notifiers):
            if objection := guard.objection(notifier.host()):
                node, _ = main.find(("receivers", index, "notifiers", number))
                hint = "deliveries wait until it is allowed"
                yield main.problem(
                    codes.FORBIDDEN_ADDRESS,
                    objection,
                    node.place,
                    hint=hint,
                    severity=Severity.WARNING,
                )
