"""YAML against a pydantic model: environment variables in its values, then the model's instance, or
problems that have places. A key of Alertmanager's is answered with what to write here instead."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from alert_router.config import codes
from alert_router.fields import (
    Secret,
    SecretUnavailable,
    check_variables,
    is_secret_type,
    with_variables,
)
from alert_router.model.problem import Problem, did_you_mean
from alert_router.notify.templates import Template
from alert_router.redaction import MASK, clip, is_secret
from alert_router.yaml_source import (
    Entry,
    Items,
    Location,
    Node,
    Scalar,
    YamlFile,
    YamlMapping,
    plain,
)

M = TypeVar("M", bound=BaseModel)

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number",
    "string_type": "text",
    "string_unicode": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "url_parsing": "a URL",
    "url_type": "a URL",
}
_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def validate(document: YamlFile, model: type[M]) -> tuple[M | None, list[Problem]]:
    """The document as a model, or None and everything that is wrong with it, except where its own
    problems say so already.

    Paths in it are relative to the directory of its file. Keys at its top that begin with `x-` are
    a place for YAML anchors.
    """
    try:
        return _validated(document, model), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    found = dict.fromkeys(problem for d in details if (problem := _problem(document, model, d)))
    known = {problem.place for problem in document.problems}
    return None, [problem for problem in found if problem.place not in known]


def _validated(document: YamlFile, model: type[M]) -> M:
    context = {"base": Path(document.file).parent}
    data = {key: it for key, it in plain(document.root).items() if not key.startswith("x-")}
    return model.model_validate(data, context=context)


def salvage(document: YamlFile, model: type[M]) -> tuple[M | None, YamlFile]:
    """The document as a model without what is wrong in it, and the document without it, so that
    what is right can be checked further. None where nothing that can be used is left."""
    while True:
        try:
            return _validated(document, model), document
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        inner = [detail for detail in details if not _counts_sound_items(document, detail)]
        wrong = {id(document.find(detail["loc"])[0]) for detail in inner or details}
        root = _without(document.root, wrong)
        if not isinstance(root, YamlMapping):
            return None, document
        document = replace(document, root=root)


def _without(node: Node, dropped: set[int]) -> Node | None:
    """The tree without the nodes that have these ids."""
    if id(node) in dropped:
        return None
    if isinstance(node, Items):
        kept = (_without(item, dropped) for item in node.items)
        return replace(node, items=tuple(item for item in kept if item is not None))
    if isinstance(node, YamlMapping):
        entries = {}
        for key, entry in node.entries.items():
            if (value := _without(entry.value, dropped)) is not None:
                entries[key] = replace(entry, value=value)
        return replace(node, entries=entries)
    return node


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """The problems of one file, in its order."""
    return sorted(problems, key=lambda problem: problem.place)


def _problem(document: YamlFile, model: type[BaseModel], detail: ErrorDetails) -> Problem | None:
    location: Location = detail["loc"]
    kind = detail["type"]
    node, entry = document.find(location)
    if kind == "extra_forbidden" and entry is not None:
        return _unknown_key(document, model, location, entry)
    if _counts_sound_items(document, detail):
        return None
    if location and location[-1] == "[key]" and entry is not None:
        message = f"`{clip(entry.key)}`: {clip(_without_prefix(detail), 300)}"
        hide = _hidden(location, entry)
        return document.problem(codes.INVALID_VALUE, message, entry.place, hide_from=hide)
    if kind == "missing":
        twin = f"{location[-1]}_file"
        either = f"` or `{twin}" if twin in keys_at(model, location[:-1]) else ""
        message = f"`{location[-1]}{either}` is missing"
        return document.problem(codes.MISSING_KEY, message, node.place)
    if kind in ("union_tag_invalid", "union_tag_not_found") and isinstance(node, YamlMapping):
        return _notifier_type(document, model, location, node)
    secret = any(isinstance(part, str) and is_secret(part) for part in location)
    message, hint = _wrong_value(detail, node, secret, document.lines[node.place.line - 1])
    name = next((part for part in reversed(location) if isinstance(part, str)), "")
    is_item = bool(location) and isinstance(location[-1], int)
    label = (f"an item of `{name}`: " if is_item else f"`{name}`: ") if entry or is_item else ""
    if name == "matchers" and isinstance(node, YamlMapping):
        hint = f"write {as_matchers(node)}, in quotes"
    is_type = kind in _EXPECTED or (message[:8] == "expected" and not isinstance(node, Scalar))
    code = codes.WRONG_TYPE if is_type else codes.INVALID_VALUE
    place = node.place
    if entry and isinstance(node, Scalar) and node.value is None:
        place = entry.place
    hide = place.column if secret and place == node.place else 0
    return document.problem(code, label + message, place, hint=hint, hide_from=hide)


def _counts_sound_items(document: YamlFile, detail: ErrorDetails) -> bool:
    """Whether pydantic misses items that are there: it counts those without mistakes, and says
    what is wrong with the others itself."""
    node, _ = document.find(detail["loc"])
    given = node.items if isinstance(node, Items) else isinstance(node, Scalar) and node.value
    return detail["type"] == "too_short" and bool(given)


def _unknown_key(
    document: YamlFile, model: type[BaseModel], location: Location, entry: Entry
) -> Problem:
    parent, _ = document.find(location[:-1])
    hide = _hidden(location, entry)
    if explained := foreign(location, entry):
        message, hint = explained
        return document.problem(codes.FOREIGN_KEY, message, entry.place, hint=hint, hide_from=hide)
    known = keys_at(model, location[:-1])
    used = parent.entries if isinstance(parent, YamlMapping) else {}
    rest = [key for key in known if key not in used]
    hint = did_you_mean(entry.key, rest) or did_you_mean(entry.key, known)
    hint = hint or f"known here: {', '.join(known)}"
    if entry.key.startswith("x-"):
        hint = "a key that begins with `x-` is accepted only at the top of the file"
    message = f"unknown key `{clip(entry.key)}`"
    return document.problem(codes.UNKNOWN_KEY, message, entry.place, hint=hint, hide_from=hide)


def _hidden(location: Location, entry: Entry) -> int:
    """The column from which a line with an unknown key is hidden: where secrets are at home,
    the value of a misspelt key may be one."""
    value = entry.value
    if not {"notifiers", "receivers", "auth"} & set(location) or not isinstance(value, Scalar):
        return 0
    return value.place.column if value.place.line == entry.place.line else 0


def _notifier_type(
    document: YamlFile, model: type[BaseModel], location: Location, node: YamlMapping
) -> Problem:
    known = tags_at(model, location)
    types = f"known types: {', '.join(known)}"
    entry = node.entries.get("type")
    if entry is None:
        message = "`type` is missing"
        return document.problem(codes.MISSING_KEY, message, node.place, hint=types)
    value = entry.value
    text = value.value if isinstance(value, Scalar) else None
    message = f"unknown notifier type {found_text(value)}"
    hint = did_you_mean(text or "", known, types)
    return document.problem(codes.UNKNOWN_NOTIFIER, message, value.place, hint=hint)


def _wrong_value(detail: ErrorDetails, node: Node, secret: bool, line: str) -> tuple[str, str]:
    """What is wrong with a value in a line, and what to do."""
    kind, context = detail["type"], detail.get("ctx", {})
    found = MASK if secret and isinstance(node, Scalar) and node.value else found_text(node)
    if expected := _EXPECTED.get(kind):
        return f"expected {expected}, found {found}", _form_hint(node, expected, line)
    if kind in ("literal_error", "enum"):
        return f"expected {context.get('expected', 'another value')}, found {found}", ""
    if kind in _LIMITS:
        word, name = _LIMITS[kind]
        return f"must be {word} {context[name]:g}, found {found}", ""
    if kind == "too_short":
        return f"must have at least {context.get('min_length', 1)} item", ""
    if kind == "string_too_short":
        return "must not be empty", ""
    message = _own_message(detail, node, secret)
    return f"{message}, found {found}" if message.startswith("expected") else message, ""


def _own_message(detail: ErrorDetails, node: Node, secret: bool) -> str:
    text = _without_prefix(detail)
    if isinstance(node, Scalar) and node.value and (secret or node.written):
        shown = MASK if secret else node.written
        text = re.sub(rf"(?<!\w){re.escape(node.value)}(?!\w)", lambda _: shown, text)
    return clip(text, 300)


def _without_prefix(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Value error, ")


def _form_hint(node: Node, expected: str, line: str) -> str:
    """What to do where a value has another form than the `expected` text, list or mapping, in
    this line of the file."""
    if expected == "text" and isinstance(node, YamlMapping):
        return "put a value that begins with { in quotes"
    if expected == "text" and isinstance(node, Scalar) and node.value is None and " #" in line:
        return "put a value that begins with # in quotes"
    if expected == "a list" and isinstance(node, YamlMapping):
        return "begin each item with `- `"
    if expected == "a mapping" and isinstance(node, Items):
        return "write each item as `key: value`, without `- `"
    return ""


def found_text(node: Node) -> str:
    """What a node is, for a message."""
    if isinstance(node, YamlMapping):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    return "nothing" if node.value is None else f'"{clip(node.written or node.value)}"'


def keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that the mapping at a location may have, in the models' order."""
    keys: dict[str, None] = {}
    for member in _at(model, location):
        for name, info in member.model_fields.items():
            keys[key_of(name, info)] = None
            if is_secret_type(info.annotation):
                keys[f"{name}_file"] = None  # the other spelling of every secret
    return list(keys)


def tags_at(model: type[BaseModel], location: Location) -> list[str]:
    """The values of `type` that the mapping at a location may have."""
    return [tag for member in _at(model, location) for tag in tags_of(member)]


def _at(model: type[BaseModel], location: Location) -> list[type[BaseModel]]:
    current = [model]
    for part in location:
        if isinstance(part, int):
            continue
        below = [
            inner
            for candidate in current
            for name, info in candidate.model_fields.items()
            if key_of(name, info) == part
            for inner in models_in(info.annotation)
        ]
        # A part that is not a key is the tag of a union's member.
        current = below or [member for member in current if part in tags_of(member)]
    return current


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation mentions, however deep in lists and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def tags_of(model: type[BaseModel]) -> list[str]:
    """The values of `type` that mean this model."""
    info = model.model_fields.get("type")
    return [str(tag) for tag in get_args(info.annotation)] if info else []


def key_of(name: str, info: FieldInfo) -> str:
    """The key of a field in the file."""
    return info.alias or name


# A secret is read when it is used, and a template has a language of its own.
_LITERAL = (Secret, Template)


def substitute(document: YamlFile, model: type[BaseModel]) -> YamlFile:
    """The document with the value of NAME for each `${NAME}` in a value, except in secrets, in
    templates and under `x-` keys. What cannot be substituted is among its problems."""
    substitution = _Substitution(document)
    root = substitution.fields(document.root, [model])
    return replace(document, root=root, problems=(*document.problems, *substitution.problems))


class _Substitution:
    def __init__(self, document: YamlFile) -> None:
        self._document = document
        self.problems: list[Problem] = []

    def fields(self, node: YamlMapping, models: Sequence[type[BaseModel]]) -> YamlMapping:
        """A mapping that is read as one of the models."""
        tag = node.text("type")
        fitting = [model for model in models if tag in tags_of(model)] or models
        entries = {}
        for key, entry in node.entries.items():
            is_extension = node is self._document.root and key.startswith("x-")
            annotations = [
                info.annotation
                for model in fitting
                for name, info in model.model_fields.items()
                if key_of(name, info) == key
            ]
            value = entry.value if is_extension else self._value(entry.value, annotations)
            entries[key] = Entry(key, entry.place, value)
        return replace(node, entries=entries)

    def _value(self, node: Node, annotations: Sequence[Any]) -> Node:
        if isinstance(node, Items):
            return replace(node, items=tuple(self._value(it, annotations) for it in node.items))
        if isinstance(node, YamlMapping):
            models = [model for annotation in annotations for model in models_in(annotation)]
            if models:
                return self.fields(node, models)
            entries = {
                key: Entry(key, entry.place, self._value(entry.value, annotations))
                for key, entry in node.entries.items()
            }
            return replace(node, entries=entries)
        is_literal = any(_mentions(annotation) for annotation in annotations)
        return node if is_literal else self._text(node)

    def _text(self, node: Scalar) -> Scalar:
        if node.value is None or "$" not in node.value:
            return node
        try:
            check_variables(node.value)
            value = with_variables(node.value, os.environ)
        except (ValueError, SecretUnavailable) as error:
            problem = self._document.problem(codes.INVALID_VALUE, str(error), node.place)
            self.problems.append(problem)
            return node
        return replace(node, value=value, written=node.value)


def _mentions(annotation: Any) -> bool:
    return annotation in _LITERAL or any(map(_mentions, _arguments(annotation)))


def _arguments(annotation: Any) -> Iterator[Any]:
    return (part for part in get_args(annotation) if isinstance(part, type) or get_args(part))


_GROUPING = frozenset({"group_by", "group_wait", "group_interval", "repeat_interval"})
_ELSEWHERE = {
    "mute_time_intervals": "muting",
    "active_time_intervals": "muting",
    "time_intervals": "muting",
    "inhibit_rules": "inhibition",
    "global": "the global section",
    "templates": "templating by files",
    "tracing": "tracing",
}
# The notifiers here for the kinds of Alertmanager.
_KINDS: Mapping[str, str] = {
    **{kind: kind for kind in ("discord", "email", "mattermost", "pagerduty", "slack")},
    **{kind: kind for kind in ("telegram", "webhook")},
    **dict.fromkeys(("msteams", "msteamsv2"), "teams"),
}
_WORDING = "the router writes the message; to change its text write `template`"
_AUTHORIZATION = (
    "for credentials write `bearer_token`, or `username` and `password`, where the notifier has"
    " them, or `headers`"
)
_NOTIFIER_KEYS: Mapping[str, str] = {
    "webhook_url": "write it as `url`",
    "webhook_url_file": "write it as `url_file`",
    "service_key": "write it as `routing_key`",
    "service_key_file": "write it as `routing_key_file`",
    "chat": "write it as `chat_id`",
    "tls_config": "write it as `tls`",
    "proxy_url": "write it as `proxy`",
    "http_config": f"write `proxy` and `tls` beside the other keys; {_AUTHORIZATION}",
    "authorization": _AUTHORIZATION,
    "basic_auth": _AUTHORIZATION,
    "auth_secret": "write it as `auth_password`, which is also used for CRAM-MD5",
    "auth_secret_file": "write it as `auth_password_file`, which is also used for CRAM-MD5",
    "auth_identity": "remove it: the identity is `auth_username`",
    "max_alerts": "remove it: a message has as many alerts as fit",
    "parse_mode": "remove it: the router knows the destination's format",
    **dict.fromkeys(("text", "html", "message", "body", "pretext", "fallback_text"), _WORDING),
    **dict.fromkeys(("title_link", "color", "fields", "actions", "short_fields"), _WORDING),
    **dict.fromkeys(("description", "details", "icon_emoji", "mrkdwn_in"), _WORDING),
}
_MAIN = frozenset({"receivers", "http", "storage", "delivery", "log"})
_ROUTING = frozenset({"route", "default_runbook"})


def foreign(location: Location, entry: Entry) -> tuple[str, str] | None:
    """A message and a hint for an unknown key that is known elsewhere; None for any other."""
    key = entry.key
    if key in _GROUPING:
        return f"`{key}`: grouping belongs to Alertmanager", "keep it in alertmanager.yml"
    if key in _ELSEWHERE:
        what = _ELSEWHERE[key]
        return f"`{key}`: {what} belongs to Alertmanager", "keep it in alertmanager.yml"
    if key in ("match", "match_re"):
        hint = f"write {as_matchers(entry.value, '=' if key == 'match' else '=~')}"
        return f"`{key}` is Alertmanager's old form", hint
    if key in ("source_match", "target_match", "source_matchers", "target_matchers"):
        return f"`{key}`: inhibition belongs to Alertmanager", "keep it in alertmanager.yml"
    if key.endswith("_configs") and "receivers" in location:
        kind = _KINDS.get(key.removesuffix("_configs"))
        hint = "there is no notifier for it: use type apprise or webhook"
        if kind:
            hint = f"write notifiers: [{{type: {kind}, ...}}]"
        return f"`{key}` is Alertmanager's form", hint
    if "notifiers" in location and key in _NOTIFIER_KEYS:
        return f"`{key}` is not a key of this notifier", _NOTIFIER_KEYS[key]
    if "notifiers" not in location and ({"routes", "route", "runbooks"} & set(location[:-1])):
        return _label(entry)
    if len(location) == 1 and key in _MAIN | _ROUTING:
        home = "the main file" if key in _MAIN else "the file that `routing` names"
        return f"`{key}` does not belong in this file", f"write it in {home}"
    return None


def _label(entry: Entry) -> tuple[str, str] | None:
    """Of a route or an entry of the table, a key that can only be the name of a label."""
    names = {"alert": "alertname", "alertname": "alertname", "severity": "severity"}
    value = entry.value
    if entry.key not in names or not isinstance(value, Scalar) or value.value is None:
        return None
    matcher = _matcher(names[entry.key], "=", value.value)
    return f"`{entry.key}` is not a key here", f"write matchers: ['{matcher}']"


def as_matchers(node: Node, operator: str = "=") -> str:
    """The matchers that a mapping of labels and values means, or one mapping of the form
    {name: ..., value: ..., matchType: ...} (Prometheus Operator), as one would write them."""
    fields = node if isinstance(node, YamlMapping) else None
    texts = [f'severity{operator}"critical"']
    if fields is not None and {"name", "value"} <= fields.entries.keys():
        regex = "=~" if fields.text("regex") == "true" else "="
        texts = [_of(fields, "name", fields.text("matchType") or regex)]
    elif fields is not None and fields.entries:
        texts = [_of(fields, key, operator) for key in fields.entries]
    return "matchers: [" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"


def _of(fields: YamlMapping, key: str, operator: str) -> str:
    value = fields.text(key)
    if key == "name" and "value" in fields.entries:
        return _matcher(value or "", operator, fields.text("value") or "")
    if value is None and "=" in key:  # {a="b"} without quotes: YAML sees a key
        return key
    return _matcher(key, operator, value or "")


def _matcher(name: str, operator: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}{operator}"{escaped}"'
