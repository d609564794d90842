"""Whatever stands in the files: it loads, or there are problems. Never another exception."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.checks.routing_tests import load_cases
from alert_router.checks.unreachable import routing_problems
from alert_router.config import load
from alert_router.model.problem import ProblemsError

MAIN = """\
http: {listen: ":9095", max_body: 1MiB, auth: {basic: {username: u, password: "${P}"}}}
storage: sqlite:///a.db
runbooks: {path: ../runbooks}
routing: routing.yaml
delivery: {max_age: 24h}
receivers:
  - name: oncall
    notifiers:
      - {type: console, name: x, timeout: 3s}
      - &s {type: slack, url_file: /run/secrets/slack-url, send_resolved: true}
  - {name: pager, notifiers: [{<<: *s, name: z}]}
"""
ROUTING = """\
runbooks:
  - matchers: ['component="redis"', a=~"b.*"]
    runbook: alerts/redis-issues
default_runbook: incidents/x
route:
  receiver: oncall
  routes:
    - {matchers: severity="critical", receiver: pager, continue: true}
"""
CASES = "cases:\n  - {name: a, labels: {a: b}, runbook: null, receivers: [oncall]}\n"
BITS = ["null", "~", "[", "]", "{", "}", ": ", "- ", "&s ", "*s", "<<: *s", "'", '"', "\t", "\n"]
BITS += ["\\", "\\ud800", "\0", "é", "!!int ", "|", "99999999999999999999", "-1", "nan", "#", "%"]
BITS += ["type: slack", "receiver", "match: {a: b}", "\n---\n", "=", "=~", "(", "a: b\n"]


@st.composite
def damaged(draw, text):
    """A text with a few pieces put in, taken out or moved."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        piece = draw(
            st.sampled_from(["", *BITS]) | st.text(max_size=5) | st.just(text[end : end + 30])
        )
        text = text[:start] + piece + text[end:]
    return text


def load_and_judge(path):
    [problem.show() for problem in routing_problems(load(path))]


def reads(main, routing, cases=CASES):
    with TemporaryDirectory() as directory:
        for name, text in (("main", main), ("routing", routing), ("cases", cases)):
            content = text.encode("utf-8", "surrogatepass")
            Path(directory, f"{name}.yaml").write_bytes(content)
        for read, name in ((load_and_judge, "main"), (load_cases, "cases")):
            try:
                read(Path(directory, f"{name}.yaml"))
            except ProblemsError as error:
                str(error)
                [problem.as_json() for problem in error.problems]


def test_the_texts_to_damage_are_good(tmp_path):
    for name, text in (("main", MAIN), ("routing", ROUTING), ("cases", CASES)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    assert load(tmp_path / "main.yaml").config.receivers[1].name == "pager"
    assert load_cases(tmp_path / "cases.yaml")


@settings(deadline=None, max_examples=250)
@given(damaged(MAIN))
def test_any_damage_to_the_main_file(text):
    reads(text, ROUTING)


@settings(deadline=None, max_examples=200)
@given(damaged(ROUTING), damaged(CASES))
def test_any_damage_to_routing_and_cases(text, cases):
    reads(MAIN, text, cases)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60))
def test_any_bytes(content):
    with TemporaryDirectory() as directory:
        Path(directory, "main.yaml").write_bytes(content)
        with pytest.raises(ProblemsError):
            load(Path(directory, "main.yaml"))
