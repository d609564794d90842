"""`alert-router route show` and `route test`."""

import pytest

from tests.cli.world import ROUTING


def test_the_tree_and_the_table_are_shown(router):
    result = router.run("route", "show")

    assert result.exit_code == 0
    assert result.stdout == (
        "Receivers\n"
        "everything → oncall\n"
        '├── severity="critical" → pager (continue)\n'
        '└── component="redis" → oncall\n'
        "\n"
        "Runbooks\n"
        "\n"
        " Matchers                                 Runbook               Place\n"
        " ───────────────────────────────────────────────────────────────────────────────\n"
        ' component="redis", severity="critical"   alerts/redis-issues   routing.yaml:2:5\n'
        ' component="cache"                        none                  routing.yaml:4:5\n'
        ' alertname=~"Redis.*"                     alerts/redis-issues   routing.yaml:6:5\n'
        "\n"
        "Default runbook: none\n"
    )


def test_the_tree_as_json_has_inherited_receivers(router):
    router.write("routing.yaml", "route: {receiver: oncall, routes: [{matchers: ['a=\"b\"']}]}\n")

    answer = router.json("route", "show")

    assert answer["route"] == {
        "receiver": "oncall",
        "matchers": [],
        "continue": False,
        "file": "routing.yaml",
        "line": 1,
        "routes": [
            {
                "receiver": "oncall",
                "matchers": ['a="b"'],
                "continue": False,
                "file": "routing.yaml",
                "line": 1,
                "routes": [],
            }
        ],
    }
    assert (answer["runbooks"], answer["default_runbook"]) == ([], None)


def test_matches_and_misses_are_explained(router):
    result = router.run(
        "route", "test", "alertname=RedisDown", "component=redis", "severity=warning"
    )

    assert result.exit_code == 0
    assert result.stdout == (
        "runbook    alerts/redis-issues\n"
        "           from the runbook table: entry 3 at routing.yaml:6:5\n"
        "receivers  oncall\n"
        "\n"
        "Runbook table\n"
        '  ✗ component="redis", severity="critical" → alerts/redis-issues  routing.yaml:2:5\n'
        '      severity="critical" does not match: label `severity` is "warning"\n'
        '  ✗ component="cache" → none  routing.yaml:4:5\n'
        '      component="cache" does not match: label `component` is "redis"\n'
        '  ✓ alertname=~"Redis.*" → alerts/redis-issues  routing.yaml:6:5\n'
        "\n"
        "Route\n"
        "  ✓ everything → oncall  routing.yaml:9:3\n"
        '    ✗ severity="critical" → pager (continue)  routing.yaml:11:7\n'
        '        severity="critical" does not match: label `severity` is "warning"\n'
        '    ✓ component="redis" → oncall  ← notified  routing.yaml:14:7\n'
    )


def test_json_explains_everything(router):
    answer = router.json("route", "test", "component=cache", "severity=critical")

    assert answer == {
        "labels": {"component": "cache", "severity": "critical"},
        "annotations": {},
        "runbook": None,
        "way": "table",
        "entry": 1,
        "problem": None,
        "entries": [
            {
                "index": 0,
                "matchers": ['component="redis"', 'severity="critical"'],
                "runbook": "alerts/redis-issues",
                "file": "routing.yaml",
                "line": 2,
                "matched": False,
                "misses": [{"matcher": 'component="redis"', "found": "cache"}],
            },
            {
                "index": 1,
                "matchers": ['component="cache"'],
                "runbook": None,
                "file": "routing.yaml",
                "line": 4,
                "matched": True,
                "misses": [],
            },
        ],
        "receivers": ["pager"],
        "routes": [
            {
                "path": [],
                "receiver": "oncall",
                "matchers": [],
                "continue": False,
                "file": "routing.yaml",
                "line": 9,
                "matched": True,
                "result": False,
                "misses": [],
            },
            {
                "path": [0],
                "receiver": "pager",
                "matchers": ['severity="critical"'],
                "continue": True,
                "file": "routing.yaml",
                "line": 11,
                "matched": True,
                "result": True,
                "misses": [],
            },
            {
                "path": [1],
                "receiver": "oncall",
                "matchers": ['component="redis"'],
                "continue": False,
                "file": "routing.yaml",
                "line": 14,
                "matched": False,
                "result": False,
                "misses": [{"matcher": 'component="redis"', "found": "cache"}],
            },
        ],
    }


@pytest.mark.parametrize(
    ("arguments", "way", "sentence"),
    [
        (["alertname=RedisX"], "table", "from the runbook table: entry 3 at routing.yaml:6:5"),
        (["component=cache"], "table", "entry 2 at routing.yaml:4:5, which sets `runbook: null`"),
        (["a=b", "--annotation", "runbook=high-error-rate.md"], "annotation", "annotation"),
        (["alertname=HighErrorRate"], "name", "from the alert's name"),
        (["alertname=Other"], "none", "no entry, annotation, name or default matched"),
    ],
)
def test_the_reason_for_the_runbook_is_reported(router, arguments, way, sentence):
    assert router.json("route", "test", *arguments)["way"] == way
    assert sentence in router.run("route", "test", *arguments).stdout


def test_a_runbook_that_is_missing_is_reported(router):
    (router.directory / "runbooks/alerts/redis-issues.md").unlink()

    result = router.run("route", "test", "alertname=RedisX")

    assert "alerts/redis-issues, which is missing or cannot be read" in result.stdout


def test_a_long_table_is_shortened_in_text_and_complete_in_json(router):
    far = "".join(f"  - {{matchers: ['team=\"t{n}\"'], runbook: null}}\n" for n in range(200))
    router.write("routing.yaml", ROUTING.replace("runbooks:\n", "runbooks:\n" + far))
    arguments = ("route", "test", "component=redis")

    text = router.run(*arguments).stdout

    assert '✗ component="redis", severity="critical"' in text
    assert 'team="t7"' not in text
    assert "and 202 other entries without a match" in text
    assert len(router.json(*arguments)["entries"]) == 203


def test_a_missing_label_is_reported_as_missing(router):
    text = router.run("route", "test", "a=b").stdout

    assert 'component="cache" does not match: label `component` is missing or empty' in text


def test_no_label_controls_the_terminal(router):
    result = router.run("route", "test", "component=\x1b]0;owned\x07\n✓ forged")

    assert "\x1b" not in result.stdout
    assert "\n✓ forged" not in result.stdout


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["=x"], ["a=1", "a=2"]])
def test_an_invalid_label_is_a_usage_error(router, arguments):
    assert router.run("route", "test", *arguments).exit_code == 2
