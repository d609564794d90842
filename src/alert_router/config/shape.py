"""What a pydantic model allows at a location: the keys of a mapping, the types of a union."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from alert_router.fields import Secret
from alert_router.yaml_source import Location


def keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that the mapping at a location may have, in the models' order."""
    keys: dict[str, None] = {}
    for member in _at(model, location):
        for name, info in member.model_fields.items():
            keys[_key(name, info)] = None
            if _is_secret(info.annotation):
                keys[f"{name}_file"] = None  # the other spelling of every secret
    return list(keys)


def tags_at(model: type[BaseModel], location: Location) -> list[str]:
    """The values of `type` that the mapping at a location may have."""
    return [tag for member in _at(model, location) for tag in _tags(member)]


def _at(model: type[BaseModel], location: Location) -> list[type[BaseModel]]:
    current = [model]
    for part in location:
        if isinstance(part, int):
            continue
        below = [
            inner
            for candidate in current
            for name, info in candidate.model_fields.items()
            if _key(name, info) == part
            for inner in _models(info.annotation)
        ]
        # A part that is no key is the tag that chose a member of a union.
        current = below or [member for member in current if part in _tags(member)]
    return current


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation mentions, however deep in lists and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _is_secret(annotation: Any) -> bool:
    """Whether a field is a secret; a list or mapping of some is none."""
    if get_origin(annotation) is Annotated:
        return _is_secret(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return any(_is_secret(inner) for inner in get_args(annotation))
    return bool(annotation is Secret)


def _tags(model: type[BaseModel]) -> list[str]:
    info = model.model_fields.get("type")
    return [str(tag) for tag in get_args(info.annotation)] if info else []


def _key(name: str, info: FieldInfo) -> str:
    return info.alias or name
