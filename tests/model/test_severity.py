"""Severities: the worst one counts, and unknown ones are never filtered out."""

from dataclasses import dataclass, field

import pytest

from alert_router.config.model import Severities
from alert_router.model.severity import CRITICAL, ERROR, INFO, RESOLVED, STANDARD, WARNING


@dataclass
class Labelled:
    labels: dict[str, str] = field(default_factory=dict)


def of(severity: str, label: str = "severity") -> Labelled:
    return Labelled({label: severity})


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        *(
            (value, CRITICAL)
            for value in ("critical", "PAGE", "crit", "emerg", "Disaster", "fatal")
        ),
        *((value, CRITICAL) for value in ("p1", "P0", "SEV-1", "sev_0", "Severity 1", "1", "0")),
        *((value, ERROR) for value in ("error", "err", "high", "major", "P2", "sev2", "2")),
        *((value, WARNING) for value in ("warning", "warn", "minor", "Medium", "average", "p3")),
        *((value, INFO) for value in ("info", "information", "low", "none", "p5", "s4", "5")),
        *((value, WARNING) for value in ("?", "", "x" * 100_000)),
    ],
)
def test_a_value_means_its_grade_however_it_is_written(value, grade):
    assert STANDARD.grade(of(value)) is grade


def test_each_built_in_value_means_one_severity():
    values = [value for grade in STANDARD.grades for value in grade.values]
    assert len(values) == len(set(values))


def test_a_configured_grade_has_the_level_of_its_word_or_of_its_values():
    grades = [{"word": "Wake up", "values": ["p1"]}, {"word": "Look", "values": ["colour"]}]
    scale = Severities.model_validate({"grades": grades}).scale()
    assert [grade.level for grade in scale.grades] == ["critical", "warning"]


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
