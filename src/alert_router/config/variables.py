"""Environment variables in the values of a configuration file."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, get_args

from pydantic import BaseModel

from alert_router.config import codes
from alert_router.config.validate import key_of, models_in, tags_of
from alert_router.fields import Secret, SecretUnavailable, check_variables, with_variables
from alert_router.model.problem import Problem
from alert_router.notify.templates import Template
from alert_router.yaml_source import Entry, Items, Node, Scalar, YamlFile, YamlMapping

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
