"""Severities in rules and matchers that the configured scale does not have."""

from collections.abc import Iterable, Iterator

from alert_router.checks.rules import AlertRule
from alert_router.config.routing import matcher_texts
from alert_router.matcher import parse_matchers
from alert_router.model.problem import Place, Problem, Severity, did_you_mean
from alert_router.model.severity import Scale
from alert_router.redaction import clip
from alert_router.yaml_source import YamlFile

UNKNOWN = "severity-unknown"


def in_rules(alerts: Iterable[AlertRule], scale: Scale) -> Iterator[Problem]:
    """Rules whose alerts have a severity that the scale does not have."""
    for alert in alerts:
        for value in sorted(alert.possible_labels.of(scale.label) or ()):
            if value and scale.find(value) is None:
                yield _problem(value, scale, alert.place)


def in_routing(document: YamlFile, scale: Scale) -> Iterator[Problem]:
    """Matchers that compare the severity with a value that the scale does not have."""
    for text in matcher_texts(document.root):
        for matcher in parse_matchers(text.value or ""):
            if matcher.name != scale.label:
                continue
            for part in matcher.parts:
                if part.text and not part.tail and scale.find(part.text) is None:
                    yield _problem(part.text, scale, text.place)


def _problem(value: str, scale: Scale, place: Place) -> Problem:
    known = [each for grade in scale.grades for each in sorted(grade.values)]
    message = (
        f"`{scale.label}` is `{clip(value)}`, which is not in `severities`: "
        f"such alerts are shown as {scale.otherwise.word}"
    )
    hint = did_you_mean(value, known, "add it to `values` of a grade in `severities`")
    return Problem(UNKNOWN, message, place, Severity.WARNING, hint)
