"""Reads the alerting rules of Prometheus rule files and PrometheusRule resources."""

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alert_router.checks.codes import RULES
from alert_router.checks.promql import PromqlError, parse_promql
from alert_router.checks.rules.label_inference import (
    ANY_LABELS,
    PossibleLabels,
    ValueSet,
    infer_labels,
    one,
)
from alert_router.model.problem import Place, Problem, ProblemsError, did_you_mean
from alert_router.redaction import clip
from alert_router.yaml_source import (
    Items,
    Node,
    Scalar,
    YamlFile,
    YamlMapping,
    children,
    decode,
    parse_all,
    read_text,
)

_STDIN = "-"
_KEYS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
_LABEL = re.compile(r"\{\{-?\s*\$labels\.(?P<name>\w+)\s*-?\}\}")
_UNRENDERED = re.compile(r"^[ \t]*(?:- )?\{\{")
# A key of a rule, in block or flow style or JSON: at the start of a line, or after `{` or `,`.
_LOOKS_LIKE_RULES = re.compile(
    r"(?:^[ \t]*(?:- +){0,4}|[{,][ \t]*)"
    r"(?:(['\"]?)(?:alert|record)\1[ \t]*:|(['\"]?)kind\2[ \t]*:[ \t]*['\"]?PrometheusRule\b)",
    re.MULTILINE,
)
_SUFFIXES = (".yaml", ".yml", ".json", ".rules")
_TEMPLATES = (".libsonnet", ".jsonnet", ".tpl", ".tmpl", ".j2", ".erb")


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alerting rule.

    `labels` (with those of its group) and `annotations` are as written, templates included;
    `annotation_places` has the place of each value. `possible_labels` are those of its alerts,
    without Prometheus's external labels. `place` is that of its name.
    """

    name: str
    group: str
    place: Place
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    annotation_places: Mapping[str, Place]
    possible_labels: PossibleLabels

    @property
    def file(self) -> str:
        """The file that defines it."""
        return self.place.file


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file that a directory or a pattern adds, but that is not read, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The alerting rules of some files, in order, and the problems of those files. `files` are
    the files that contain rules."""

    alerts: tuple[AlertRule, ...]
    problems: tuple[Problem, ...]
    files: tuple[str, ...]
    passed_over: tuple[PassedOver, ...] = ()


def is_template(text: str) -> bool:
    """Whether Prometheus expands the text, so that alerts have something else."""
    return "{{" in text


def read_rules(names: Sequence[str], stdin: Callable[[], bytes] = lambda: b"") -> RuleSet:
    """The rules in files, in the .yaml, .yml, .json and .rules files of directories, in the files
    that patterns match, and in what `stdin` returns for `-`. Files that are missing or broken are
    problems."""
    found, problems = _find(names)
    alerts: list[AlertRule] = []
    files: list[str] = []
    passed_over: list[PassedOver] = []
    for source in found:
        try:
            documents = _documents(source, stdin)
        except ProblemsError as error:
            problems += error.problems
            continue
        if isinstance(documents, str):
            passed_over.append(PassedOver(str(source.path), documents))
            continue
        rules = _read(documents, source)
        if not rules.files and not source.is_named:
            reason = "it has neither `groups` nor a PrometheusRule"
            passed_over.append(PassedOver(str(source.path), reason))
        files += rules.files
        problems += rules.problems
        alerts += rules.alerts
    if not alerts and not problems:
        message = "no alerting rules found"
        hint = "recording rules have no alerts: give files that contain alerting rules"
        problems.append(_problem("rules-no-alerts", message, Place(", ".join(names)), hint))
    return RuleSet(tuple(alerts), tuple(problems), tuple(files), tuple(passed_over))


def read_rules_text(text: str, file: str) -> RuleSet:
    """The rules in a text. Raises ProblemsError if it is not valid YAML."""
    return _read(parse_all(text, file), _Source(Path(file), is_named=True))


def _problem(code: str, message: str, place: Place, hint: str, source: str = "") -> Problem:
    return Problem(code, message, place, RULES[code], hint, source)


# Which files to read


@dataclass(frozen=True, slots=True)
class _Source:
    """A file to read. `is_named`: given by its path. A file that a directory or a pattern adds
    may contain something other than rules."""

    path: Path
    is_named: bool


def _find(names: Iterable[str]) -> tuple[list[_Source], list[Problem]]:
    """The files, each once, in the order of the names; and problems with names."""
    found: dict[str, _Source] = {}
    problems: list[Problem] = []
    for name in names:
        sources = list(_sources(name))
        if not sources:
            is_directory = os.path.isdir(name)  # noqa: PTH112 - Path's own raises for bad paths
            kind = "no .yaml, .yml, .json or .rules file in this directory"
            message = kind if is_directory else "no file matches this pattern"
            hint = "give rule files, directories or patterns such as 'rules/**/*.yaml'"
            problems.append(_problem("rules-no-file", message, Place(name), hint))
        for each in sources:
            key = os.path.realpath(each.path) if each.path != Path(_STDIN) else _STDIN
            found.setdefault(key, each)
    return list(found.values()), problems


def _sources(name: str) -> Iterator[_Source]:
    if os.path.isdir(name):  # noqa: PTH112
        for at, directories, files in os.walk(name):
            directories[:] = sorted(each for each in directories if not each.startswith("."))
            for file in sorted(files):
                if file.endswith((*_SUFFIXES, *_TEMPLATES)) and not file.startswith("."):
                    yield _Source(Path(at, file), is_named=False)
    elif glob.has_magic(name) and not os.path.lexists(name):
        for match in sorted(glob.glob(name, recursive=True)):  # noqa: PTH207 - with ** and no base
            if os.path.isfile(match):  # noqa: PTH113
                yield _Source(Path(match), is_named=False)
    else:
        yield _Source(Path(name), is_named=True)


# Documents


def _documents(source: _Source, stdin: Callable[[], bytes]) -> list[YamlFile] | str:
    """The documents of a file, or why it is passed over."""
    file = str(source.path)
    if not source.is_named and file.endswith(_TEMPLATES):
        return "it is a template: render it first"
    text = decode(stdin(), file) if file == _STDIN else read_text(source.path)
    if not source.is_named and not _LOOKS_LIKE_RULES.search(text):
        return "it has no key `alert` or `record`"
    try:
        return parse_all(text, file)
    except ProblemsError:
        if template := _unrendered(text, file):
            raise ProblemsError([template]) from None
        raise


def _unrendered(text: str, file: str) -> Problem | None:
    """The problem with a text that is a template for YAML."""
    for number, line in enumerate(text.splitlines(), 1):
        if _UNRENDERED.match(line):
            message = "this is a template, not YAML"
            hint = "render it first, for example with `helm template`"
            place = Place(file, number, line.index("{{") + 1)
            return _problem("rules-template", message, place, hint, line)
    return None


def _read(documents: Sequence[YamlFile], source: _Source) -> RuleSet:
    reader = _GroupReader()
    has_groups = False
    for number, document in enumerate(documents):
        reader.problems += document.problems if number == 0 else ()
        for holder in _holders(document.root):
            has_groups = True
            reader.read(document, holder)
    if documents and source.is_named and not has_groups:
        message = "no rules in this file: it has neither `groups` nor a PrometheusRule"
        hint = "give Prometheus rule files or PrometheusRule resources"
        place = Place(str(source.path))
        reader.problems.append(_problem("rules-not-a-rule-file", message, place, hint))
    files = (str(source.path),) if has_groups else ()
    return RuleSet(tuple(reader.alerts), tuple(reader.problems), files)


def _holders(root: YamlMapping) -> Iterator[YamlMapping]:
    """The mappings with the key `groups`: a rule file itself, or a PrometheusRule's spec."""
    kind = root.text("kind")
    if kind == "PrometheusRule":
        spec = root.get("spec")
        if isinstance(spec, YamlMapping):
            yield spec
    elif kind is not None and kind.endswith("List") and root.get("items") is not None:
        for item in children(root.get("items")):
            if isinstance(item, YamlMapping):
                yield from _holders(item)
    elif kind is None and "groups" in root.entries:
        yield root


# Groups and rules


@dataclass
class _GroupReader:
    """Reads the groups of one file's documents and collects alerting rules and problems."""

    alerts: list[AlertRule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _document: YamlFile | None = None
    _seen: dict[tuple[str, frozenset[tuple[str, str]]], Place] = field(default_factory=dict)

    def read(self, document: YamlFile, holder: YamlMapping) -> None:
        """Read the groups that a mapping of this document has under `groups`."""
        self._document = document
        names: dict[str, Place] = {}
        for group in self._items(holder, "groups", "a list of groups"):
            if not isinstance(group, YamlMapping):
                self._wrong(group.place, "a group", "a mapping with `name` and `rules`")
                continue
            name = self._group_name(group, names)
            labels, _ = self._strings(group, "labels")
            for rule in self._items(group, "rules", "a list of rules"):
                if isinstance(rule, YamlMapping):
                    self._rule(rule, name, labels)
                else:
                    self._wrong(rule.place, "a rule", "a mapping with `alert` or `record`")

    def _group_name(self, group: YamlMapping, names: dict[str, Place]) -> str:
        node = group.get("name")
        if not isinstance(node, Scalar) or not node.value:
            self._wrong(node.place if node else group.place, "the group's `name`", "a string")
            return ""
        if first := names.get(node.value):
            message = f"duplicate group `{clip(node.value)}`; the first is at {first}"
            hint = "rename one of them: Prometheus rejects the file"
            self._report("rules-duplicate-group", message, node.place, hint)
        names.setdefault(node.value, node.place)
        return node.value

    def _rule(self, rule: YamlMapping, group: str, group_labels: Mapping[str, str]) -> None:
        self._check_keys(rule)
        alert, record = rule.get("alert"), rule.get("record")
        if (alert is None) == (record is None):
            which = "neither `alert` nor" if alert is None else "both `alert` and"
            message = f"this rule has {which} `record`"
            hint = "an alerting rule has `alert: NAME`, a recording rule `record: METRIC`"
            self._report("rules-no-name", message, rule.place, hint)
        if alert is None and record is None:
            return
        inferred = self._expression(rule)
        if alert is None:
            return
        if not isinstance(alert, Scalar) or not alert.value:
            self._wrong(alert.place, "`alert`", "the alert's name")
            return
        own, _ = self._strings(rule, "labels")
        annotations, places = self._strings(rule, "annotations")
        labels = {**group_labels, **own}
        made = AlertRule(
            name=alert.value,
            group=group,
            place=alert.place,
            expression=rule.text("expr") or "",
            labels=labels,
            annotations=annotations,
            annotation_places=places,
            possible_labels=_alert_labels(alert.value, labels, inferred),
        )
        same = (made.name, frozenset(labels.items()))
        first = self._seen.setdefault(same, made.place)
        if first != made.place:
            message = f"duplicate alert `{clip(made.name)}` with the same labels; first at {first}"
            hint = "their alerts look the same: remove one, or set a label that differs"
            self._report("rules-duplicate-alert", message, made.place, hint)
        self.alerts.append(made)

    def _expression(self, rule: YamlMapping) -> PossibleLabels:
        """The labels of the series that the rule's expression returns."""
        node = rule.get("expr")
        if node is not None and not isinstance(node, Scalar):
            self._wrong(node.place, "`expr`", "a PromQL string")
        elif node is None or not (node.value or "").strip():
            place = node.place if node else rule.place
            hint = "add `expr:` with the PromQL whose results are the alerts"
            self._report("rules-no-expr", "this rule has no `expr`", place, hint)
        else:
            try:
                return infer_labels(parse_promql(node.value or ""))
            except PromqlError as error:
                message = f"invalid PromQL: {clip(str(error), 200)}"
                self._report("rules-promql", message, node.place)
        return ANY_LABELS

    def _check_keys(self, rule: YamlMapping) -> None:
        for entry in rule.entries.values():
            hint = "" if entry.key in _KEYS else did_you_mean(entry.key, _KEYS)
            if hint:  # Mimir, VictoriaMetrics and others have keys of their own
                message = f"unknown key `{clip(entry.key)}` in a rule"
                self._report("rules-unknown-key", message, entry.place, hint)

    def _items(self, fields: YamlMapping, key: str, expected: str) -> tuple[Node, ...]:
        node = fields.get(key)
        if isinstance(node, Items) or node is None or _is_null(node):
            return tuple(children(node))
        self._wrong(node.place, f"`{key}`", expected)
        return ()

    def _strings(self, fields: YamlMapping, key: str) -> tuple[dict[str, str], dict[str, Place]]:
        """The strings of the mapping under a key, and the place of each."""
        node = fields.get(key)
        strings: dict[str, str] = {}
        places: dict[str, Place] = {}
        if node is not None and not isinstance(node, YamlMapping) and not _is_null(node):
            self._wrong(node.place, f"`{key}`", "a mapping of names to strings")
        for entry in node.entries.values() if isinstance(node, YamlMapping) else ():
            if isinstance(entry.value, Scalar):
                strings[entry.key] = entry.value.value or ""
                places[entry.key] = entry.value.place
            else:
                self._wrong(entry.value.place, f"`{clip(entry.key)}` in `{key}`", "a string")
        return strings, places

    def _wrong(self, place: Place, what: str, expected: str) -> None:
        self._report("rules-shape", f"{what} must be {expected}", place)

    def _report(self, code: str, message: str, place: Place, hint: str = "") -> None:
        assert self._document is not None
        problem = self._document.problem(code, message, place, hint=hint, severity=RULES[code])
        self.problems.append(problem)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _alert_labels(name: str, labels: Mapping[str, str], inferred: PossibleLabels) -> PossibleLabels:
    """The labels of a rule's alerts: those of its expression, replaced by those that the rule
    sets, and its name (Prometheus, rules/alerting.go)."""
    own = {label: _expanded(value, inferred) for label, value in labels.items()}
    return inferred.having({**own, "alertname": one(name)})


def _expanded(value: str, inferred: PossibleLabels) -> ValueSet:
    if not is_template(value):
        return one(value)
    label = _LABEL.fullmatch(value)
    return inferred.of(label["name"]) if label else None
