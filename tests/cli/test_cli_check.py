"""`alert-router check`."""

import json

import pytest

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


def test_every_problem_is_told_at_once_with_line_and_caret(router):
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

    assert codes == ["config-undefined-receiver", "runbook-empty"]


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


def test_a_configuration_that_is_not_there_is_a_finding_in_json_too(router):
    answer = router.json("check", "--config", "nowhere.yaml", exit_code=1)

    assert answer["problems"][0]["file"] == "nowhere.yaml"


def test_no_control_character_of_a_file_reaches_the_terminal(router):
    router.write("alert-router.yaml", router.config.read_text() + '"\x1b]0;owned\x07": 1\n')

    result = router.run("check")

    assert result.exit_code == 1
    assert "\x1b" not in result.stdout + result.stderr
    json.dumps(result.stdout)


def test_an_unknown_option_is_usage(router):
    assert router.run("check", "--nonsense").exit_code == 2
