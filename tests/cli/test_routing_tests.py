"""`alert-router test`."""

CASES = """\
cases:
  - name: a critical Redis alert gets the Redis runbook and both receivers
    labels: {alertname: RedisDown, component: redis, severity: critical}
    runbook: alerts/redis-issues
    receivers: [pager, oncall]
  - name: the cache has no runbook
    labels: {alertname: LowCacheHitRate, component: cache}
    runbook: null
  - name: an annotation names the runbook
    labels: {alertname: Strange}
    annotations: {runbook_url: "https://wiki.example.org/alerts/high-error-rate.md#top"}
    runbook: alerts/high-error-rate
  - name: what is left out is not checked
    labels: {alertname: RedisDown}
"""

WRONG = """\
cases:
  - name: wrong about both
    labels: {alertname: RedisDown, severity: critical}
    runbook: null
    receivers: [oncall]
"""


def test_correct_cases_pass(router):
    router.write("cases.yaml", CASES)

    result = router.run("test", "cases.yaml")

    assert (result.exit_code, result.stdout) == (0, "4 cases, all passed\n")


def test_json_has_only_the_checked_keys(router):
    router.write("cases.yaml", CASES)
    router.write("wrong.yaml", WRONG)

    answer = router.json("test", "cases.yaml", "wrong.yaml", exit_code=1)

    both = {"runbook": "alerts/redis-issues", "receivers": ["pager", "oncall"]}
    assert answer == {
        "cases": [
            {
                "name": "a critical Redis alert gets the Redis runbook and both receivers",
                "passed": True,
                "expected": both,
                "found": both,
            },
            {
                "name": "the cache has no runbook",
                "passed": True,
                "expected": {"runbook": None},
                "found": {"runbook": None},
            },
            {
                "name": "an annotation names the runbook",
                "passed": True,
                "expected": {"runbook": "alerts/high-error-rate"},
                "found": {"runbook": "alerts/high-error-rate"},
            },
            {
                "name": "what is left out is not checked",
                "passed": True,
                "expected": {},
                "found": {},
            },
            {
                "name": "wrong about both",
                "passed": False,
                "expected": {"runbook": None, "receivers": ["oncall"]},
                "found": {"runbook": "alerts/redis-issues", "receivers": ["pager"]},
            },
        ]
    }


def test_a_failure_shows_what_was_expected_and_found(router):
    router.write("wrong.yaml", WRONG)

    result = router.run("test", "wrong.yaml")

    assert result.exit_code == 1
    assert result.stdout == (
        "FAIL wrong about both  wrong.yaml:2:5\n"
        "  runbook\n"
        "    - expected  none\n"
        "    + found     alerts/redis-issues\n"
        "  receivers\n"
        "    - expected  [oncall]\n"
        "    + found     [pager]\n"
        "1 case, 1 failed\n"
    )


def test_the_order_of_receivers_counts(router):
    router.write("cases.yaml", CASES.replace("[pager, oncall]", "[oncall, pager]"))

    assert router.run("test", "cases.yaml").exit_code == 1


def test_files_that_cannot_be_read_are_all_reported_with_their_places(router):
    router.write("bad.yaml", "cases:\n  - nam: x\n    labels: {}\n")

    result = router.run("test", "bad.yaml", "missing.yaml", "--output", "json")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "bad.yaml:2:5" in result.stderr
    assert "missing.yaml" in result.stderr


def test_no_file_is_a_usage_error(router):
    assert router.run("test").exit_code == 2
