"""A document against a pydantic model: the model's instance, or problems that have places.

Which keys of other programs deserve a sentence of their own is told by `foreign`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from alert_router.config import codes
from alert_router.config.foreign import as_matchers, foreign
from alert_router.config.shape import keys_at, tags_at
from alert_router.model.problem import Problem, did_you_mean
from alert_router.yaml_source import Document, Entry, Fields, Items, Location, Node, Text, plain
from alert_router.yaml_source.mask import MASK, clip, is_secret

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


def validate(document: Document, model: type[M]) -> tuple[M | None, list[Problem]]:
    """The document as a model, or None and everything that is wrong with it.

    Paths in it are relative to the directory of its file.
    """
    context = {"base": Path(document.file).parent}
    try:
        return model.model_validate(plain(document.root), context=context), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    found = dict.fromkeys(problem for d in details if (problem := _problem(document, model, d)))
    return None, list(found)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """The problems of one file as they stand in it."""
    return sorted(problems, key=lambda problem: problem.place)


def _problem(document: Document, model: type[BaseModel], detail: ErrorDetails) -> Problem | None:
    location: Location = detail["loc"]
    kind = detail["type"]
    node, entry = document.find(location)
    if kind == "extra_forbidden" and entry is not None:
        return _unknown_key(document, model, location, entry)
    given = node.items if isinstance(node, Items) else isinstance(node, Text) and node.value
    if kind == "too_short" and given:
        return None  # pydantic counts the valid items only, and has its say about the others
    if kind == "missing":
        twin = f"{location[-1]}_file"
        either = f"` or `{twin}" if twin in keys_at(model, location[:-1]) else ""
        message = f"`{location[-1]}{either}` is missing"
        return document.problem(codes.MISSING_KEY, message, node.place)
    if kind in ("union_tag_invalid", "union_tag_not_found") and isinstance(node, Fields):
        return _notifier_type(document, model, location, node)
    secret = any(isinstance(part, str) and is_secret(part) for part in location)
    message, hint = _wrong_value(detail, node, secret)
    name = next((part for part in reversed(location) if isinstance(part, str)), "")
    is_item = bool(location) and isinstance(location[-1], int)
    label = (f"an item of `{name}`: " if is_item else f"`{name}`: ") if entry or is_item else ""
    if name == "matchers" and isinstance(node, Fields):
        hint = f"write {as_matchers(node)}, in quotes"
    is_type = kind in _EXPECTED or (message[:8] == "expected" and not isinstance(node, Text))
    code = codes.WRONG_TYPE if is_type else codes.INVALID_VALUE
    place = node.place
    if entry and isinstance(node, Text) and node.value is None:
        place = entry.place
    hide = place.column if secret and place == node.place else 0
    return document.problem(code, label + message, place, hint=hint, hide_from=hide)


def _unknown_key(
    document: Document, model: type[BaseModel], location: Location, entry: Entry
) -> Problem:
    parent, _ = document.find(location[:-1])
    hide = _hidden(location, entry)
    if sentence := foreign(location, entry):
        message, hint = sentence
        return document.problem(codes.FOREIGN_KEY, message, entry.place, hint=hint, hide_from=hide)
    known = keys_at(model, location[:-1])
    used = parent.entries if isinstance(parent, Fields) else {}
    rest = [key for key in known if key not in used]
    hint = did_you_mean(entry.key, rest) or did_you_mean(entry.key, known)
    hint = hint or f"known here: {', '.join(known)}"
    message = f"unknown key `{clip(entry.key)}`"
    return document.problem(codes.UNKNOWN_KEY, message, entry.place, hint=hint, hide_from=hide)


def _hidden(location: Location, entry: Entry) -> int:
    """The column from which a line with an unknown key is hidden: where secrets are at home,
    what stands under a misspelt key may be one."""
    value = entry.value
    if not {"notifiers", "receivers", "auth"} & set(location) or not isinstance(value, Text):
        return 0
    return value.place.column if value.place.line == entry.place.line else 0


def _notifier_type(
    document: Document, model: type[BaseModel], location: Location, node: Fields
) -> Problem:
    known = tags_at(model, location)
    types = f"known types: {', '.join(known)}"
    entry = node.entries.get("type")
    if entry is None:
        message = "`type` is missing"
        return document.problem(codes.MISSING_KEY, message, node.place, hint=types)
    value = entry.value
    text = value.value if isinstance(value, Text) else None
    message = f"unknown notifier type {found_text(value)}"
    hint = did_you_mean(text or "", known, types)
    return document.problem(codes.UNKNOWN_NOTIFIER, message, value.place, hint=hint)


def _wrong_value(detail: ErrorDetails, node: Node, secret: bool) -> tuple[str, str]:
    """What is wrong with a value, and what to do."""
    kind, context = detail["type"], detail.get("ctx", {})
    found = MASK if secret and isinstance(node, Text) and node.value else found_text(node)
    if expected := _EXPECTED.get(kind):
        return f"expected {expected}, found {found}", _type_hint(kind, node)
    if kind in ("literal_error", "enum"):
        return f"expected {context.get('expected', 'another value')}, found {found}", ""
    if kind in _LIMITS:
        word, name = _LIMITS[kind]
        return f"must be {word} {context[name]:g}, found {found}", ""
    if kind == "too_short":
        return f"must have at least {context.get('min_length', 1)} item", ""
    if kind == "string_too_short":
        return "must not be empty", ""
    sentence = _sentence(detail, node, secret)
    return f"{sentence}, found {found}" if sentence.startswith("expected") else sentence, ""


def _sentence(detail: ErrorDetails, node: Node, secret: bool) -> str:
    text = detail["msg"].removeprefix("Value error, ")
    if secret and isinstance(node, Text) and node.value:
        text = text.replace(node.value, MASK)
    return clip(text, 300)


def _type_hint(kind: str, node: Node) -> str:
    if kind == "string_type" and isinstance(node, Fields):
        return "a value that begins with { must stand in quotes"
    return ""


def found_text(node: Node) -> str:
    """What a node is, for a message."""
    if isinstance(node, Fields):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    return "nothing" if node.value is None else f'"{clip(node.value)}"'
