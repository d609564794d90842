"""`alert-router runbook lint`."""

import json

CLEAN = "# Example\n\n## Detection\n\n1. Look.\n\n## Mitigation\n\n1. Act.\n"
LEFTOVER = CLEAN.replace("Act", "TODO")
SECRET = CLEAN.replace("Act", "Use postgres://app:Zk3v9Qm2Lx@db/x")


def test_a_clean_directory_is_good(router):
    router.write("clean/a.md", CLEAN)

    result = router.run("runbook", "lint", "clean")

    assert (result.exit_code, result.stdout) == (0, "0 errors, 0 warnings; 1 runbook\n")


def test_findings_are_shown_as_check_shows_them(router):
    router.write("left/a.md", LEFTOVER)

    result = router.run("runbook", "lint", "left")

    assert result.exit_code == 0
    assert result.stdout == (
        "left/a.md:9:4: warning: leftover text `TODO` [runbook-leftover]\n"
        "  9 | 1. TODO.\n"
        "    |    ^\n"
        "  Replace it, or remove it.\n"
        "0 errors, 1 warning; 1 runbook\n"
    )


def test_warnings_fail_only_with_strict(router):
    router.write("left/a.md", LEFTOVER)
    router.write("secret/a.md", SECRET)

    codes = [
        router.run("runbook", "lint", *words).exit_code
        for words in (["left"], ["left", "--strict"], ["secret"], ["nowhere"], [])
    ]
    assert codes == [0, 1, 1, 2, 2]


def test_files_and_directories_can_overlap_without_duplicate_findings(router):
    router.write("left/a.md", LEFTOVER)
    router.write("left/b.md", CLEAN)

    answer = router.json("runbook", "lint", "left", "left/a.md", "left/../left/b.md")

    assert [(p["file"], p["code"]) for p in answer["problems"]] == [
        ("left/a.md", "runbook-leftover")
    ]
    counts = {key: answer[key] for key in ("files", "errors", "warnings", "infos")}
    assert counts == {"files": 2, "errors": 0, "warnings": 1, "infos": 0}


def test_a_single_file_may_have_any_name(router):
    router.write("README.md", LEFTOVER)
    assert "1 warning" in router.run("runbook", "lint", "README.md").stdout


def test_a_comment_with_a_reason_suppresses_a_finding(router):
    comment = "   <!-- alert-router: ignore runbook-leftover: it is the vendor's word -->\n"
    router.write("left/a.md", LEFTOVER.replace("1. TODO", f"1. Act.\n\n{comment}   TODO"))
    router.write("left/b.md", LEFTOVER + comment)

    answer = router.json("runbook", "lint", "left")

    assert [(p["file"], p["code"]) for p in answer["problems"]] == [
        ("left/b.md", "runbook-leftover"),
        ("left/b.md", "ignore-unused"),
    ]


def test_findings_for_github_and_code_scanning(router):
    router.write("left/a.md", LEFTOVER)

    annotations = router.run("runbook", "lint", "left", "--output", "github").stdout
    sarif = json.loads(router.run("runbook", "lint", "left", "--output", "sarif").stdout)

    assert annotations.startswith("::warning file=left/a.md,line=9,col=4,title=runbook-leftover::")
    [result] = sarif["runs"][0]["results"]
    assert result["ruleId"] == "runbook-leftover"


def test_a_file_that_is_not_markdown_is_a_usage_error(router):
    result = router.run("runbook", "lint", "routing.yaml")
    assert result.exit_code == 2
    assert "'routing.yaml' is not a runbook: its name must end in `.md`" in result.stderr


def test_no_configuration_is_needed_and_none_is_read(router):
    router.write("alert-router.yaml", "not: [a, configuration")
    router.write("clean/a.md", CLEAN)
    assert router.run("runbook", "lint", "clean").exit_code == 0


def test_no_secret_is_in_any_output(router):
    router.write("secret/a.md", SECRET)
    for output in ("text", "json"):
        shown = router.run("runbook", "lint", "secret", "--output", output).output
        assert "Zk3v9Qm2Lx" not in shown
        assert "runbook-secret" in shown


def test_json_is_valid_for_any_runbook(router):
    router.write("odd/a.md", "# \x1b[31m\u2028\n\n```bash\n\x1b)\n```\n")
    result = router.run("runbook", "lint", "odd", "--output", "json")
    assert json.loads(result.stdout)["files"] == 1
    assert "\x1b" not in router.run("runbook", "lint", "odd").stdout
