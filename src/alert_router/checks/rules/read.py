"""Prometheus rule files and PrometheusRule resources → alerting rules, or problems with places.

What one group holds is read by `groups`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from alert_router.checks.rules import codes
from alert_router.checks.rules.groups import GroupReader
from alert_router.checks.rules.model import AlertRule, RuleSet
from alert_router.checks.rules.paths import STDIN, Found, find
from alert_router.model.problem import Place, Problem, ProblemsError
from alert_router.yaml_source import Fields, YamlFile, children, decode, parse_all, read_text

_TEMPLATE = re.compile(r"^[ \t]*(?:- )?\{\{")
_LOOKS_LIKE_RULES = re.compile(
    r"^[ \t]*(?:- )?(?:(?:alert|record)[ \t]*:|kind[ \t]*:[ \t]*PrometheusRule\b)", re.MULTILINE
)


def read_rules(names: Sequence[str], stdin: Callable[[], bytes] = lambda: b"") -> RuleSet:
    """The rules in files, in directories (their .yaml and .yml files), in what patterns match,
    and in what `stdin` gives for `-`. Never raises for what is in files or not there."""
    found, problems = find(names)
    alerts: list[AlertRule] = []
    files: list[str] = []
    for each in found:
        try:
            documents = _documents(each, stdin)
        except ProblemsError as error:
            problems += error.problems
            continue
        reader = GroupReader()
        if _read(documents, each, reader):
            files.append(str(each.path))
        problems += reader.problems
        alerts += reader.alerts
    if not alerts and not problems:
        problems.append(_none(names))
    return RuleSet(tuple(alerts), tuple(problems), tuple(files))


def read_rules_text(text: str, file: str) -> RuleSet:
    """The rules in a text. Raises ProblemsError if there is no telling what it says."""
    reader = GroupReader()
    named = Found(path=Path(file), is_named=True)
    _read(parse_all(text, file), named, reader)
    return RuleSet(tuple(reader.alerts), tuple(reader.problems), (file,))


def _documents(found: Found, stdin: Callable[[], bytes]) -> list[YamlFile]:
    """The documents of a file; none of one that was not named and holds no rules anyway."""
    file = str(found.path)
    text = decode(stdin(), file) if file == STDIN else read_text(found.path)
    if not found.is_named and not _LOOKS_LIKE_RULES.search(text):
        return []
    try:
        return parse_all(text, file)
    except ProblemsError:
        if template := _template(text, file):
            raise ProblemsError([template]) from None
        raise


def _template(text: str, file: str) -> Problem | None:
    """What is wrong with a text that is no YAML because it is yet to become some."""
    for number, line in enumerate(text.splitlines(), 1):
        if _TEMPLATE.match(line):
            message = "this is a template, not yet YAML"
            hint = "render it first, as with `helm template`, and give what comes out"
            place = Place(file, number, line.index("{{") + 1)
            severity = codes.SEVERITIES[codes.TEMPLATE]
            return Problem(codes.TEMPLATE, message, place, severity, hint, line)
    return None


def _read(documents: Iterable[YamlFile], found: Found, reader: GroupReader) -> bool:
    """Read what rules there are; whether there were groups for them."""
    any_groups = False
    for number, document in enumerate(documents):
        reader.problems += document.problems if number == 0 else ()
        for holder in _holders(document.root):
            any_groups = True
            reader.read(document, holder)
    if documents and found.is_named and not any_groups:
        reader.problems.append(_not_rules(found))
    return any_groups


def _holders(root: Fields) -> Iterator[Fields]:
    """What holds the key `groups` in a document: a rule file itself, a PrometheusRule's spec."""
    kind = root.text("kind")
    if kind == "PrometheusRule":
        spec = root.get("spec")
        if isinstance(spec, Fields):
            yield spec
    elif kind is not None and kind.endswith("List") and root.get("items") is not None:
        for item in children(root.get("items")):
            if isinstance(item, Fields):
                yield from _holders(item)
    elif kind is None and "groups" in root.entries:
        yield root


def _not_rules(found: Found) -> Problem:
    message = "there are no rules in this file: it has no `groups`, and no PrometheusRule"
    hint = "give rule files of Prometheus, or PrometheusRule resources"
    severity = codes.SEVERITIES[codes.NOT_RULES]
    return Problem(codes.NOT_RULES, message, Place(str(found.path)), severity, hint)


def _none(names: Sequence[str]) -> Problem:
    message = "there is no alerting rule in what was given"
    hint = "files of recording rules alone have no alerts to cover"
    severity = codes.SEVERITIES[codes.NO_ALERTS]
    return Problem(codes.NO_ALERTS, message, Place(", ".join(names)), severity, hint)
