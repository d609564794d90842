"""Case files with what is, in place of what was expected; all else in them stays as written.

Which cases are to change, and what is found for them, is the command's to say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

# What a key of a case is to say: an id or none, or names.
Found = str | None | Sequence[str]


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


class CannotRecord(ValueError):
    """A case whose value stands elsewhere: it is an alias, or comes from a merged mapping."""


def recorded(text: str, changes: Mapping[int, Mapping[str, Found]]) -> str:
    """The text of a case file that is known to be valid, with the given keys of the given cases
    (counted from 0) changed. Comments, order and quoting of everything else stay.

    Raises CannotRecord, with the names of the cases that cannot be changed.
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
        space = " " if start == end else ""  # nothing stood after the colon
        return _Edit(start, end, space + _flow(found))
    # A list of lines ends where its last item does; what follows may be a comment of the next.
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
    """As plain as YAML lets it be, within a flow too."""
    written: str = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**6)
    return written.strip()[1:-1]
