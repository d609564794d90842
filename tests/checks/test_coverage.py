"""Which runbook and which receivers a rule's alerts get, where not every label is known."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.checks.coverage import (
    RoutingRules,
    by_file,
    by_severity,
    cover,
    labels_by_runbook,
    totals,
    unknown_sections,
    with_external,
)
from alert_router.checks.rules import PossibleLabels, read_rules_text
from alert_router.enrich import select_runbook
from alert_router.matcher import parse_matchers
from alert_router.model import Alert, Status
from alert_router.routing import Route, RouteTree, RunbookEntry, RunbookTable
from alert_router.runbook import Catalogue

IDS = ("alerts/redis-issues", "alerts/kafka-lag", "alerts/disk", "incidents/disk", "incidents/all")


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory) -> Catalogue:
    root = tmp_path_factory.mktemp("runbooks")
    for id in IDS:
        path = root / f"{id}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {id}\n")
    return Catalogue.load(root)


def routing(catalogue, entries=(), routes=(), default=None) -> RoutingRules:
    made = [RunbookEntry(parse_matchers(text), runbook) for text, runbook in entries]
    tree = RouteTree(Route("default", routes=tuple(routes)))
    return RoutingRules(RunbookTable(made), tree, default, catalogue)


def to(receiver: str, matchers: str, *routes: Route, continue_: bool = False) -> Route:
    return Route(receiver, parse_matchers(matchers), continue_, routes)


def rules(expression: str = "up == 0", name: str = "SomeAlert", labels="{}", annotations="{}"):
    text = (
        f"groups: [{{name: g, rules: [{{alert: {name}, expr: '{expression}', labels: {labels},"
        f" annotations: {annotations}}}]}}]"
    )
    found = read_rules_text(text, "rules.yaml")
    assert not found.problems
    return found.alerts


def covered(by: RoutingRules, *args, external=None, **kwargs):
    (found,) = cover(rules(*args, **kwargs), by, external or {})
    return found


def ways(found) -> list[tuple[str | None, str]]:
    return [(choice.runbook, choice.way) for choice in found.choices]


def test_labels_of_the_rule_and_of_its_expression_decide(catalogue):
    by = routing(catalogue, [('team="db", job="redis"', "alerts/redis-issues")])
    found = covered(by, 'up{job="redis"} == 0', labels="{team: db}")
    assert (found.state, ways(found)) == ("covered", [("alerts/redis-issues", "table")])
    found = covered(by, 'sum(up{job="redis"}) == 0', labels="{team: db}")
    assert (found.state, ways(found)) == ("uncovered", [(None, "none")])


def test_an_entry_with_an_unknown_label_is_one_of_the_outcomes(catalogue):
    by = routing(
        catalogue,
        [
            ('alertname="Other"', "alerts/disk"),
            ('team="db"', "alerts/redis-issues"),
            ('alertname="SomeAlert"', "alerts/kafka-lag"),
            ('alertname=~"Some.*"', "alerts/disk"),
        ],
    )
    found = covered(by)
    assert ways(found) == [("alerts/redis-issues", "table"), ("alerts/kafka-lag", "table")]
    assert [choice.entry for choice in found.choices] == [1, 2]
    assert found.depends_on == ("team",)
    assert found.state == "covered"  # by one or by the other


def test_an_alert_with_a_runbook_for_some_label_values_only_depends(catalogue):
    by = routing(catalogue, [('team="db", job="redis"', "alerts/redis-issues")])
    found = covered(by)
    assert (found.state, found.depends_on) == ("depends", ("team", "job"))
    assert ways(found) == [("alerts/redis-issues", "table"), (None, "none")]


def test_several_matchers_of_one_label_are_combined(catalogue):
    by = routing(catalogue, [('job=~"a|b", job!="a"', "alerts/redis-issues")])
    assert covered(by, 'up{job=~"a"} == 0').state == "uncovered"
    assert covered(by, 'up{job=~"b"} == 0').state == "covered"
    assert covered(by, 'up{job=~"a|b"} == 0').state == "depends"
    by = routing(catalogue, [('job=~"a|b|c"', "alerts/redis-issues")])
    assert covered(by, 'up{job=~"a|b"} == 0').state == "covered"


def test_runbooks_are_chosen_in_the_order_used_for_alerts(catalogue):
    by = routing(catalogue, default="incidents/all")
    url = "{runbook_url: https://example.org/alerts/redis-issues.md#fix}"
    assert ways(covered(by, annotations=url)) == [("alerts/redis-issues", "annotation")]
    assert ways(covered(by, name="KafkaLag")) == [("alerts/kafka-lag", "name")]
    found = covered(by, name="Disk")
    assert ways(found) == [("incidents/all", "default")]
    assert "fits 2 runbooks" in found.choices[0].problem


def test_a_null_entry_wants_no_runbook_and_is_not_counted_in_percent(catalogue):
    by = routing(catalogue, [('alertname="Watchdog"', None), ('team="a"', "alerts/disk")])
    alerts = [
        *cover(rules(name="Watchdog"), by, {}),
        *cover(rules(labels="{team: a, severity: critical}"), by, {}),
        *cover(rules(labels="{team: b, severity: critical}"), by, {}),
        *cover(rules(), by, {}),
    ]
    assert [alert.state for alert in alerts] == ["none-wanted", "covered", "uncovered", "depends"]
    found = totals(alerts)
    assert (found.alerts, found.covered, found.percent) == (4, 1, pytest.approx(100 / 3))
    assert list(by_severity(alerts)) == ["critical", ""]
    assert by_severity(alerts)["critical"].percent == 50
    assert by_file(alerts) == {"rules.yaml": found}
    assert totals([]).percent == 100


def test_an_entry_with_a_missing_runbook_is_skipped(catalogue):
    by = routing(catalogue, [('team="a"', "alerts/gone")])
    found = covered(by, labels="{team: a}", name="KafkaLag")
    assert ways(found) == [("alerts/kafka-lag", "name")]
    assert "alerts/gone, which is missing" in found.choices[0].problem


TEMPLATED = "{runbook_url: 'https://example.org/{{ $labels.x }}'}"


def test_a_templated_annotation_is_not_known(catalogue):
    found = covered(routing(catalogue), annotations=TEMPLATED)
    assert (found.state, found.template) == ("depends", "runbook_url")
    assert ways(found) == [(None, "annotation"), (None, "none")]
    assert [own.agreement for own in found.annotations] == ["templated"]


def test_a_template_matters_only_if_the_annotation_decides(catalogue):
    by = routing(catalogue, [('team="a"', "alerts/disk")])
    assert covered(by, labels="{team: a}", annotations=TEMPLATED).state == "covered"
    first = TEMPLATED.replace("{r", "{runbook: alerts/disk, r", 1)
    assert ways(covered(by, labels="{team: b}", annotations=first)) == [
        ("alerts/disk", "annotation")
    ]
    fragment = "{runbook_url: 'https://example.org/alerts/disk#{{ $labels.x }}'}"
    found = covered(by, labels="{team: b}", annotations=fragment)
    assert ways(found) == [("alerts/disk", "annotation")]
    assert [own.agreement for own in found.annotations] == ["agrees"]


@pytest.mark.parametrize(
    ("url", "agreement"),
    [
        ("https://example.org/alerts/disk", "agrees"),
        ("https://example.org/alerts/kafka-lag", "differs"),
        ("https://example.org/alerts/unknown", "dead"),
        ("https://example.org/some/disk", "ambiguous"),
    ],
)
def test_a_runbook_annotation_is_compared_with_the_chosen_runbook(catalogue, url, agreement):
    by = routing(catalogue, [('alertname="SomeAlert"', "alerts/disk")])
    (own,) = covered(by, annotations=f"{{runbook_url: '{url}'}}").annotations
    assert (own.name, own.value, own.agreement) == ("runbook_url", url, agreement)


def test_an_annotation_naming_one_of_several_outcomes_depends(catalogue):
    by = routing(catalogue, [('team="a"', "alerts/disk"), ('alertname!=""', "alerts/kafka-lag")])
    (own,) = covered(by, annotations="{runbook: alerts/disk}").annotations
    assert own.agreement == "depends"


def test_external_labels_are_unknown_unless_given(catalogue):
    by = routing(catalogue, [('cluster="prod"', "alerts/disk")])
    summed = "sum(up) == 0"
    assert covered(by, summed).depends_on == ("cluster",)
    assert covered(by, summed, external={"cluster": "prod"}).state == "covered"
    assert covered(by, summed, external={"cluster": "test"}).state == "uncovered"
    assert covered(by, summed, external={"cluster": ""}).state == "uncovered"
    assert covered(by, "up == 0", external={"cluster": "prod"}).state == "covered"
    own = covered(by, summed, labels="{cluster: other}", external={"cluster": "prod"})
    assert own.state == "uncovered"  # the rule's own label stays
    by = routing(catalogue, [('team="db"', "alerts/disk")])
    assert covered(by, summed).state == "uncovered"
    assert covered(by, summed, external={"team": None}).depends_on == ("team",)


def test_all_possible_receivers_of_the_route_tree_are_listed(catalogue):
    tree = [
        to("pager", 'severity="critical"', continue_=True),
        to("db", 'team="db"', to("db-night", 'shift="night"')),
        to("web", 'alertname="SomeAlert"'),
    ]
    by = routing(catalogue, routes=tree)
    found = covered(by, "vector(1)", labels="{severity: critical, team: db}")
    assert (found.receivers, found.receivers_depend_on) == ((("pager", "db"),), ())
    found = covered(by, labels="{severity: critical}")
    assert set(found.receivers) == {("pager", "db"), ("pager", "db-night"), ("pager", "web")}
    assert found.receivers_depend_on == ("team", "shift")
    found = covered(routing(catalogue), labels="{severity: critical}")
    assert found.receivers == (("default",),)


def test_too_many_outcomes_are_not_listed(catalogue):
    tree = [to(f"r{n}", f'team{n}="x"', continue_=True) for n in range(20)]
    found = covered(routing(catalogue, routes=tree))
    assert found.receivers == ()
    assert "team0" in found.receivers_depend_on


def test_labels_by_runbook_are_those_of_all_its_possible_alerts(catalogue):
    by = routing(
        catalogue,
        [
            ('alertname="A"', "alerts/disk"),
            ('alertname="B", pod="x"', "alerts/disk"),
            ('alertname="B"', "alerts/kafka-lag"),
            ('alertname="C"', "alerts/redis-issues"),
        ],
    )
    alerts = [
        *cover(rules("sum by (node) (up) == 0", name="A"), by, {}),
        *cover(rules("sum by (pod) (up) == 0", name="B", labels="{severity: x}"), by, {}),
        *cover(rules("up == 0", name="C"), by, {}),
    ]
    assert labels_by_runbook(alerts, catalogue, ("cluster",)) == {
        "alerts/disk": {"alertname", "cluster", "node", "pod", "severity"},
        "alerts/kafka-lag": {"alertname", "cluster", "pod", "severity"},
        "alerts/redis-issues": None,
    }


VALUES = ("", "1", "2")
NAMES = ("a", "b")
ANY = st.one_of(st.none(), st.frozensets(st.sampled_from(VALUES), min_size=1).map(frozenset))
MATCHERS = st.lists(
    st.builds(
        '{}{}"{}"'.format,
        st.sampled_from([*NAMES, *NAMES, "alertname"]),
        st.sampled_from(["=", "!=", "=~", "!~"]),
        st.sampled_from(["", "1", "2", "1|2", "X|1", ".*", ".+"]),
    ),
    min_size=1,
    max_size=3,
).map(", ".join)
ENTRIES = st.lists(st.tuples(MATCHERS, st.sampled_from([*IDS, None])), max_size=4)
ROUTES = st.recursive(
    st.builds(to, st.sampled_from("pqr"), MATCHERS, continue_=st.booleans()),
    lambda below: st.builds(
        lambda receiver, matchers, routes, continue_: to(
            receiver, matchers, *routes, continue_=continue_
        ),
        st.sampled_from("pqr"),
        MATCHERS,
        st.lists(below, max_size=2),
        st.booleans(),
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=150)
@given(values=st.tuples(ANY, ANY), entries=ENTRIES, routes=st.lists(ROUTES, max_size=3))
def test_for_any_values_of_unknown_labels_the_result_is_among_the_outcomes(
    catalogue, values, entries, routes
):
    from dataclasses import replace

    by = routing(catalogue, entries, routes)
    carried = PossibleLabels(
        dict(zip(NAMES, values, strict=True)) | {"alertname": frozenset(["X"])}
    )
    (rule,) = rules()
    (found,) = cover([replace(rule, name="X", possible_labels=carried)], by, {"cluster": ""})
    lots = []
    for some in product(*((each or VALUES) for each in values)):
        labels = {name: value for name, value in zip(NAMES, some, strict=True) if value}
        labels["alertname"] = "X"
        alert = Alert(status=Status.FIRING, labels=labels, fingerprint="f")
        lots.append(select_runbook(alert, by.table, by.catalogue, None))
        assert lots[-1] in found.choices
        assert by.tree.match(labels) in found.receivers
    if found.state == "covered":
        assert all(choice.runbook for choice in lots)
    if not found.depends_on:
        assert len(set(lots)) == 1


def test_external_labels_never_replace_labels_of_the_alert():
    carried = PossibleLabels({"a": frozenset(["1"]), "b": frozenset(["", "1"]), "c": None})
    arrived = with_external(carried, {"a": "9", "b": "9", "c": "9", "d": "9"})
    assert [arrived.of(name) for name in "abcd"] == [{"1"}, {"1", "9"}, {"9"}, {"9"}]


def test_an_alert_without_a_section_in_a_file_of_many_is_not_covered(tmp_path):
    (tmp_path / "many.md").write_text("# M\n\n## QueueDown\n\n1. Do.\n\n## QueueFull\n\n1. Do.\n")
    by = routing(Catalogue.load(tmp_path), [('alertname=~"Queue.*"', "many")])

    assert covered(by, name="QueueDown").choices[0].runbook == "many#queuedown"
    assert covered(by, name="QueueDown").state == "covered"
    slow = covered(by, name="QueueSlow")
    assert (slow.state, slow.choices[0].runbook) == ("uncovered", "many")
    assert "none for this" in slow.choices[0].problem


def test_labels_of_the_alerts_of_a_files_sections_are_those_of_the_file(tmp_path):
    (tmp_path / "many.md").write_text("# M\n\n## QueueDown\n\n1. Do.\n\n## QueueFull\n\n1. Do.\n")
    by = routing(Catalogue.load(tmp_path))
    alerts = [
        *cover(rules("sum by (node) (up) == 0", name="QueueDown"), by, {}),
        *cover(rules("sum by (pod) (up) == 0", name="QueueFull"), by, {}),
    ]

    assert labels_by_runbook(alerts, by.catalogue) == {"many": {"alertname", "node", "pod"}}


@pytest.mark.parametrize(
    ("url", "dead"),
    [
        ("https://x.example/many.md#queue-down", False),
        ("https://x.example/many.md#queue_down", False),
        ("https://x.example/many.md#L10-L20", False),
        ("https://x.example/many.md#{{ $labels.pod }}", False),
        ("https://x.example/other.md#gone", False),
        ("https://x.example/many.md#gone", True),
    ],
)
def test_a_fragment_that_leads_nowhere_is_reported(tmp_path, url, dead):
    (tmp_path / "many.md").write_text("# M\n\n## Queue down\n\n1. Do.\n")
    by = routing(Catalogue.load(tmp_path))
    alerts = cover(rules(annotations=f'{{runbook_url: "{url}"}}'), by, {})

    found = list(unknown_sections(alerts, by.catalogue))

    assert [problem.code for problem in found] == ["rules-unknown-section"] * dead
