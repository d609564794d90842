"""Files of routing test cases, as `alert-router test` takes them.

Running them is for the command.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from alert_router.config.validate import in_order, validate
from alert_router.model.problem import Place, ProblemsError
from alert_router.yaml_source import children, read


class CaseModel(BaseModel):
    """A case as written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    labels: dict[str, str]
    annotations: dict[str, str] = Field(default_factory=dict)
    runbook: str | None = None
    receivers: tuple[str, ...] | None = None


class CasesModel(BaseModel):
    """The whole of a file of cases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cases: tuple[CaseModel, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One alert, and what is to become of it.

    Where `checks_runbook` is false any runbook will do; `runbook` None means that none is
    expected. `receivers` None: any will do.
    """

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    checks_runbook: bool
    runbook: str | None
    receivers: tuple[str, ...] | None
    place: Place


def load_cases(path: Path) -> list[Case]:
    """The cases of a file, in its order. Raises ProblemsError with every problem of it."""
    document = read(path)
    model, found = validate(document, CasesModel)
    problems = in_order([*document.problems, *found])
    if model is None or problems:
        raise ProblemsError(problems)
    nodes = children(document.root.get("cases"))
    return [
        Case(
            name=case.name,
            labels=case.labels,
            annotations=case.annotations,
            checks_runbook="runbook" in case.model_fields_set,
            runbook=case.runbook,
            receivers=case.receivers,
            place=node.place,
        )
        for case, node in zip(model.cases, nodes, strict=True)
    ]
