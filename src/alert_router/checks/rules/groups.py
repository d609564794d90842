"""The groups of a rule file → alerting rules, and every way in which they are none.

Recording rules are looked at and passed over. Which file has groups is `read`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from alert_router.checks.rules import codes
from alert_router.checks.rules.carried import UNKNOWN, Carried
from alert_router.checks.rules.model import AlertRule, carried_by_alert
from alert_router.checks.rules.promql import PromqlError, parse_promql
from alert_router.checks.rules.yields import yielded_labels
from alert_router.model.problem import Place, Problem, did_you_mean
from alert_router.redaction import clip
from alert_router.yaml_source import Fields, Items, Node, Scalar, YamlFile, children

_KEYS = ("alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations")
_Same = tuple[str, frozenset[tuple[str, str]]]


@dataclass
class GroupReader:
    """Reads the groups of one file's documents and gathers what it finds."""

    alerts: list[AlertRule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _document: YamlFile | None = None
    _seen: dict[_Same, Place] = field(default_factory=dict)

    def read(self, document: YamlFile, holder: Fields) -> None:
        """Read the groups that a mapping of this document holds under `groups`."""
        self._document = document
        names: dict[str, Place] = {}
        for group in self._items(holder, "groups", "a list of groups"):
            if not isinstance(group, Fields):
                self._shape(group.place, "a group", "a mapping with `name` and `rules`")
                continue
            name = self._group_name(group, names)
            labels, _ = self._texts(group, "labels")
            for rule in self._items(group, "rules", "a list of rules"):
                if isinstance(rule, Fields):
                    self._rule(rule, name, labels)
                else:
                    self._shape(rule.place, "a rule", "a mapping with `alert` or `record`")

    def _group_name(self, group: Fields, names: dict[str, Place]) -> str:
        node = group.get("name")
        if not isinstance(node, Scalar) or not node.value:
            self._shape(node.place if node else group.place, "the group's `name`", "text")
            return ""
        if first := names.get(node.value):
            message = f"the group `{clip(node.value)}` is there twice; the first is at {first}"
            hint = "rename one of the two: Prometheus refuses the file"
            self._problem(codes.DUPLICATE_GROUP, message, node.place, hint)
        names.setdefault(node.value, node.place)
        return node.value

    def _rule(self, rule: Fields, group: str, of_group: Mapping[str, str]) -> None:
        self._keys(rule)
        alert, record = rule.get("alert"), rule.get("record")
        if (alert is None) == (record is None):
            which = "neither `alert` nor" if alert is None else "both `alert` and"
            message = f"this rule has {which} `record`"
            hint = "an alerting rule has `alert: NAME`, a recording rule `record: METRIC`"
            self._problem(codes.NO_NAME, message, rule.place, hint)
        if alert is None:
            if record is not None:
                self._expression(rule)
            return
        yielded = self._expression(rule)
        if not isinstance(alert, Scalar) or not alert.value:
            self._shape(alert.place, "`alert`", "the alert's name")
            return
        own, _ = self._texts(rule, "labels")
        annotations, places = self._texts(rule, "annotations")
        labels = {**of_group, **own}
        node = rule.get("expr")
        made = AlertRule(
            name=alert.value,
            group=group,
            place=alert.place,
            expression=rule.text("expr") or "",
            expression_place=node.place if node else rule.place,
            labels=labels,
            annotations=annotations,
            annotation_places=places,
            carried=carried_by_alert(alert.value, labels, yielded),
        )
        self._twice(made)
        self.alerts.append(made)

    def _expression(self, rule: Fields) -> Carried:
        """What labels the rule's expression yields."""
        node = rule.get("expr")
        if not isinstance(node, Scalar) or not (node.value or "").strip():
            if node is None or isinstance(node, Scalar):
                place = node.place if node else rule.place
                hint = "write expr: and the PromQL whose results are the alerts"
                self._problem(codes.NO_EXPR, "this rule has no `expr`", place, hint)
            else:
                self._shape(node.place, "`expr`", "a text of PromQL")
            return UNKNOWN
        try:
            return yielded_labels(parse_promql(node.value or ""))
        except PromqlError as error:
            message = f"this PromQL does not parse: {clip(str(error), 200)}"
            self._problem(codes.PROMQL, message, node.place)
            return UNKNOWN

    def _keys(self, rule: Fields) -> None:
        for entry in rule.entries.values():
            hint = "" if entry.key in _KEYS else did_you_mean(entry.key, _KEYS)
            if hint:  # others have keys of their own, as Mimir and VictoriaMetrics do
                message = f"a rule has no key `{clip(entry.key)}`"
                self._problem(codes.UNKNOWN_KEY, message, entry.place, hint)

    def _twice(self, made: AlertRule) -> None:
        same = (made.name, frozenset(made.labels.items()))
        if first := self._seen.get(same):
            message = f"`{clip(made.name)}` is there twice with the same labels; first at {first}"
            hint = "their alerts cannot be told apart: remove one, or set a label that differs"
            self._problem(codes.DUPLICATE_ALERT, message, made.place, hint)
        self._seen.setdefault(same, made.place)

    def _items(self, fields: Fields, key: str, expected: str) -> tuple[Node, ...]:
        node = fields.get(key)
        if isinstance(node, Items) or node is None or _is_null(node):
            return tuple(children(node))
        self._shape(node.place, f"`{key}`", expected)
        return ()

    def _texts(self, fields: Fields, key: str) -> tuple[dict[str, str], dict[str, Place]]:
        """The texts under a key by their names, and where each stands."""
        node = fields.get(key)
        texts: dict[str, str] = {}
        places: dict[str, Place] = {}
        if node is not None and not isinstance(node, Fields) and not _is_null(node):
            self._shape(node.place, f"`{key}`", "a mapping of names to texts")
        for entry in node.entries.values() if isinstance(node, Fields) else ():
            if isinstance(entry.value, Scalar):
                texts[entry.key] = entry.value.value or ""
                places[entry.key] = entry.value.place
            else:
                self._shape(entry.value.place, f"`{clip(entry.key)}` in `{key}`", "text")
        return texts, places

    def _shape(self, place: Place, what: str, expected: str) -> None:
        self._problem(codes.SHAPE, f"{what} must be {expected}", place)

    def _problem(self, code: str, message: str, place: Place, hint: str = "") -> None:
        assert self._document is not None
        severity = codes.SEVERITIES[code]
        self.problems.append(
            self._document.problem(code, message, place, hint=hint, severity=severity)
        )


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None
