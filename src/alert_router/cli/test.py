"""`alert-router test`: routing unit tests, each an alert and what is to become of it.

Reading case files is for `config`; deciding is the router's own code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from alert_router.checks.routing_tests import CannotRecord, Case, load_cases, recorded
from alert_router.cli import CONFIG
from alert_router.cli.junit import TestCase, TestSuite, junit_xml
from alert_router.cli.labels import make_alert
from alert_router.cli.output import clean, count, join, print_json, show
from alert_router.config import default_config_path
from alert_router.model.problem import Problem, ProblemsError
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
@click.option("--update", is_flag=True, help="Write what is found into the files, and pass.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="text for people, json for machines, junit for CI.",
)
@click.pass_context
def test(
    ctx: click.Context, config: Path | None, cases: tuple[Path, ...], update: bool, output: str
) -> None:
    """Run the routing tests in CASES files.

    Each case is an alert, and the runbook and the receivers it is to get. Exit 0: all passed, or
    were recorded (--update); 1: some failed, or a file cannot be read.
    """
    snapshot = read(config or default_config_path())
    results = {
        path: [run(case, snapshot) for case in there] for path, there in _load(cases).items()
    }
    if update:
        _update(results)
    everything = [result for there in results.values() for result in there]
    if output == "json":
        print_json({"cases": [_as_json(result) for result in everything]})
    elif output == "junit":
        click.echo(_as_junit(results))
    else:
        _show(everything, update=update)
    ctx.exit(0 if update or all(result.passed for result in everything) else 1)


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


def _load(paths: tuple[Path, ...]) -> dict[Path, list[Case]]:
    """The cases of each file, or every problem of all of them."""
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


def _update(results: Mapping[Path, Sequence[Result]]) -> None:
    """Write into each file what was found for the cases that failed; nothing if one of the files
    cannot be changed."""
    texts: dict[Path, str] = {}
    for path, there in results.items():
        changes = {
            number: {key: found for key, found in one.found.items() if found != one.expected[key]}
            for number, one in enumerate(there)
            if not one.passed
        }
        if not changes:
            continue
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                texts[path] = recorded(file.read(), changes)
        except CannotRecord as error:
            sentence = "what a YAML alias or merge brings has to be changed by hand"
            raise click.ClickException(f"{clean(str(path))}: {error}: {sentence}") from None
    for path, text in texts.items():
        try:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            raise click.ClickException(f"cannot write {path}: {error.strerror}") from None


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "name": result.case.name,
        "passed": result.passed,
        "expected": result.expected,
        "found": result.found,
    }


def _as_junit(results: Mapping[Path, Sequence[Result]]) -> str:
    return junit_xml(
        "alert-router test",
        [
            TestSuite(str(path), [_as_test_case(path, result) for result in there])
            for path, there in results.items()
        ],
    )


def _as_test_case(path: Path, result: Result) -> TestCase:
    wrong = [key for key, expected in result.expected.items() if expected != result.found[key]]
    lines = [
        f"{key}: expected {_value(result.expected[key])}, found {_value(result.found[key])}"
        for key in wrong
    ]
    return TestCase(
        name=result.case.name,
        classname=str(path),
        result="failure" if wrong else "passed",
        message="; ".join(lines),
        text="\n".join((str(result.case.place), *lines)) if wrong else "",
        kind=" and ".join(wrong),
    )


def _show(results: list[Result], *, update: bool) -> None:
    failures = [result for result in results if not result.passed]
    for result in failures:
        mark = ("RECORDED", "bold yellow") if update else ("FAIL", "bold red")
        show(join(mark, " ", (result.case.name, "bold"), f"  {result.case.place}"))
        for key, expected in result.expected.items():
            if expected != result.found[key]:
                show(
                    f"  {key}",
                    join((f"    - expected  {_value(expected)}", "red")),
                    join((f"    + found     {_value(result.found[key])}", "green")),
                )
    show(_summary(len(results), len(failures), update=update))


def _summary(total: int, failed: int, *, update: bool) -> Text:
    if update and failed:
        return join((f"{count(total, 'case')}, {failed} recorded", "bold yellow"))
    if not failed:
        return join((f"{count(total, 'case')}, all passed", "bold green"))
    return join((f"{count(total, 'case')}, {failed} failed", "bold red"))


def _value(value: str | list[str] | None) -> str:
    if isinstance(value, list):
        return clean(f"[{', '.join(value)}]")
    return "none" if value is None else clean(value)
