"""The attributes that an Antora component gives to its AsciiDoc pages: `asciidoc.attributes` in the
`antora.yml` beside `modules/`."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from alert_router.model.problem import Place, Problem, Severity

_MAX_LENGTH = 64 * 1024  # characters; PyYAML reads some 100 kB a second
_MAX_ATTRIBUTES = 500
_UNSET = frozenset(("~", "null", "false"))

NONE: Mapping[str, str] = MappingProxyType({})


def component_file(path: Path, root: Path) -> Path | None:
    """Where the description of the component is that a page belongs to; None for a page that is
    not below a folder `modules`, or whose component is not below the root."""
    for parent in path.parents:
        if parent == root:
            return None
        if parent.name == "modules":
            file = parent.parent / "antora.yml"
            return file if os.path.lexists(file) else None
    return None


def attributes_in(text: str, file: str) -> tuple[Mapping[str, str], tuple[Problem, ...]]:
    """The attributes that a component sets, as the page's own lines would: a value that ends in `@`
    may be changed by the page. With the problem of a file that cannot be read."""
    if len(text) > _MAX_LENGTH:
        return NONE, (_problem(file, f"it is over {_MAX_LENGTH} characters long"),)
    try:
        # BaseLoader keeps every scalar as text: no dates, no objects.
        data = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return NONE, (_problem(file, f"it is not valid YAML: {str(error).splitlines()[0][:200]}"),)
    asciidoc = data.get("asciidoc") if isinstance(data, dict) else None
    found = asciidoc.get("attributes") if isinstance(asciidoc, dict) else None
    if not isinstance(found, dict):
        return NONE, ()
    if len(found) > _MAX_ATTRIBUTES:
        return NONE, (_problem(file, f"it has over {_MAX_ATTRIBUTES} attributes"),)
    pairs = ((name, value) for name, value in found.items() if isinstance(value, str))
    return {str(name): value for name, value in pairs if value not in _UNSET}, ()


def _problem(file: str, why: str) -> Problem:
    return Problem(
        "runbook-front-matter",
        f"the attributes of the component cannot be read: {why}",
        Place(file),
        Severity.WARNING,
        "Write them as a mapping `asciidoc: attributes:` of names to values. The pages are read "
        "without them.",
    )
