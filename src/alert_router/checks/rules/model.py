"""An alerting rule as it stands in a file, and what is known of the labels of its alerts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from alert_router.checks.rules.carried import Carried, Values, one
from alert_router.model.problem import Place, Problem

_LABEL = re.compile(r"\{\{-?\s*\$labels\.(?P<name>\w+)\s*-?\}\}")


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule. `labels` and `annotations` are as written, templates and all, a group's labels
    among them; `annotation_places` says where each value stands. `carried` is what its alerts
    have when they leave the rule: Prometheus's external labels are not in it. `place` is that of
    its name, `expression_place` that of its PromQL."""

    name: str
    group: str
    place: Place
    expression: str
    expression_place: Place
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    annotation_places: Mapping[str, Place]
    carried: Carried

    @property
    def file(self) -> str:
        """The file it stands in."""
        return self.place.file


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The alerting rules of some files, in their order, and what is wrong in those files. `files`
    are those that hold rules."""

    alerts: tuple[AlertRule, ...]
    problems: tuple[Problem, ...]
    files: tuple[str, ...]


def is_template(text: str) -> bool:
    """Whether Prometheus fills something in, so that the text is not what the alert has."""
    return "{{" in text


def carried_by_alert(name: str, labels: Mapping[str, str], yielded: Carried) -> Carried:
    """The labels of a rule's alerts: what its expression yields, then what the rule sets, then
    its name (prometheus/prometheus, rules/alerting.go)."""
    own = {label: _filled(value, yielded) for label, value in labels.items()}
    return yielded.having({**own, "alertname": one(name)})


def _filled(value: str, yielded: Carried) -> Values:
    if not is_template(value):
        return one(value)
    whole = _LABEL.fullmatch(value)
    return yielded.of(whole["name"]) if whole else None
