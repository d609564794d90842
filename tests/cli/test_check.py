"""`alert-router check`."""

import json
from datetime import date
from pathlib import Path

import pytest

from alert_router.cli.commands.check import run_checks
from alert_router.runbook import Catalogue
from tests.checks.pages import runbook


@pytest.fixture
def router(router):
    """With runbooks that nothing is wrong with."""
    clean = runbook().replace("---\n\n", "alerts: none\n---\n\n", 1)
    for name in ("redis-issues", "high-error-rate"):
        router.write(f"runbooks/alerts/{name}.md", clean)
    return router


def test_a_good_configuration_passes_with_a_summary(router):
    result = router.run("check")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == (
        "0 errors, 0 warnings; 3 table entries, 2 receivers, 2 runbooks"
    )


def test_all_problems_are_reported_at_once_with_line_and_caret(router):
    routing = (router.directory / "routing.yaml").read_text()
    routing = routing.replace("alertname=~", "alertname=~~").replace(
        "receiver: pager", "receiver: pagr"
    )
    router.write("routing.yaml", routing)

    result = router.run("check")

    assert result.exit_code == 1
    assert "routing.yaml:6:" in result.stdout
    assert "did you mean `pager`?" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("2 errors, 0 warnings")
    carets = [line for line in result.stdout.splitlines() if line.strip(" |") == "^"]
    assert len(carets) == 2


def test_runbooks_are_checked_though_the_routing_is_broken(router):
    router.write("routing.yaml", "route: {receiver: nobody}\n")
    router.write("runbooks/empty.md", "")

    codes = [problem["code"] for problem in router.json("check", exit_code=1)["problems"]]

    assert codes == ["runbook-empty", "config-undefined-receiver"]


def test_unknown_runbooks_are_found_though_the_configuration_is_broken(router):
    router.write("routing.yaml", "route: {receiver: nobody}\ndefault_runbook: alerts/redis\n")
    router.write("alert-router.yaml", router.config.read_text() + "wrong: 1\n")

    codes = [problem["code"] for problem in router.json("check", exit_code=1)["problems"]]

    assert sorted(codes) == [
        "config-undefined-receiver",
        "config-unknown-key",
        "routing-unknown-runbook",
    ]


def test_an_unknown_runbook_is_an_error(router):
    routing = (router.directory / "routing.yaml").read_text()
    router.write("routing.yaml", routing + "default_runbook: alerts/redis\n")

    answer = router.json("check", exit_code=1)

    assert answer["errors"] == 1
    assert answer["problems"][0]["code"] == "routing-unknown-runbook"
    assert set(answer["problems"][0]) == {
        "code", "severity", "message", "file", "line", "column", "hint",
    }  # fmt: skip


def test_a_missing_secret_is_a_warning_which_strict_makes_a_finding(router):
    guarded = "http: {auth: {bearer_token_file: missing}, "
    router.write("alert-router.yaml", router.config.read_text().replace("http: {", guarded, 1))

    assert router.run("check").exit_code == 0
    answer = router.json("check", "--strict", exit_code=1)

    assert (answer["errors"], answer["warnings"]) == (0, 1)
    assert answer["problems"][0]["code"] == "secret-unreadable"


def test_a_missing_configuration_is_a_finding_in_json_too(router):
    answer = router.json("check", "--config", "nowhere.yaml", exit_code=1)

    assert answer["problems"][0]["file"] == "nowhere.yaml"


def test_no_control_character_of_a_file_reaches_the_terminal(router):
    router.write("alert-router.yaml", router.config.read_text() + '"\x1b]0;owned\x07": 1\n')

    result = router.run("check")

    assert result.exit_code == 1
    assert "\x1b" not in result.stdout + result.stderr
    json.dumps(result.stdout)


def test_an_unknown_option_is_a_usage_error(router):
    assert router.run("check", "--nonsense").exit_code == 2


RULES = """\
groups:
  - name: example
    rules:
      - alert: Example
        expr: sum by (pod) (rate(errors_total[5m])) > 1
"""
ASKS = "\n1. See.\n\n   ```bash\n   kubectl --context $cluster -n $namespace logs $pod\n   ```\n"


@pytest.fixture
def rules(router):
    """A rule whose alerts carry a pod, and a runbook of theirs that asks for more."""
    router.write("rules/a.yaml", RULES)
    routing = (router.directory / "routing.yaml").read_text()
    router.write("routing.yaml", routing.replace('alertname=~"Redis.*"', 'alertname="Example"'))
    text = (router.directory / "runbooks/alerts/redis-issues.md").read_text()
    router.write(
        "runbooks/alerts/redis-issues.md", text.replace("## Detection\n", f"## Detection\n{ASKS}")
    )
    return router


def codes(answer):
    return [problem["code"] for problem in answer["problems"]]


def test_with_rules_labels_that_alerts_do_not_have_are_found(rules):
    assert codes(rules.json("check")) == []
    answer = rules.json("check", "--rules", "rules/*.yaml")
    assert [p["message"].split("`")[1] for p in answer["problems"]] == ["$cluster", "$namespace"]
    assert rules.run("check", "--rules", "rules").stdout.endswith("2 runbooks, 1 alerting rule\n")


def test_rules_and_common_labels_come_from_the_configuration(rules):
    checks = "checks: {rules: [rules/*.yaml], labels: [cluster]}\n"
    rules.write("alert-router.yaml", rules.config.read_text() + checks)
    answer = rules.json("check")
    assert [p["message"].split("`")[1] for p in answer["problems"]] == ["$namespace"]
    assert codes(rules.json("check", "--rules", "nowhere.yaml", exit_code=1)) == ["yaml-unreadable"]


def test_rules_are_checked_though_the_routing_is_broken(rules):
    rules.write("routing.yaml", "route: {receiver: nobody}\n")
    rules.write("rules/a.yaml", RULES.replace("> 1", ">"))
    answer = rules.json("check", "--rules", "rules", exit_code=1)
    assert codes(answer) == ["rules-promql", "config-undefined-receiver"]


def weigh(router, **severity):
    text = "".join(f"    {code.replace('_', '-')}: {word}\n" for code, word in severity.items())
    router.write("alert-router.yaml", router.config.read_text() + f"checks:\n  severity:\n{text}")


def test_the_configuration_sets_the_severity_of_a_code(router):
    router.write("runbooks/alerts/redis-issues.md", "# Redis\n")
    weigh(router, runbook_missing_section="error")
    assert router.json("check", exit_code=1)["errors"] == 1


def test_a_code_with_severity_off_is_not_reported(router):
    router.write("runbooks/alerts/redis-issues.md", "# Redis\n")
    weigh(router, runbook_missing_section="off", runbook_no_metadata="off")
    assert codes(router.json("check")) == []


def test_a_fatal_problem_can_neither_be_suppressed_nor_downgraded(router):
    weigh(router, config_undefined_receiver="off")
    router.write(
        "routing.yaml",
        "route: {receiver: nobody}  # alert-router: ignore config-undefined-receiver: why not\n",
    )
    assert codes(router.json("check", exit_code=1))[0] == "config-undefined-receiver"


def test_a_comment_in_any_file_suppresses_findings_of_its_line(router):
    routing = (router.directory / "routing.yaml").read_text()
    comment = "# alert-router: ignore routing-shadowed-entry: kept for its history"
    entry = f"  {comment}\n  - matchers: ['component=\"cache\"']\n    runbook: null\n"
    router.write("routing.yaml", routing.replace("route:\n", f"{entry}route:\n"))
    router.write("runbooks/empty.md", "")
    assert codes(router.json("check", exit_code=1)) == ["runbook-empty"]


def test_runbooks_and_rules_are_checked_though_the_main_file_is_broken(rules):
    rules.write("alert-router.yaml", rules.config.read_text().replace("receivers:", "recievers:"))
    rules.write("runbooks/empty.md", "")
    rules.write("rules/a.yaml", RULES.replace("> 1", ">"))
    found = codes(rules.json("check", "--rules", "rules", exit_code=1))
    assert {"config-unknown-key", "runbook-empty", "rules-promql"} <= set(found)
    rules.write("alert-router.yaml", "runbooks: {path: [\n")
    found = codes(rules.json("check", "--rules", "rules", exit_code=1))
    assert found == ["rules-promql", "yaml-syntax"]


def test_the_shipped_files_have_no_warning(monkeypatch):
    """On the day on which its runbooks were last changed: reviews fall due by themselves."""
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    books = Catalogue.load(root / "runbooks").runbooks.values()
    today = max(date.fromisoformat(book.metadata["last_updated"]) for book in books)
    found = run_checks(Path("config/alert-router.yaml"), (), today=today)
    assert [problem.show() for problem in found.problems] == []
    assert "alerting rules" in found.summary


def test_all_runbooks_that_nothing_leads_to_are_one_line(router):
    for number in range(8):
        router.write(f"runbooks/more/alert-{number}.md", "# Title\n\n## Mitigation\n\n1. Act.\n")

    problems = router.json("check")["problems"]

    [found] = [it for it in problems if it["code"] == "routing-unreached-runbook"]
    assert found["file"] == "runbooks"
    assert found["message"] == (
        "no entry of the runbook table leads to 8 runbooks: more/alert-0, more/alert-1, "
        "more/alert-2, more/alert-3, more/alert-4 and 3 more"
    )


def test_a_directory_of_runbooks_can_be_checked_as_a_configuration(router):
    result = router.run("check", "--config", "runbooks", "--connect")
    assert result.exit_code == 0
    assert result.stdout.endswith("; 0 table entries, 1 receiver, 2 runbooks\n")


def test_a_suppression_of_a_check_that_did_not_run_is_not_reported_as_unused(router):
    text = (router.directory / "runbooks/alerts/high-error-rate.md").read_text()
    reason = "<!-- alert-router: ignore {}: it is so -->"
    about = [reason.format(c) for c in ("routing-unreached-runbook", "runbook-unknown-label")]
    text = text.replace("alerts: none\n", "").replace(
        "# Example\n", "\n".join([*about, "# Example\n"])
    )
    router.write("runbooks/alerts/high-error-rate.md", text)
    assert codes(router.json("check")) == []
    router.write("routing.yaml", "route: {receiver: nobody}\n")
    assert codes(router.json("check", exit_code=1)) == ["config-undefined-receiver"]


def test_what_makes_the_configuration_unusable_is_last(router):
    router.write("runbooks/zzz.md", "")
    router.write("alert-router.yaml", "runbooks: {path: runbooks}\nreceivers: 3\n")
    found = codes(router.json("check", exit_code=1))
    assert found[-1] == "config-wrong-type"
    assert "runbook-empty" in found[:-1]
