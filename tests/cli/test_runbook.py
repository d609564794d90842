"""`alert-router runbook list` and `runbook show`."""

import pytest


def test_the_list_has_a_row_for_each_runbook(router):
    answer = router.json("runbook", "list")

    assert answer["runbooks"][1] == {
        "id": "alerts/redis-issues",
        "title": "Redis issues",
        "category": "alerts",
        "severity": "Critical (P0)",
        "last_updated": "",
        "owner": "SRE Team",
        "sections": 2,
        "steps": 2,
        "problems": [],
    }


def test_a_runbook_that_cannot_be_used_is_listed_with_its_problems(router):
    router.write("runbooks/broken.md", "")

    answer = router.json("runbook", "list")
    text = router.run("runbook", "list").stdout

    [broken] = [row for row in answer["runbooks"] if row["id"] == "broken"]
    assert broken["problems"][0]["code"] == "runbook-empty"
    assert "3 runbooks" in text


def test_a_pipe_gets_the_runbook_without_colors(router):
    result = router.run("runbook", "show", "alerts/redis-issues")

    assert result.exit_code == 0
    assert result.stdout.startswith("Redis issues\n============\n")
    assert "    kubectl -n $NAMESPACE logs $POD\n" in result.stdout
    assert "dashboard (https://grafana.example.org/d/redis)" in result.stdout
    assert "\x1b" not in result.stdout


def test_json_has_metadata_sections_steps_and_commands(router):
    answer = router.json("runbook", "show", "alerts/redis-issues")

    assert answer["id"] == "alerts/redis-issues"
    assert answer["metadata"] == {"severity": "Critical (P0)", "owner": "SRE Team"}
    detection, verification = answer["sections"]
    assert (detection["name"], [step["title"] for step in detection["steps"]]) == (
        "Detection",
        ["Ask Redis.", "Read the dashboard."],
    )
    assert detection["steps"][0]["commands"] == [
        {"language": "bash", "text": "kubectl -n $NAMESPACE logs $POD", "values": {}}
    ]
    assert (verification["text"], verification["steps"]) == ("Nothing fires.", [])


def test_labels_fill_commands_as_in_a_notification(router):
    answer = router.json(
        "runbook", "show", "alerts/redis-issues", "--label", "namespace=prod", "--label", "pod=r;id"
    )

    [command] = answer["sections"][0]["steps"][0]["commands"]
    assert command == {
        "language": "bash",
        "text": "kubectl -n prod logs FILL_IN_POD",
        "values": {"POD": "r;id"},
    }


def test_labels_fill_the_whole_runbook(router):
    result = router.run("runbook", "show", "alerts/redis-issues", "--label", "namespace=prod")

    assert "kubectl -n prod logs" in result.stdout
    assert result.stdout.startswith("Redis issues\n")


def test_a_section_is_found_by_its_name_in_any_case(router):
    result = router.run("runbook", "show", "alerts/redis-issues", "--section", "verification")

    assert result.exit_code == 0
    assert result.stdout == "Verification\n------------\n\nNothing fires.\n"


def test_a_section_keeps_the_numbers_of_its_steps(router):
    result = router.run(
        "runbook", "show", "alerts/redis-issues", "--section", "Detection", "--label", "pod=r-0"
    )

    assert result.stdout == (
        "Detection\n"
        "---------\n"
        "\n"
        "1. Ask Redis.\n"
        "\n"
        "       kubectl -n FILL_IN_NAMESPACE logs r-0\n"
        "2. Read the dashboard (https://grafana.example.org/d/redis).\n"
    )


def test_a_missing_section_lists_the_existing_ones(router):
    result = router.run("runbook", "show", "alerts/redis-issues", "--section", "Escalation")

    assert result.exit_code == 1
    assert "it has: Detection, Verification" in result.stderr


def test_a_path_needs_no_configuration(router):
    path = router.write("drafts/some.md", "# Draft\n\n## Meaning\n\nNothing yet.\n")
    router.config.unlink()

    answer = router.json("runbook", "show", path)

    assert (answer["title"], answer["sections"][0]["name"]) == ("Draft", "Overview")


def test_an_unknown_runbook_is_an_error(router):
    result = router.run("runbook", "show", "alerts/nothing")

    assert result.exit_code == 1
    assert "no runbook 'alerts/nothing'" in result.stderr


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xef\xbb\xbf# T\n",
        b"\xff\xfe\x00",
        b"```bash\nnever closed",
        b"\x1b]0;owned\x07 # x\n\n[x](\x1b[2J)",
        b"- " * 5000 + b"deep",
        b"> " * 5000 + b"deep",
        b"| a |\n|---|\n| b | c | d |\n",
        b"---\n: : :\n\t- x\n---\n# T\n",
        b"# " + b"x" * 100_000,
        b"x\n" * 700_000,
        b"[[_TOC_]]\n<details>\n\n{{< hint >}}\n\n<pod-name>\n",
    ],
    ids=range(12),
)
@pytest.mark.parametrize("form", ["text", "json", "terminal"])
def test_no_file_causes_a_traceback_or_controls_the_terminal(router, monkeypatch, content, form):
    if form == "terminal":
        monkeypatch.setenv("FORCE_COLOR", "1")
    (router.directory / "odd.md").write_bytes(content)

    result = router.run(
        "runbook", "show", "odd.md", "--output", "json" if form == "json" else "text"
    )

    assert result.exit_code == 0
    assert "\x1b]0" not in result.output
    assert "\x1b[2J" not in result.output


def test_the_name_of_an_alert_leads_to_the_id_of_its_runbook(router):
    router.write("runbooks/kubernetes/KubePodCrashLooping.md", "# Pod\n\n## Mitigation\n\nText\n")
    result = router.run("runbook", "show", "KubePodCrashLooping")
    assert result.exit_code == 1
    assert "did you mean kubernetes/KubePodCrashLooping?" in result.stderr
