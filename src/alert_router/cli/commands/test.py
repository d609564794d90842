"""`alert-router test`: routing unit tests, each an alert and its expected runbook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from alert_router.checks.routing_tests import CannotRecord, Case, load_cases, recorded
from alert_router.cli.formats.junit import TestCase, TestSuite, junit_xml
from alert_router.cli.options import config_option, format_option
from alert_router.cli.output import clean, count, join, print_json, show
from alert_router.config import default_config_path
from alert_router.model.problem import Problem, ProblemsError
from alert_router.preview.sample_alert import make_alert
from alert_router.runtime import Runtime, read_runtime


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case and its result. `expected` and `found` have the keys that the case checks."""

    case: Case
    expected: dict[str, Any]
    found: dict[str, Any]

    @property
    def differences(self) -> list[str]:
        """The keys that are not as expected."""
        return [key for key, expected in self.expected.items() if expected != self.found[key]]


@click.command()
@config_option
@click.argument("cases", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--update", is_flag=True, help="Write the actual results into the files, and pass.")
@format_option("text", "json", "junit")
@click.pass_context
def test(
    ctx: click.Context, config: Path | None, cases: tuple[Path, ...], update: bool, output: str
) -> None:
    """Run the routing tests in CASES files.

    Each case is an alert with the runbook and the receivers it must get. Exit 0: all passed, or
    were updated (--update); 1: some failed, or a file cannot be read.
    """
    runtime = read_runtime(config or default_config_path())
    results = {path: [run(case, runtime) for case in there] for path, there in _load(cases).items()}
    if update:
        _update(results)
    everything = [result for there in results.values() for result in there]
    if output == "json":
        print_json({"cases": [_as_json(result) for result in everything]})
    elif output == "junit":
        click.echo(_as_junit(results))
    else:
        _show(everything, update=update)
    ctx.exit(1 if not update and any(result.differences for result in everything) else 0)


def run(case: Case, runtime: Runtime) -> CaseResult:
    """The result of one case."""
    expected: dict[str, Any] = {}
    found: dict[str, Any] = {}
    if case.checks_runbook:
        expected["runbook"] = case.runbook
        alert = make_alert(case.labels, case.annotations)
        found["runbook"] = runtime.choose(alert).runbook
    if case.receivers is not None:
        expected["receivers"] = list(case.receivers)
        found["receivers"] = list(dict.fromkeys(runtime.loaded.tree.match(case.labels)))
    return CaseResult(case, expected, found)


def _load(paths: Sequence[Path]) -> dict[Path, list[Case]]:
    """The cases of each file. Raises ProblemsError with the problems of all files."""
    cases: dict[Path, list[Case]] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            cases[path] = load_cases(path)
        except ProblemsError as error:
            problems += error.problems
    if problems:
        raise ProblemsError(problems)
    return cases


def _update(results: Mapping[Path, Sequence[CaseResult]]) -> None:
    """Write the actual results of failed cases into their files. If one file cannot be changed,
    none is written."""
    texts: dict[Path, str] = {}
    for path, there in results.items():
        changes = {
            number: {key: result.found[key] for key in result.differences}
            for number, result in enumerate(there)
            if result.differences
        }
        if not changes:
            continue
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                texts[path] = recorded(file.read(), changes)
        except CannotRecord as error:
            reason = "comes from a YAML alias or merge key; change it by hand"
            raise click.ClickException(f"{clean(str(path))}: {error} {reason}") from None
    for path, text in texts.items():
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            raise click.ClickException(f"cannot write {path}: {error.strerror}") from None


def _as_json(result: CaseResult) -> dict[str, Any]:
    return {
        "name": result.case.name,
        "passed": not result.differences,
        "expected": result.expected,
        "found": result.found,
    }


def _as_junit(results: Mapping[Path, Sequence[CaseResult]]) -> str:
    suites = [
        TestSuite(str(path), [_test_case(path, result) for result in there])
        for path, there in results.items()
    ]
    return junit_xml("alert-router test", suites)


def _test_case(path: Path, result: CaseResult) -> TestCase:
    if not result.differences:
        return TestCase(result.case.name, str(path))
    lines = [
        f"{key}: expected {_value(result.expected[key])}, found {_value(result.found[key])}"
        for key in result.differences
    ]
    return TestCase(
        name=result.case.name,
        classname=str(path),
        result="failure",
        message="; ".join(lines),
        text="\n".join((str(result.case.place), *lines)),
        kind=" and ".join(result.differences),
    )


def _show(results: Sequence[CaseResult], *, update: bool) -> None:
    failed = [result for result in results if result.differences]
    for result in failed:
        mark = ("UPDATED", "bold yellow") if update else ("FAIL", "bold red")
        show(join(mark, " ", (result.case.name, "bold"), f"  {result.case.place}"))
        for key in result.differences:
            show(
                f"  {key}",
                join((f"    - expected  {_value(result.expected[key])}", "red")),
                join((f"    + found     {_value(result.found[key])}", "green")),
            )
    if not failed:
        outcome, style = "all passed", "bold green"
    elif update:
        outcome, style = f"{len(failed)} updated", "bold yellow"
    else:
        outcome, style = f"{len(failed)} failed", "bold red"
    show(join((f"{count(len(results), 'case')}, {outcome}", style)))


def _value(value: str | list[str] | None) -> str:
    if isinstance(value, list):
        return clean(f"[{', '.join(value)}]")
    return "none" if value is None else clean(value)
