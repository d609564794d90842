"""What becomes of the alerts of one rule, as far as a rule file tells."""

from dataclasses import dataclass
from typing import Literal

from alert_router.checks.rules import AlertRule, Carried
from alert_router.enrich import Choice
from alert_router.model.problem import Place

State = Literal["covered", "none-wanted", "uncovered", "depends"]
Agreement = Literal["agrees", "differs", "dead", "ambiguous", "templated", "depends"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A rule's own word on its runbook, and how it stands to what is chosen.

    agrees: it names the runbook chosen; differs: another one; dead: none of the catalogue;
    ambiguous: several; templated: Prometheus fills it in; depends: one of those possible.
    """

    name: str
    value: str
    place: Place
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class AlertCoverage:
    """One rule. `choices` are the runbooks its alerts can get, each with its way, in the order in
    which they are tried; where there are several, the labels `depends_on` decide, or what
    Prometheus makes of the annotation `template`. A choice by annotation without a runbook is
    whatever that annotation will name. `receivers` are likewise the possible outcomes (none: too
    many to list), decided by `receivers_depend_on`."""

    rule: AlertRule
    carried: Carried
    choices: tuple[Choice, ...]
    depends_on: tuple[str, ...]
    template: str
    receivers: tuple[tuple[str, ...], ...]
    receivers_depend_on: tuple[str, ...]
    annotations: tuple[Annotation, ...]

    @property
    def state(self) -> State:
        """covered: whatever its labels, it gets a runbook; none-wanted: none is, by the table;
        uncovered: it surely gets none; depends: that cannot be told."""
        states = {_state(choice) for choice in self.choices}
        return states.pop() if len(states) == 1 else "depends"

    @property
    def severity(self) -> str:
        """The value of its `severity` label: "" where it has none or that is not known."""
        values = self.carried.of("severity")
        return next(iter(values)) if values is not None and len(values) == 1 else ""


def _state(choice: Choice) -> State:
    if choice.runbook is not None:
        return "covered"
    if choice.way == "annotation":
        return "depends"
    return "none-wanted" if choice.way == "table" else "uncovered"
