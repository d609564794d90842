"""Reads files of routing test cases for `alert-router test`, and updates their expectations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from alert_router.config.validate import in_order, validate
from alert_router.model.problem import Place, ProblemsError
from alert_router.yaml_source import children, read


class CaseModel(BaseModel):
    """A case as written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    """The case's name in the report."""
    labels: dict[str, str]
    """The alert's labels."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """The alert's annotations."""
    runbook: str | None = None
    """The runbook that it must get, `null` for none; not checked if not set."""
    receivers: tuple[str, ...] | None = None
    """The receivers that must be notified, in order; not checked if not set."""


class CasesModel(BaseModel):
    """A file of cases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: tuple[CaseModel, ...]
    """The cases."""


@dataclass(frozen=True, slots=True)
class Case:
    """One alert, and its expected runbook and receivers.

    If `checks_runbook` is false, any runbook is accepted; `runbook` None means that none is
    expected. `receivers` None accepts any.
    """

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    checks_runbook: bool
    runbook: str | None
    receivers: tuple[str, ...] | None
    place: Place


def load_cases(path: Path) -> list[Case]:
    """The cases of a file, in order. Raises ProblemsError with every problem in it."""
    document = read(path)
    model, found = validate(document, CasesModel)
    problems = in_order([*document.problems, *found])
    if model is None or problems:
        raise ProblemsError(problems)
    nodes = children(document.root.get("cases"))
    return [
        Case(
            name=case.name,
            labels=case.labels,
            annotations=case.annotations,
            checks_runbook="runbook" in case.model_fields_set,
            runbook=case.runbook,
            receivers=case.receivers,
            place=node.place,
        )
        for case, node in zip(model.cases, nodes, strict=True)
    ]


# The new value of a key of a case: an id or none, or names.
Found = str | None | Sequence[str]


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


class CannotRecord(ValueError):
    """A value to change is an alias, or comes from a merged mapping."""


def recorded(text: str, changes: Mapping[int, Mapping[str, Found]]) -> str:
    """The text of a valid case file, with the given keys of the given cases (counted from 0)
    changed. Comments, order and quoting of everything else stay.

    Raises CannotRecord with the cases that cannot be changed.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    cases = _value(root, "cases")
    assert isinstance(cases, yaml.SequenceNode)
    newline = "\r\n" if "\r\n" in text else "\n"
    edits: list[_Edit] = []
    stuck: list[str] = []
    for index, keys in changes.items():
        case = cases.value[index]
        for key, found in keys.items():
            node = _value(case, key)
            if node is None or not _within(node, case):
                stuck.append(f"case {index + 1}: `{key}`")
                continue
            edits.append(_edit(node, found, newline))
    if stuck:
        raise CannotRecord(", ".join(stuck))
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _within(node: yaml.Node, case: yaml.Node) -> bool:
    return bool(case.start_mark.index <= node.start_mark.index < case.end_mark.index)


def _edit(node: yaml.Node, found: Found, newline: str) -> _Edit:
    start, end = node.start_mark.index, node.end_mark.index
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or isinstance(found, str | None):
        space = " " if start == end else ""  # nothing after the colon
        return _Edit(start, end, space + _flow(found))
    # A block list ends with its last item; what follows may be a comment of the next case.
    end = node.value[-1].end_mark.index
    between = newline + " " * node.start_mark.column
    return _Edit(start, end, between.join(f"- {_scalar(name)}" for name in found) or "[]")


def _flow(found: Found) -> str:
    if found is None:
        return "null"
    return _scalar(found) if isinstance(found, str) else f"[{', '.join(_scalars(found))}]"


def _scalars(names: Sequence[str]) -> Iterator[str]:
    return map(_scalar, names)


def _scalar(text: str) -> str:
    """Quoted only if YAML needs it, in a flow list too."""
    written: str = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**6)
    return written.strip()[1:-1]
