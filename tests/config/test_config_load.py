"""The whole configuration: defaults, and the very text people see for each mistake."""

import os
import re
from pathlib import Path

import pytest

from alert_router.config import cross_check, default_config_path, load
from alert_router.fields import Listen
from alert_router.model.problem import ProblemsError, Severity
from alert_router.runbook import Catalogue

MAIN = """\
receivers:
  - name: oncall
    notifiers:
      - type: console
"""
ROUTING = """\
route:
  receiver: oncall
"""


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Writes both files into the working directory and loads them."""
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()

    def write_and_load(main=MAIN, routing=ROUTING):
        Path("config/main.yaml").write_text(main, encoding="utf-8")
        Path("config/routing.yaml").write_text(routing, encoding="utf-8")
        return load(Path("config/main.yaml"))

    return write_and_load


def shown(at, main=MAIN, routing=ROUTING):
    with pytest.raises(ProblemsError) as raised:
        at(main, routing)
    return str(raised.value)


def test_receivers_and_a_route_are_enough(at):
    loaded = at()
    config = loaded.config
    assert config.http.listen == Listen("0.0.0.0", 9095)
    assert config.http.auth is None
    assert config.http.max_body == 10 * 1024 * 1024
    assert config.storage.path == Path("config/alert-router.db")
    assert config.runbooks.path == Path("config/../runbooks")
    assert config.delivery.max_age == 86400
    assert config.receivers[0].notifiers[0].identity == "console"
    assert loaded.tree.match({"alertname": "x"}) == ("oncall",)
    assert loaded.problems == ()
    assert loaded.files == (Path("config/main.yaml"), Path("config/routing.yaml"))


def test_without_receivers_everything_goes_to_the_console(at):
    loaded = at("log: {}\n", "route: {receiver: default}\n")
    [receiver] = loaded.config.receivers
    assert (receiver.name, [it.type for it in receiver.notifiers]) == ("default", ["console"])
    assert "there is no receiver `oncall`" in shown(at, "log: {}\n")


def test_without_routing_the_first_receiver_gets_everything(at):
    at()
    Path("config/routing.yaml").unlink()
    Path("config/main.yaml").write_text(f"{MAIN}  - name: other\n", encoding="utf-8")

    loaded = load(Path("config/main.yaml"))

    assert loaded.tree.match({"alertname": "x", "severity": "critical"}) == ("oncall",)
    assert str(loaded.tree.root.place) == "config/main.yaml"
    assert loaded.files == (Path("config/main.yaml"),)
    assert ["`other`" in problem.message for problem in loaded.problems] == [True]


def test_a_routing_file_that_is_named_must_exist(at):
    Path("config/main.yaml").write_text(f"routing: routing.yaml\n{MAIN}", encoding="utf-8")
    with pytest.raises(ProblemsError, match=r"`routing` in config/main\.yaml names it"):
        load(Path("config/main.yaml"))


def test_a_directory_of_runbooks_alone_is_a_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('my: "books"').mkdir()

    loaded = load(Path('my: "books"'))

    assert loaded.config.runbooks.path == tmp_path / 'my: "books"'
    assert loaded.config.storage.path == Path("alert-router.db")
    assert loaded.tree.match({"alertname": "x"}) == ("default",)
    assert loaded.files == ()


def test_a_directory_that_has_a_configuration_file_is_not_taken_for_runbooks(at):
    at()
    Path("config/main.yaml").rename("config/alert-router.yaml")
    with pytest.raises(ProblemsError, match=r"name the file: config/alert-router\.yaml"):
        load(Path("config"))


def test_an_empty_section_is_its_defaults(at):
    config = at("http:\ndelivery: {}\nstorage:\nlog: ~\nrunbooks:\n" + MAIN).config
    assert config == at().config


def test_paths_are_relative_to_the_file_that_names_them(at, tmp_path):
    main = "runbooks: {path: /books}\nstorage: sqlite:///data/a.db\n"
    config = at(main + "http: {auth: {bearer_token_file: t}}\n" + MAIN).config
    assert config.runbooks.path == Path("/books")
    assert config.storage.path == Path("config/data/a.db")
    assert config.http.auth.bearer_token.file == Path("config/t")


def test_text_is_text_and_numbers_are_numbers(at):
    config = at(
        "receivers: [{name: yes, notifiers: [{type: console, name: 0755, concurrency: 2, "
        "fold: off}]}]",
        "route: {receiver: yes}",
    ).config
    (notifier,) = config.receivers[0].notifiers
    assert config.receivers[0].name == "yes"
    assert (notifier.name, notifier.concurrency, notifier.fold) == ("0755", 2, False)


def test_a_receiver_may_tell_nobody(at):
    assert (
        at("receivers: [{name: oncall}, {name: b, notifiers: []}]").config.receivers[1].notifiers
        == ()
    )


def test_a_variable_is_put_into_any_value_but_templates(at, monkeypatch):
    monkeypatch.setenv("TEAM", "sre")
    monkeypatch.setenv("MAIL_HOST", "mail.example.org")
    config = at(
        "http: {listen: ':${PORT}', auth: {bearer_token: 'x${TOKEN}'}}\n"
        "receivers:\n"
        "  - name: ${TEAM}\n"
        "    notifiers:\n"
        "      - {type: email, to: ['${TEAM}@example.org'], from: a@example.org,\n"
        "         smarthost: '${MAIL_HOST}:25', headers: {X-Team: 'the ${TEAM} team'},\n"
        "         title: '${TEAM} $TEAM', template: '${TEAM}'}\n".replace("${PORT}", "9095"),
        "route: {receiver: sre}",
    ).config
    (mail,) = config.receivers[0].notifiers
    assert (mail.smarthost, mail.to[0].address) == ("mail.example.org:25", "sre@example.org")
    assert mail.headers == {"X-Team": "the sre team"}
    assert (mail.title.source, mail.template.source) == ("${TEAM} $TEAM", "${TEAM}")
    assert config.http.auth.bearer_token.text == "x${TOKEN}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("${NO_SUCH_VARIABLE}", "environment variable NO_SUCH_VARIABLE is not set or empty"),
        ("mail.$DOMAIN:25", "write ${NAME} for an environment variable"),
        ("${DOMAIN:-mail}:25", "write ${NAME} for an environment variable"),
    ],
)
def test_a_variable_that_is_not_put_in_is_one_error_at_its_place(at, value, message):
    keys = f"{{type: email, to: a@b.example, from: a@b.example, smarthost: '{value}'}}"
    text = shown(at, f"receivers:\n  - name: oncall\n    notifiers:\n      - {keys}\n")
    assert text.startswith(f"config/main.yaml:4:70: error: {message}")
    assert text.count("error:") == 1


def test_a_problem_with_a_value_shows_the_variable_and_not_what_is_in_it(at, monkeypatch):
    monkeypatch.setenv("HOST", "hunter2")
    keys = "{type: email, to: '${HOST}', from: a@b.example, smarthost: '${HOST}'}"
    text = shown(at, f"receivers: [{{name: oncall, notifiers: [{keys}]}}]")
    assert 'found "${HOST}"' in text
    assert "hunter2" not in text


def test_dollar_signs_of_the_routing_file_stay(at):
    loaded = at(routing="runbooks: [{matchers: ['a=~\"x$|$y\"'], runbook: r}]\n" + ROUTING)
    assert loaded.table.entries[0].matchers[0].value == "x$|$y"


def test_keys_with_x_at_the_top_are_a_place_for_anchors(at):
    main = (
        "x-slack: &slack {type: slack, url_file: $nothing, fold: off}\n"
        "x-anything: [1, $NO_SUCH_VARIABLE]\n"
        "receivers:\n  - name: oncall\n    notifiers:\n      - {<<: *slack, url_file: u}\n"
    )
    routing = "x-m: &m ['a=\"b\"']\n" + ROUTING + "  routes: [{matchers: *m}]\n"
    loaded = at(main, routing)
    (slack,) = loaded.config.receivers[0].notifiers
    assert (slack.type, slack.fold) == ("slack", False)
    assert loaded.tree.match({"a": "b"}) == ("oncall",)


def test_keys_with_x_elsewhere_are_unknown(at):
    text = shown(at, MAIN + "        x-team: sre\n")
    assert "unknown key `x-team`" in text
    assert "accepted only at the top of the file" in text


def test_basic_authentication_has_a_user_and_a_password(at):
    auth = at("http: {auth: {basic: {username: am, password: pw}}}\n" + MAIN).config.http.auth
    assert (auth.username, auth.password.read(), auth.bearer_token) == ("am", "pw", None)


MISTAKES_IN_MAIN = {
    "receviers: []\n" + MAIN: """\
config/main.yaml:1:1: error: unknown key `receviers` [config-unknown-key]
  1 | receviers: []
    | ^
  did you mean `receivers`?""",
    "qqq: 1\n" + MAIN: """\
config/main.yaml:1:1: error: unknown key `qqq` [config-unknown-key]
  1 | qqq: 1
    | ^
  known here: http, storage, runbooks, routing, delivery, severities, receivers, heartbeats, log, checks""",  # noqa: E501
    "receivers: []\n": """\
config/main.yaml:1:12: error: `receivers`: must have at least 1 item [config-invalid-value]
  1 | receivers: []
    |            ^""",
    "receivers:\n": """\
config/main.yaml:1:1: error: `receivers`: expected a list, found nothing [config-wrong-type]
  1 | receivers:
    | ^""",
    "http: [1]\n" + MAIN: """\
config/main.yaml:1:7: error: `http`: expected a mapping, found a list [config-wrong-type]
  1 | http: [1]
    |       ^
  write each item as `key: value`, without `- `""",
    "http:\n  auth: {bearer_tokn: hunter2}\n" + MAIN: """\
config/main.yaml:2:10: error: unknown key `bearer_tokn` [config-unknown-key]
  2 |   auth: {bearer_tokn: ***
    |          ^
  did you mean `bearer_token`?""",
    "http: {auth: {}}\n" + MAIN: """\
config/main.yaml:1:14: error: `auth`: give one of `bearer_token_file`, `bearer_token` and `basic` \
[config-invalid-value]
  1 | http: {auth: {}}
    |              ^""",
    "http:\n  auth:\n    bearer_token:\n      - hunter2\n" + MAIN: """\
config/main.yaml:4:7: error: `bearer_token`: expected text, or ${VARIABLE}, found a list \
[config-wrong-type]
  4 |       - ***
    |       ^""",
    "delivery: {max_age: 24}\n" + MAIN: """\
config/main.yaml:1:21: error: `max_age`: a duration needs its unit: write 24s, 24m or 24h \
[config-invalid-value]
  1 | delivery: {max_age: 24}
    |                     ^""",
    "delivery: {max_age: 0s}\n" + MAIN: """\
config/main.yaml:1:21: error: `max_age`: must be more than 0, found "0s" [config-invalid-value]
  1 | delivery: {max_age: 0s}
    |                     ^""",
    "delivery:\n  max_age: soon\n" + MAIN: """\
config/main.yaml:2:12: error: `max_age`: expected a duration such as 30s, 5m, 1h30m or 7d, \
found "soon" [config-invalid-value]
  2 |   max_age: soon
    |            ^""",
    "delivery: {reserve: 1MiB}\n" + MAIN: """\
config/main.yaml:1:21: error: `reserve`: expected at least 32MiB: the store needs that to write \
its -wal file back, found "1MiB" [config-invalid-value]
  1 | delivery: {reserve: 1MiB}
    |                     ^""",
    "delivery: {min_backoff: 1h}\n" + MAIN: """\
config/main.yaml:1:11: error: `delivery`: `min_backoff` is longer than `max_backoff` \
[config-invalid-value]
  1 | delivery: {min_backoff: 1h}
    |           ^""",
    "log: {level: loud}\n" + MAIN: """\
config/main.yaml:1:14: error: `level`: expected 'debug', 'info', 'warning' or 'error', \
found "loud" [config-invalid-value]
  1 | log: {level: loud}
    |              ^""",
    "storage: postgresql://u:hunter2@h\n" + MAIN: """\
config/main.yaml:1:10: error: `storage`: expected a host and a database: \
postgresql://HOST/DATABASE, found "postgresql://***@h" [config-invalid-value]
  1 | storage: postgresql://***@h
    |          ^""",
    "route: {receiver: oncall}\n" + MAIN: """\
config/main.yaml:1:1: error: `route` does not belong in this file [config-alertmanager-key]
  1 | route: {receiver: oncall}
    | ^
  write it in the file that `routing` names""",
    "inhibit_rules: []\n" + MAIN: """\
config/main.yaml:1:1: error: `inhibit_rules`: inhibition belongs to Alertmanager \
[config-alertmanager-key]
  1 | inhibit_rules: []
    | ^
  keep it in alertmanager.yml""",
    MAIN + "  - name: b\n    slack_configs: [{api_url: x}]\n": """\
config/main.yaml:6:5: error: `slack_configs` is Alertmanager's form [config-alertmanager-key]
  6 |     slack_configs: [{api_url: ***
    |     ^
  write notifiers: [{type: slack, ...}]""",
    MAIN + "      - type: consle\n": """\
config/main.yaml:5:15: error: unknown notifier type "consle" [config-unknown-notifier]
  5 |       - type: consle
    |               ^
  did you mean `console`?""",
    MAIN + "      - type: console\n": """\
config/main.yaml:5:15: error: two notifiers are called `console`; the first is at \
config/main.yaml:4:15 [config-duplicate-name]
  5 |       - type: console
    |               ^
  give each a `name` of its own: it is what the store knows it by""",
    MAIN + "  - name: oncall\n": """\
config/main.yaml:5:11: error: two receivers are called `oncall`; the first is at \
config/main.yaml:2:11 [config-duplicate-name]
  5 |   - name: oncall
    |           ^
  give one of them another name""",
    MAIN + "        send_resolved: perhaps\n": """\
config/main.yaml:5:24: error: `send_resolved`: expected true or false, found "perhaps" \
[config-wrong-type]
  5 |         send_resolved: perhaps
    |                        ^""",
    MAIN + "        timeout: 10\n": """\
config/main.yaml:5:18: error: `timeout`: a duration needs its unit: write 10s, 10m or 10h \
[config-invalid-value]
  5 |         timeout: 10
    |                  ^""",
    MAIN + "http: {header_timeout: 10}\n": """\
config/main.yaml:5:24: error: `header_timeout`: a duration needs its unit: write 10s, 10m or 10h \
[config-invalid-value]
  5 | http: {header_timeout: 10}
    |                        ^""",
    MAIN + "        concurrency: 0\n": """\
config/main.yaml:5:22: error: `concurrency`: must be at least 1, found "0" [config-invalid-value]
  5 |         concurrency: 0
    |                      ^""",
    MAIN + "        send_resolvd: no\n": """\
config/main.yaml:5:9: error: unknown key `send_resolvd` [config-unknown-key]
  5 |         send_resolvd: ***
    |         ^
  did you mean `send_resolved`?""",
    MAIN + '  - name: " b"\n': """\
config/main.yaml:5:11: error: `name`: expected a name of printable characters, without spaces \
at its ends, found " b" [config-invalid-value]
  5 |   - name: " b"
    |           ^""",
}


@pytest.mark.parametrize(("main", "expected"), MISTAKES_IN_MAIN.items())
def test_mistakes_in_the_main_file(at, main, expected):
    assert shown(at, main) == expected


MISTAKES_IN_ROUTING = {
    "runbooks: []\n": """\
config/routing.yaml:1:1: error: `route` is missing [config-missing-key]
  1 | runbooks: []
    | ^""",
    "route: {routes: []}\n": """\
config/routing.yaml:1:1: error: the root route has no receiver [routing-root]
  1 | route: {routes: []}
    | ^
  it is where alerts go that no other route matches: write receiver: NAME""",
    "route: {receiver: oncall, matchers: [a=b]}\n": """\
config/routing.yaml:1:27: error: the root route takes no `matchers`: it matches every alert \
[routing-root]
  1 | route: {receiver: oncall, matchers: [a=b]}
    |                           ^
  move it to a route under `routes`""",
    "route: {receiver: oncall, continue: true}\n": """\
config/routing.yaml:1:27: error: the root route takes no `continue`: it matches every alert \
[routing-root]
  1 | route: {receiver: oncall, continue: true}
    |                           ^
  move it to a route under `routes`""",
    "route: {receiver: onkall}\n": """\
config/routing.yaml:1:19: error: there is no receiver `onkall` [config-undefined-receiver]
  1 | route: {receiver: onkall}
    |                   ^
  did you mean `oncall`?""",
    "route: {receiver: zzz}\n": """\
config/routing.yaml:1:19: error: there is no receiver `zzz` [config-undefined-receiver]
  1 | route: {receiver: zzz}
    |                   ^
  config/main.yaml has: oncall""",
    ROUTING + "  group_by: [alertname]\n": """\
config/routing.yaml:3:3: error: `group_by`: grouping belongs to Alertmanager \
[config-alertmanager-key]
  3 |   group_by: [alertname]
    |   ^
  keep it in alertmanager.yml""",
    ROUTING + "  routes:\n  - match: {severity: critical, note: it's}\n": """\
config/routing.yaml:4:5: error: `match` is Alertmanager's old form [config-alertmanager-key]
  4 |   - match: {severity: critical, note: it's}
    |     ^
  write matchers: ['severity="critical"', 'note="it''s"']""",
    ROUTING + "  routes:\n  - match_re: {service: 'a|b\\d'}\n": """\
config/routing.yaml:4:5: error: `match_re` is Alertmanager's old form [config-alertmanager-key]
  4 |   - match_re: {service: 'a|b\\d'}
    |     ^
  write matchers: ['service=~"a|b\\\\d"']""",
    ROUTING + "  routes:\n  - mute_time_intervals: [night]\n": """\
config/routing.yaml:4:5: error: `mute_time_intervals`: muting belongs to Alertmanager \
[config-alertmanager-key]
  4 |   - mute_time_intervals: [night]
    |     ^
  keep it in alertmanager.yml""",
    ROUTING + "receivers: []\n": """\
config/routing.yaml:3:1: error: `receivers` does not belong in this file [config-alertmanager-key]
  3 | receivers: []
    | ^
  write it in the main file""",
    ROUTING + "  routes:\n  - continue: perhaps\n": """\
config/routing.yaml:4:15: error: `continue`: expected true or false, found "perhaps" \
[config-wrong-type]
  4 |   - continue: perhaps
    |               ^""",
    ROUTING + "  routes:\n  - matchers: {severity: critical}\n": """\
config/routing.yaml:4:15: error: `matchers`: expected a list, found a mapping [config-wrong-type]
  4 |   - matchers: {severity: critical}
    |               ^
  write matchers: ['severity="critical"'], in quotes""",
    ROUTING + '  routes:\n  - matchers: [{a="b",c=~"d"}]\n': """\
config/routing.yaml:4:16: error: an item of `matchers`: expected text, found a mapping \
[config-wrong-type]
  4 |   - matchers: [{a="b",c=~"d"}]
    |                ^
  write matchers: ['a="b"', 'c=~"d"'], in quotes""",
    ROUTING + "runbooks: [{matchers: [a=b]}]\n": """\
config/routing.yaml:3:12: error: `runbook` is missing [config-missing-key]
  3 | runbooks: [{matchers: [a=b]}]
    |            ^""",
    ROUTING + "runbooks: [{matchers: [], runbook: x}]\n": """\
config/routing.yaml:3:23: error: `matchers`: must have at least 1 item [config-invalid-value]
  3 | runbooks: [{matchers: [], runbook: x}]
    |                       ^""",
}


@pytest.mark.parametrize(("routing", "expected"), MISTAKES_IN_ROUTING.items())
def test_mistakes_in_the_routing_file(at, routing, expected):
    assert shown(at, routing=routing) == expected


@pytest.mark.parametrize(
    ("scalar", "column"),
    [
        ("a=~(", 18),  # plain: the place within it
        ("'a=~(['", 19),
        ('"a=~(["', 19),
        ("'{a=~\"(\"}'", 20),
        ("'a=~\"it''s(\"'", 15),  # escapes: where the scalar begins
        ('"a=~\\"(\\""', 15),
        ("&x 'a=~('", 15),
        ("|-\n      a=~(", 15),
    ],
)
def test_a_bad_matcher_is_shown_at_its_very_column(at, scalar, column):
    with pytest.raises(ProblemsError) as raised:
        at(routing=ROUTING + f"runbooks:\n  - runbook: x\n    matchers: {scalar}\n")
    (problem,) = raised.value.problems
    assert (problem.code, problem.place.line) == ("routing-matcher", 5)
    assert problem.place.column == column


def test_matchers_that_match_everything_are_no_entry_of_the_table(at):
    assert shown(at, routing=ROUTING + "runbooks: [{matchers: '{}', runbook: x}]\n") == (
        "config/routing.yaml:3:23: error: these matchers match every alert "
        "[config-invalid-value]\n  3 | runbooks: [{matchers: '{}', runbook: x}]\n"
        "    |                       ^\n  write default_runbook: x instead"
    )


def test_all_problems_of_both_files_come_at_once_and_in_order(at):
    with pytest.raises(ProblemsError) as raised:
        at(
            "log: {level: x}\nhttp: {listen: 1}\nhttp: 2\n" + MAIN,
            "route: {receiver: nobody, x: 1}\n",
        )
    assert [(str(p.place), p.code) for p in raised.value.problems] == [
        ("config/main.yaml:1:14", "config-invalid-value"),
        ("config/main.yaml:2:16", "config-invalid-value"),
        ("config/main.yaml:3:1", "yaml-duplicate-key"),
        ("config/routing.yaml:1:19", "config-undefined-receiver"),
        ("config/routing.yaml:1:27", "config-unknown-key"),
    ]


def test_a_broken_main_file_does_not_hide_the_routing_file(at):
    text = shown(at, "routing: routing.yaml\nlog: 1\nreceivers: 2\n", "route: 3\n")
    assert "config/main.yaml:2:6" in text
    assert "config/routing.yaml:1:8: error: `route`: expected a mapping" in text


def test_a_missing_file_says_what_names_it(at):
    assert shown(at, "routing: none.yaml\n" + MAIN) == (
        "config/none.yaml: error: cannot read the file: No such file or directory "
        "[yaml-unreadable]\n  `routing` in config/main.yaml names it"
    )
    with pytest.raises(ProblemsError, match=r"--config or in \$ALERT_ROUTER_CONFIG"):
        load(Path("nowhere.yaml"))


SLACK = MAIN + "      - type: slack\n"
HIDDEN = [
    "        url: {a: hunter2}\n",
    "        url: [hunter2]\n",
    "        url:\n          - hunter2\n",
    "        url: hunter2\n        url_file: x\n",
    "        url: hunter2\n        url: hunter2\n",
    "        ulr: hunter2\n",
    "        ulr: |\n          hunter2\n",
    "        password: >-\n          first\n          hunter2: x: y\n",
    "        url: 'hunter2\n",
    "        url: hunter2: x\n",
    '        url: "hunter2\\d"\n',
    '        "url": "\\0hunter2"\n',
    "      - {type: slak, url: hunter2}\n",
    "      - {name: x, url: hunter2}\n",
    "  - {name: b, url: hunter2}\n",
    "http: {auth: {bearer_token: hunter2, basic: 1}}\n",
    "http: {auth: {basic: {username: u, password: hunter2, pasword: hunter2}}}\n",
    "http: {external_url: 'https://u:hunter2@h'}\n",
    "storage: postgresql://u:hunter2@h\n",
    "storage: mysql://u:hunter2@h/d\n",
]


@pytest.mark.parametrize("mistake", HIDDEN)
def test_no_problem_ever_shows_a_secret(at, mistake):
    assert "hunter2" not in shown(at, SLACK + mistake)


def test_a_key_named_like_the_type_is_found_where_it_stands(at):
    text = shown(at, MAIN + "        console: x\n")
    assert text.startswith("config/main.yaml:5:9: error: unknown key `console` [config-unknown")


def test_the_file_of_a_secret_is_known_by_name(at):
    text = shown(at, SLACK + "        url_flie: a\n")
    assert "did you mean `url_file`?" in text
    webhook = MAIN + "      - type: webhook\n"
    assert "`url` or `url_file` is missing" in shown(at, webhook)


def test_an_unused_receiver_is_told_but_no_error(at):
    (problem,) = at(MAIN + "  - name: spare\n").problems
    assert problem.severity is Severity.INFO
    assert problem.show() == (
        "config/main.yaml:5:11: info: no route leads to the receiver `spare` "
        "[config-unused-receiver]\n  5 |   - name: spare\n    |           ^\n"
        "  only what is posted to /webhook/spare reaches it"
    )


def test_secrets_plain_or_missing_are_warnings_that_hide_them(at, monkeypatch):
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    main = "http:\n  auth: {bearer_token: '${NO_SUCH_TOKEN}'}\n" + SLACK
    loaded = at(main + "        url: https://hooks.slack.com/hunter2\n")
    assert [problem.show() for problem in loaded.problems] == [
        "config/main.yaml:2:9: warning: environment variable NO_SUCH_TOKEN is not set or empty "
        "[secret-unreadable]\n  2 |   auth: {bearer_token: ***\n    |         ^\n"
        "  every request is refused until it can be read",
        "config/main.yaml:8:9: warning: `url` holds a secret in plain text [secret-in-plain]\n"
        "  8 |         url: ***\n    |         ^\n"
        "  put it into a file and write `url_file`, or write ${VARIABLE}",
    ]


def test_a_secret_file_that_is_missing_is_a_warning_at_its_notifier(at):
    (problem,) = at(SLACK + "        url_file: none\n").problems
    assert (problem.code, str(problem.place)) == ("secret-unreadable", "config/main.yaml:5:9")
    assert problem.severity is Severity.WARNING
    assert "config/none" in problem.message


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("{type: ntfy, topic: a, url: 'http://10.0.0.5'}", "10.0.0.5"),
        ("{type: ntfy, topic: a, url: 'http://[fd00::1]:80'}", "fd00::1"),
        ("{type: ntfy, topic: a, url: 'http://localhost:8080'}", "127.0.0.1"),
        ("{type: ntfy, topic: a, proxy: 'http://192.168.1.1:3128'}", "192.168.1.1"),
        ("{type: telegram, bot_token_file: t, chat_id: 1, api_url: 'http://10.1.1.1'}", "10.1.1.1"),
        ("{type: email, to: a@b.c, from: a@b.c, smarthost: '10.0.0.25:25'}", "10.0.0.25"),
    ],
)
def test_an_address_that_nothing_is_sent_to_is_a_warning_until_it_is_allowed(at, keys, told):
    receivers = "receivers:\n  - name: oncall\n    notifiers:\n      - " + keys + "\n"

    def found(delivery="delivery: {private_destinations: []}\n"):
        problems = at(delivery + receivers).problems
        return [one for one in problems if one.code == "config-forbidden-address"]

    (problem,) = found()
    assert problem.message.startswith(f"{told} is not a public address")
    assert (problem.severity, str(problem.place)) == (Severity.WARNING, "config/main.yaml:5:9")
    assert not found("")
    assert not found("delivery: {private_destinations: [0.0.0.0/0, '::/0']}\n")


@pytest.mark.parametrize("where", ["ntfy.internal", "8.8.8.8", "[2606:4700::1111]"])
def test_a_name_or_a_public_address_is_none_of_them(at, where):
    text = f"{{type: ntfy, topic: a, url: 'http://{where}'}}"
    problems = at(f"receivers: [{{name: oncall, notifiers: [{text}]}}]").problems
    assert [one.code for one in problems] == ["secret-in-plain"]  # the topic


def test_unknown_runbooks_are_found_by_cross_check(at):
    Path("runbooks/alerts").mkdir(parents=True)
    Path("runbooks/alerts/redis-issues.md").write_text("# Redis issues\n", encoding="utf-8")
    loaded = at(
        routing=ROUTING + "default_runbook: /alerts/redis-issues\n"
        "runbooks:\n  - {matchers: a=b, runbook: alerts/redis-isues}\n"
        "  - {matchers: a=c, runbook: alerts/redis-issues.md}\n"
        "  - {matchers: a=d, runbook: null}\n"
    )
    problems = cross_check(loaded.runbooks_named, Catalogue.load(loaded.config.runbooks.path, None))
    assert [problem.show() for problem in problems] == [
        "config/routing.yaml:5:30: error: there is no runbook `alerts/redis-isues` "
        "[routing-unknown-runbook]\n  5 |   - {matchers: a=b, runbook: alerts/redis-isues}\n"
        "    |                              ^\n  did you mean `alerts/redis-issues`?",
        "config/routing.yaml:3:18: error: there is no runbook `/alerts/redis-issues` "
        "[routing-unknown-runbook]\n  3 | default_runbook: /alerts/redis-issues\n"
        "    |                  ^\n  write it as its path: alerts/redis-issues",
    ]


def test_the_default_path_is_the_first_that_exists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALERT_ROUTER_CONFIG", raising=False)
    Path("config").mkdir()
    Path("config/alert-router.yaml").touch()
    assert default_config_path() == Path("config/alert-router.yaml")
    monkeypatch.setenv("ALERT_ROUTER_CONFIG", f"{tmp_path}{os.sep}own.yaml")
    assert default_config_path() == tmp_path / "own.yaml"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "fallback: bakup",
            "config/main.yaml:4:38: error: there is no receiver `bakup` "
            "[config-undefined-receiver]\n"
            "  4 |     notifiers: [{type: console, fallback: bakup}]\n"
            "    |                                           ^\n"
            "  did you mean `backup`?",
        ),
        (
            "fallback: oncall",
            "config/main.yaml:4:38: error: a notifier cannot fall back to its own receiver "
            "[config-invalid-value]\n"
            "  4 |     notifiers: [{type: console, fallback: oncall}]\n"
            "    |                                           ^\n"
            "  name a different receiver, reached another way",
        ),
        (
            "min_severity: critcal",
            "config/main.yaml:4:42: error: `min_severity`: no grade has the name or value "
            "`critcal` [config-invalid-value]\n"
            "  4 |     notifiers: [{type: console, min_severity: critcal}]\n"
            "    |                                               ^\n"
            "  did you mean `critical`?",
        ),
        (
            "detail: {critcal: link, resolved: link, default: full}",
            "config/main.yaml:4:36: error: `detail`: no grade has the name or value "
            "`critcal` [config-invalid-value]\n"
            "  4 |     notifiers: [{type: console, detail: {critcal: link, resolved: link, "
            "default: full}}]\n"
            "    |                                         ^\n"
            "  did you mean `critical`?",
        ),
    ],
)
def test_what_a_notifier_names_elsewhere_has_to_be_there(at, keys, expected):
    main = (
        "receivers:\n  - name: backup\n  - name: oncall\n"
        f"    notifiers: [{{type: console, {keys}}}]\n"
    )
    found = shown(at, main)
    assert re.sub(r":4:\d+:", ":4:_:", found) == re.sub(r":4:\d+:", ":4:_:", expected)


def test_a_receiver_to_fall_back_to_is_used(at):
    main = (
        "receivers:\n  - name: backup\n  - name: oncall\n"
        "    notifiers: [{type: console, fallback: backup}]\n"
    )
    assert [problem.code for problem in at(main).problems] == []


@pytest.mark.parametrize(
    ("notifier", "expected"),
    [
        (
            "{type: telegram, bot_token_file: f, chat_id: alerts}",
            "`chat_id`: expected a chat's number such as -1001234567890, or @name of a public "
            'channel or group, found "alerts"',
        ),
        (
            "{type: telegram, bot_token_file: f, chat_id: [1]}",
            "`chat_id`: expected a chat's number such as -1001234567890, or @name of a public "
            "channel or group, found a list",
        ),
        (
            "{type: discord, url_file: f, thread_id: general}",
            '`thread_id`: expected a thread\'s number, found "general"',
        ),
        (
            "{type: email, smarthost: 's:25', from: a@b.example, to: me}",
            'an item of `to`: expected an address such as sre@example.org, found "me"',
        ),
    ],
)
def test_a_setting_written_wrongly_is_one_problem_in_words_for_people(at, notifier, expected):
    with pytest.raises(ProblemsError) as raised:
        at(f"receivers:\n  - name: oncall\n    notifiers:\n      - {notifier}\n")
    assert [problem.message for problem in raised.value.problems] == [expected]


def test_further_headings_are_read_and_unknown_section_names_rejected(at):
    loaded = at("runbooks: {headings: {mitigation: [Toiminta], Reference: Lisää}}\n" + MAIN)
    headings = loaded.config.runbooks.known_headings()
    assert headings.names(["1. TOIMINTA", "lisää"]) == ("Mitigation", "reference")

    with pytest.raises(ProblemsError) as caught:
        at("runbooks: {headings: {Mitigations: [Toiminta]}}\n" + MAIN)
    assert "expected one of Overview, Severity" in caught.value.problems[0].message


def test_a_section_that_a_runbook_does_not_have_is_a_problem_of_the_table(at, tmp_path):
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks/many.md").write_text("# Many\n\n## QueueDown\n\n1. Do.\n")
    names = ("#queuedown", ".md#QueueDown", "", "#gone")
    table = "".join(
        f"  - {{matchers: a=b{number}, runbook: 'many{name}'}}\n"
        for number, name in enumerate(names)
    )

    loaded = at(routing=f"runbooks:\n{table}{ROUTING}")
    found = cross_check(loaded.runbooks_named, Catalogue.load(tmp_path / "runbooks"))

    assert [problem.message for problem in found] == ["no heading of `many` has the anchor `#gone`"]
    assert found[0].place.line == 5


NOTIFIER = "receivers: [{name: oncall, notifiers: [%s]}]"
WORDING = "the router writes the message; to change its text write `template`"


@pytest.mark.parametrize(
    ("main", "hint"),
    [
        ("receivers: [{name: oncall, msteamsv2_configs: []}]", "write notifiers: [{type: teams,"),
        ("receivers: [{name: oncall, opsgenie_configs: []}]", "use type apprise or webhook"),
        (NOTIFIER % "{type: teams, webhook_url: 'https://h'}", "write it as `url`"),
        (NOTIFIER % "{type: pagerduty, service_key: k}", "write it as `routing_key`"),
        (NOTIFIER % "{type: webhook, url_file: f, http_config: {}}", "write `proxy` and `tls`"),
        (NOTIFIER % "{type: webhook, url_file: f, tls_config: {}}", "write it as `tls`"),
        (NOTIFIER % "{type: slack, url_file: f, text: x}", WORDING),
        (NOTIFIER % "{type: console, text: x, html: y}", WORDING),
        (NOTIFIER % "{type: slack, api_url: 'https://h/x'}", "Alertmanager's `api_url`"),
        ("receivers: {oncall: {}}", "begin each item with `- `"),
        (NOTIFIER % "{type: webhook, url_file: f, headers: ['A: b']}", "write each item as `key: "),
        ("receivers:\n- name: #oncall\n", "put a value that begins with # in quotes"),
        (NOTIFIER % "{type: webhook, url_file: f, bearer_token: Bearer x}", "without the word"),
        ("http: {auth: {bearer_token: bearer x}}\n" + MAIN, "without the word Bearer"),
        (
            NOTIFIER % "{type: email, to: a@b.c; d@e.f, from: a@b.c, smarthost: 's:25'}",
            "commas separate several",
        ),
        (
            NOTIFIER % "{type: email, to: a@b.c, from: a@b.c, smarthost: 'smtp://s:25'}",
            "expected host:port",
        ),
    ],
)
def test_what_is_right_in_alertmanager_and_not_here_says_what_to_write(at, main, hint):
    assert hint in shown(at, main)


@pytest.mark.parametrize(
    ("route", "matchers"),
    [
        ("matchers: [{name: a, value: b, matchType: '=~'}]", "['a=~\"b\"']"),
        ("matchers: [{name: a, value: b, regex: true}]", "['a=~\"b\"']"),
        ("matchers: [{name: a, value: b}]", "['a=\"b\"']"),
        ("matchers: [{name: a}]", "['name=\"a\"']"),
        ("alertname: X", "['alertname=\"X\"']"),
        ("severity: critical", "['severity=\"critical\"']"),
    ],
)
def test_matchers_in_another_form_are_shown_as_they_are_written_here(at, route, matchers):
    text = shown(at, routing=f"{ROUTING}  routes:\n    - {{receiver: oncall, {route}}}\n")
    assert f"write matchers: {matchers}" in text


def test_a_directory_of_runbooks_may_have_any_name(tmp_path):
    (tmp_path / "$books").mkdir()
    assert load(tmp_path / "$books").config.runbooks.path == tmp_path / "$books"


def test_everything_that_is_wrong_is_reported_at_once(at):
    main = """\
htttp: {}
severities: {grades: [{word: error}, {word: warning, colour: red}]}
heartbeats: [{name: eu, receiver: nobody}, {name: eu, receiver: a, timeout: 5}]
receivers:
  - name: a
    notifiers:
      - {type: console, fallback: nobody, wrong: 1}
      - {type: webhook, name: b, fallback: c}
  - title: c
"""
    lines = shown(at, main, "route: {receiver: d}\n").splitlines()
    assert [line.partition(": error: ")[::2] for line in lines if ": error: " in line] == [
        ("config/main.yaml:1:1", "unknown key `htttp` [config-unknown-key]"),
        (
            "config/main.yaml:2:62",
            "`colour`: expected a colour such as '#d00000', in quotes, found \"red\" "
            "[config-invalid-value]",
        ),
        ("config/main.yaml:3:35", "there is no receiver `nobody` [config-undefined-receiver]"),
        (
            "config/main.yaml:3:51",
            "two heartbeats are called `eu`; the first is at config/main.yaml:3:21 "
            "[config-duplicate-name]",
        ),
        (
            "config/main.yaml:3:77",
            "`timeout`: a duration needs its unit: write 5s, 5m or 5h [config-invalid-value]",
        ),
        ("config/main.yaml:7:35", "there is no receiver `nobody` [config-undefined-receiver]"),
        ("config/main.yaml:7:43", "unknown key `wrong` [config-unknown-key]"),
        ("config/main.yaml:8:9", "`url` or `url_file` is missing [config-missing-key]"),
        ("config/main.yaml:9:5", "`name` is missing [config-missing-key]"),
        ("config/main.yaml:9:5", "unknown key `title` [config-unknown-key]"),
        ("config/routing.yaml:1:19", "there is no receiver `d` [config-undefined-receiver]"),
    ]


def test_severities_are_not_checked_against_a_scale_with_mistakes(at):
    main = """\
severities: {grades: [{word: P1, values: [p1], colour: red}]}
receivers: [{name: oncall, notifiers: [{type: console, min_severity: p1}]}]
"""
    assert shown(at, main).count(": error: ") == 1


def test_a_url_that_can_never_work_is_an_error_and_the_router_starts(at):
    main = """\
receivers:
  - name: oncall
    notifiers:
      - {type: webhook, url: "htp://x", proxy: "ftp://proxy"}
"""
    found = [problem for problem in at(main).problems if problem.code == "config-invalid-value"]
    assert [(p.place.column, p.severity.value, p.message[:20]) for p in found] == [
        (30, "error", "`url`: invalid URL: "),
        (48, "error", "`proxy`: invalid URL"),
    ]


@pytest.mark.parametrize(
    "notifier",
    [
        "type: webhook, url: https://example.org/",
        "type: email, to: a@example.org, from: b@example.org, smarthost: localhost:25",
    ],
)
def test_a_certificate_that_cannot_be_read_is_reported(at, notifier):
    main = f"receivers: [{{name: a, notifiers: [{{{notifier}, tls: {{ca_file: ca.pem}}}}]}}]\n"
    said = [p.message for p in at(main, "route: {receiver: a}\n").problems]
    assert [message for message in said if "ca.pem" in message] == [
        "cannot read config/ca.pem: No such file or directory"
    ]


def test_a_header_that_cannot_be_sent_is_named(at):
    main = """\
receivers:
  - name: a
    notifiers:
      - type: webhook
        url: https://example.org/
        headers: {"Bad Header": x}
"""
    assert shown(at, main).startswith(
        "config/main.yaml:6:19: error: `Bad Header`: expected the name of a header: letters, "
        "digits and dashes [config-invalid-value]"
    )
