"""`alert-router runbook report`: how many runbooks of a collection say what to do in a message."""

import pytest

BOTH = """# Disk full

## Detection

1. `kubectl -n $namespace get pvc` lists the claims.

## Mitigation

1. `kubectl -n $namespace delete pod $pod` starts the pod again, on <some-node>.
"""
ONE_SIDE = "# Down\n\n## Mitigation\n\n1. Restart the server and wait for it.\n"
UNKNOWN = "# Slow\n\n## Grundsätzliches vorab\n\n- `kubectl get nodes -o wide`\n- Wait for them.\n"
SEVERAL = "".join(
    f"## {name}\n\nRestart the thing that is called {name} and wait until it is ready again.\n\n"
    for name in ("RingUnhealthy", "StoreGatewayDown", "CompactorNotRunning")
)


def totals(router, *arguments):
    return router.json("runbook", "report", *arguments)["totals"]


def states(router, folder):
    found = router.json("runbook", "report", folder)["runbooks"]
    return {it["runbook"]: (it["state"], it["says"], it["reason"]) for it in found}


def test_a_runbook_with_something_to_do_on_both_sides_says_what_to_do(router):
    router.write("books/a.md", BOTH)
    assert states(router, "books") == {"a": ("both", True, "")}


def test_the_only_side_that_is_written_is_enough(router):
    router.write("books/a.md", ONE_SIDE)
    assert states(router, "books") == {"a": ("one-side", True, "one-side-written")}


@pytest.mark.parametrize("text", ["TODO", "TBD.", "- [ ] todo", "N/A"])
def test_a_section_that_says_nothing_does_not_count(router, text):
    router.write("books/a.md", f"# Down\n\n## Detection\n\n{text}\n\n## Mitigation\n\n{text}\n")
    assert states(router, "books") == {"a": ("none", False, "nothing-written")}


def test_commands_of_another_section_are_in_a_message_that_would_have_none(router):
    look = "## Detection\n\n1. Look at `sum by (zone) (up)`.\n\n"
    other = "## Investigation\n\n1. `kubectl get pods -A` lists the pods.\n\n"
    router.write("books/a.md", ONE_SIDE.replace("## Mitigation", f"{look}{other}## Mitigation"))
    [found] = router.json("runbook", "report", "books")["runbooks"]
    assert (found["state"], found["says"], found["commands"]) == ("both", True, "all")


def test_a_file_that_cannot_be_read_and_one_in_another_format_count_as_runbooks(router):
    router.write("books/a.md", BOTH)
    router.write("books/empty.md", "")
    router.write("books/page.html", "<h1>Down</h1>")

    answer = router.json("runbook", "report", "books")

    assert answer["totals"]["runbooks"] == 3
    assert answer["totals"]["says"] == 1
    assert answer["not_read"] == [{"suffix": ".html", "count": 1}]
    reasons = {it["reason"]: it["count"] for it in answer["reasons"]}
    assert reasons == {"unreadable": 1, "format-not-read": 1}


def test_each_alert_of_a_file_for_several_counts_as_a_runbook(router):
    router.write("books/playbook.md", f"# Playbook\n\n{SEVERAL}")
    found = router.json("runbook", "report", "books")["runbooks"]
    assert [it["alert"] for it in found] == [
        "RingUnhealthy",
        "StoreGatewayDown",
        "CompactorNotRunning",
    ]


def test_headings_that_are_not_recognized_are_ranked_by_runbooks(router):
    router.write("books/a.md", UNKNOWN)
    router.write("books/b.md", UNKNOWN)
    router.write("books/c.md", UNKNOWN.replace("vorab", "zuletzt"))

    ranked = router.json("runbook", "report", "books")["headings"]

    assert ranked == [
        {"heading": "grundsätzliches vorab", "count": 2},
        {"heading": "grundsätzliches zuletzt", "count": 1},
    ]


def test_headings_of_the_same_rank_are_in_the_order_of_their_runbook(router):
    names = [f"vorab {letter}" for letter in "qwertzuiopasdfghjkl"]
    sections = "".join(f"## {name}\n\n- Warten.\n\n" for name in names)
    router.write("books/a.md", f"# Slow\n\n{sections}")
    ranked = router.json("runbook", "report", "books")["headings"]
    assert [each["heading"] for each in ranked] == names


def test_placeholders_are_counted_by_outcome_and_listed_with_their_spelling(router):
    router.write("books/a.md", BOTH.replace("get pvc", "get pvc -l x=$weird_thing"))

    placeholders = router.json("runbook", "report", "books")["placeholders"]
    assert (placeholders["filled"], placeholders["unknown"]) == (3, 1)
    assert placeholders["not_filled"] == [
        {"spelling": "$weird_thing", "outcome": "unknown", "count": 1}
    ]

    assert router.json("runbook", "report", "books")["folders"][0]["placeholders"]["filled"] == 3
    assert "75 %" in router.run("runbook", "report", "books").stdout

    given = router.json("runbook", "report", "books", "--label", "weird_thing=a")["placeholders"]
    assert (given["filled"], given["not_filled"]) == (4, [])


def test_placeholders_of_other_namespaces_and_other_languages(router):
    steps = (
        "1. `kubectl -n web logs <deployment>`, `kubectl -n web get hpa <hpa>`\n"
        "1. `kubectl -n monitoring logs <pod>`, `docker restart <service>`\n"
        "2. Show `{{ $labels.tenant }}`:\n\n   ```yaml\n   x: ${anything}\n   ```\n"
    )
    router.write("books/a.md", f"# Down\n\n## Mitigation\n\n{steps}")

    found = router.json("runbook", "report", "books")["placeholders"]

    outcomes = {it["spelling"]: it["outcome"] for it in found["not_filled"]}
    assert outcomes == {
        "<pod>": "elsewhere",
        "<service>": "elsewhere",
        "{{ $labels.tenant }}": "no_label",
    }


def test_the_sample_alert_is_in_the_namespace_that_most_commands_name(router):
    step = "1. `kubectl -n {} logs <pod>`\n"
    steps = (step.format(namespace) for namespace in ("monitoring", "web", "web", "<namespace>"))
    router.write("books/a.md", f"# Down\n\n## Mitigation\n\n{''.join(steps)}")

    found = router.json("runbook", "report", "books")["placeholders"]
    given = router.json("runbook", "report", "books", "--label", "namespace=x")["placeholders"]

    assert (found["filled"], found["elsewhere"]) == (4, 1)
    assert (given["filled"], given["elsewhere"]) == (2, 3)


def test_placeholders_in_commands_are_counted_apart(router):
    steps = (
        "1. `kubectl logs <pod>` in `<namespace>`, `<what>`\n"
        "2. Restart it:\n\n   ```sh\n   kubectl delete \\\n     pod <pod> <why>\n   ```\n"
        '3. Look at:\n\n   ```promql\n   up{pod="$pod"}\n   ```\n'
    )
    router.write("books/a.md", f"# Down\n\n## Mitigation\n\n{steps}")

    found = router.json("runbook", "report", "books")["placeholders"]

    assert (found["filled"], found["unknown"]) == (4, 2)
    assert (found["in_commands"]["filled"], found["in_commands"]["unknown"]) == (2, 1)
    text = " ".join(router.run("runbook", "report", "books").stdout.split())
    assert "4 of 6 placeholders filled, 66.6 %, in commands 2 of 3, 66.6 %" in text


def test_the_sample_alert_has_the_labels_that_a_name_may_mean(router):
    steps = (
        "1. `systemctl status <service>`\n2. `kubectl describe apiservice $NAME`\n"
        "3. `oc get clusteroperator $NAME`\n4. `virtctl stop <vm>`\n"
    )
    router.write("books/a.md", f"# Down\n\n## Mitigation\n\n{steps}")
    assert router.json("runbook", "report", "books")["placeholders"]["filled"] == 4


def test_the_mean_of_the_folders_weighs_small_ones_as_much(router):
    router.write("large/a.md", BOTH)
    router.write("large/b.md", BOTH)
    router.write("large/c.md", BOTH)
    router.write("small/a.md", "# A\n\nNothing is known about this alert, sadly.\n")

    found = totals(router, "large", "small")

    assert (found["percent"], found["mean_percent"]) == (75, 50)


def test_fail_under_sets_the_exit_code(router):
    router.write("books/a.md", BOTH)
    router.write("books/b.md", "")

    codes = [
        router.run("runbook", "report", *words).exit_code
        for words in (
            ["books"],
            ["books", "--fail-under", "50"],
            ["books", "--fail-under", "51"],
            ["nowhere"],
            ["books/a.md"],
            [],
        )
    ]
    assert codes == [0, 0, 1, 2, 2, 2]


def test_the_text_ends_with_the_verdict(router):
    router.write("books/a.md", BOTH)
    router.write("books/b.md", "# B\n\nNothing is known about this alert, sadly.\n")

    lines = router.run("runbook", "report", "books").stdout.splitlines()

    assert lines[-1] == "2 runbooks: 1 say what to do, 50 %"


def test_control_characters_of_a_heading_do_not_reach_the_terminal(router):
    router.write("books/a.md", UNKNOWN.replace("vorab", "\x1b[31mvorab"))
    assert "\x1b" not in router.run("runbook", "report", "books").stdout
