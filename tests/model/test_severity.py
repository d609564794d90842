"""Severities: the worst one counts, and unknown ones are never filtered out."""

from dataclasses import dataclass, field

import pytest

from alert_router.config.model import Severities
from alert_router.model.severity import CRITICAL, INFO, RESOLVED, STANDARD, WARNING


@dataclass
class Labelled:
    labels: dict[str, str] = field(default_factory=dict)


def of(severity: str, label: str = "severity") -> Labelled:
    return Labelled({label: severity})


@pytest.mark.parametrize(
    ("value", "grade"),
    [("critical", CRITICAL), ("PAGE", CRITICAL), ("s2", WARNING), ("info", INFO), ("?", WARNING)],
)
def test_a_value_means_its_grade_whatever_its_case(value, grade):
    assert STANDARD.grade(of(value)) is grade


def test_the_worst_counts_and_no_alerts_are_resolved():
    assert STANDARD.worst([of("info"), of("critical"), of("warning")]) is CRITICAL
    assert STANDARD.worst([]) is RESOLVED


@pytest.mark.parametrize(
    ("value", "least", "told"),
    [
        ("critical", "warning", True),
        ("warning", "warning", True),
        ("error", "WARNING", True),
        ("info", "warning", False),
        ("", "critical", True),
        ("of our own making", "critical", True),
    ],
)
def test_a_least_severity_passes_worse_and_unknown_alerts(value, least, told):
    assert STANDARD.at_least(of(value), least) is told


def test_an_unknown_severity_name_is_an_error():
    with pytest.raises(LookupError):
        STANDARD.named("purple")


def test_a_custom_scale_has_its_own_words_and_default_looks():
    scale = Severities.model_validate(
        {
            "label": "prio",
            "grades": [
                {"word": "Wake", "values": ["p1", "P2"], "emoji": "☎", "colour": "#000000"},
                {"word": "Info", "values": "p5"},
            ],
        }
    ).scale()
    wake, info = scale.grades
    assert scale.grade(of("p2", "prio")) is wake
    assert (wake.colour, info.colour) == ("#000000", INFO.colour)
    assert scale.grade(of("p5")) is wake, "another label counts as none, told as the worst"


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"default": "purple"}, "no grade has the name or value 'purple'"),
        (
            {"grades": [{"word": "A", "values": ["x"]}, {"word": "B", "values": ["X"]}]},
            "a value can mean one severity only: x",
        ),
    ],
)
def test_an_invalid_scale_is_reported(written, sentence):
    with pytest.raises(ValueError, match=sentence):
        Severities.model_validate(written)
