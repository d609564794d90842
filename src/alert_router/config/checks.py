"""The `checks` of the main file: how much each code weighs, and which rules are looked at.

What is checked, and how it is shown, is for `alert-router check`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from alert_router.fields import RelativePath
from alert_router.model.problem import Problem, Severity


class Weight(StrEnum):
    """A severity, or `off`: not told at all."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OFF = "off"


Paths = Annotated[
    tuple[RelativePath, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
]

Names = Annotated[
    tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


class Checks(BaseModel):
    """`rules` are files, directories or patterns, as `--rules` takes them; `labels` are those that
    alerts carry besides what the rules tell, such as Prometheus's external labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Mapping[str, Weight] = Field(default_factory=dict)
    rules: Paths = ()
    labels: Names = ()


def weighed(problems: Iterable[Problem], severity: Mapping[str, Weight]) -> list[Problem]:
    """The problems with the severities that were set for their codes, without what is off."""
    found: list[Problem] = []
    for problem in problems:
        weight = severity.get(problem.code)
        if weight is None:
            found.append(problem)
        elif weight is not Weight.OFF:
            found.append(replace(problem, severity=Severity(weight.value)))
    return found
