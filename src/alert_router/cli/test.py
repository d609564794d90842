"""`alert-router test`: routing unit tests, each an alert and what is to become of it.

Reading case files is for `config`; deciding is the router's own code.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from alert_router.cli import CONFIG
from alert_router.cli.labels import make_alert
from alert_router.cli.output import clean, count, join, output_option, print_json, show
from alert_router.config import Case, default_config_path, load_cases
from alert_router.problem import Problem, ProblemsError
from alert_router.service.snapshot import Snapshot, read


@dataclass(frozen=True, slots=True)
class Result:
    """A case and its outcome; `expected` and `found` have what the case checks."""

    case: Case
    expected: dict[str, Any]
    found: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether all that the case checks is as expected."""
        return self.expected == self.found


@click.command()
@CONFIG
@click.argument("cases", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@output_option
@click.pass_context
def test(ctx: click.Context, config: Path | None, cases: tuple[Path, ...], as_json: bool) -> None:
    """Run the routing tests in CASES files.

    Each case is an alert, and the runbook and the receivers it is to get. Exit 0: all passed;
    1: some failed, or a file cannot be read.
    """
    snapshot = read(config or default_config_path())
    results = [run(case, snapshot) for case in _load(cases)]
    if as_json:
        print_json({"cases": [_as_json(result) for result in results]})
    else:
        _show(results)
    ctx.exit(0 if all(result.passed for result in results) else 1)


def run(case: Case, snapshot: Snapshot) -> Result:
    """The outcome of one case."""
    expected: dict[str, Any] = {}
    found: dict[str, Any] = {}
    if case.checks_runbook:
        expected["runbook"] = case.runbook
        alert = make_alert(case.labels, case.annotations)
        found["runbook"] = snapshot.desk.choose(alert).runbook
    if case.receivers is not None:
        expected["receivers"] = list(case.receivers)
        found["receivers"] = list(dict.fromkeys(snapshot.loaded.tree.match(case.labels)))
    return Result(case, expected, found)


def _load(paths: tuple[Path, ...]) -> list[Case]:
    """The cases of all files, or every problem of all of them."""
    cases: list[Case] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            cases += load_cases(path)
        except ProblemsError as error:
            problems += error.problems
    if problems:
        raise ProblemsError(problems)
    return cases


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "name": result.case.name,
        "passed": result.passed,
        "expected": result.expected,
        "found": result.found,
    }


def _show(results: list[Result]) -> None:
    failures = [result for result in results if not result.passed]
    for result in failures:
        show(join(("FAIL", "bold red"), " ", (result.case.name, "bold"), f"  {result.case.place}"))
        for key, expected in result.expected.items():
            if expected != result.found[key]:
                show(
                    f"  {key}",
                    join((f"    - expected  {_value(expected)}", "red")),
                    join((f"    + found     {_value(result.found[key])}", "green")),
                )
    show(_summary(len(results), len(failures)))


def _summary(total: int, failed: int) -> Text:
    if not failed:
        return join((f"{count(total, 'case')}, all passed", "bold green"))
    return join((f"{count(total, 'case')}, {failed} failed", "bold red"))


def _value(value: str | list[str] | None) -> str:
    if isinstance(value, list):
        return clean(f"[{', '.join(value)}]")
    return "none" if value is None else clean(value)
