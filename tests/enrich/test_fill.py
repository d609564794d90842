"""Filling prose, inline code, links and code of other languages."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.enrich.fill import Filling, fill_url, filling
from alert_router.enrich.placeholders import AlertLabels, Context, may_fill
from alert_router.enrich.shell import compile_fence
from alert_router.markdown import Block, Code, Link, Paragraph, plain
from alert_router.runbook import Runbook, parse_runbook
from tests.speed import assert_linear

_HOST = "https://example.org"
_encodable = st.text(st.characters(exclude_categories=("Cs",)))


def runbook(text: str) -> Runbook:
    return parse_runbook(text, id="r", path="r.md")


def fill(text: str, **labels: str) -> tuple[Block, ...]:
    book = runbook(f"# R\n\n## Mitigation\n\n{text}")
    section = Filling(book).section(book.sections[0], AlertLabels(labels))
    return (*section.intro, *(block for step in section.steps for block in step.blocks))


def words(text: str, **labels: str) -> str:
    [block] = fill(text, **labels)
    assert isinstance(block, Paragraph)
    return plain(block.children)


def test_prose_and_inline_code_take_plain_values() -> None:
    text = "Pod **$pod** in `ns/$namespace`, {{ $labels.pod }}."

    assert words(text, pod="web-1", namespace="a") == "Pod web-1 in ns/a, web-1."


@pytest.mark.parametrize("language", ["promql", "bash", "text"])
def test_a_value_of_megabytes_is_not_filled_and_shown_shortened(language: str) -> None:
    command = 'up{pod="$pod"}'
    for length, shown in ((2000, "x" * 2000), (4_000_000, "x" * 1999 + "…")):
        [code] = fill(f"```{language}\n{command}\n```", pod="x" * length)
        assert isinstance(code, Code)
        assert len(code.text) < 2100
        assert dict(code.values).get("pod", shown) == shown
    assert dict(code.values) == {"pod": shown}


def test_a_value_of_megabytes_is_not_filled_in_a_url() -> None:
    url = "https://example.org/d/$pod?pod=$pod"
    assert fill_url(url, AlertLabels({"pod": "x" * 4_000_000})) == url


@pytest.mark.parametrize(
    "text", ["It costs $5.", "See $PATH and $HOME.", "$other", "a $ b", "$$pod"]
)
def test_other_dollar_signs_stay_in_prose(text: str) -> None:
    assert words(text, pod="web", path="x", home="y") == text


@settings(deadline=None)
@given(st.text())
def test_only_plain_values_are_filled_in_prose(value: str) -> None:
    found = words("a $pod `$pod` b", pod=value)

    plain = may_fill(Context.ARGUMENT, value)
    assert found == (f"a {value} {value} b" if plain else "a $pod FILL_IN_pod b")


def test_values_are_never_read_as_markdown() -> None:
    assert words("see $pod", pod="https://evil.example") == "see $pod"
    [block] = fill("see $pod", pod="evil.example/x")
    assert isinstance(block, Paragraph)
    assert not any(isinstance(span, Link) for span in block.children)


@pytest.mark.parametrize("language", ["yaml", "json", "sql", "text", ""])
def test_code_of_other_languages_has_its_values_beside_it(language: str) -> None:
    [block] = fill(f"```{language}\nname: $pod, $HOME, $other\n```", pod="$(x)", home="h")

    assert isinstance(block, Code)
    assert block.text == "name: FILL_IN_pod, $HOME, FILL_IN_other"
    assert block.values == (("pod", "$(x)"),)


def test_each_fence_is_filled_by_its_language() -> None:
    blocks = fill('```sh\nc $pod\n```\n\n```promql\nup{pod=~"$pod"}\n```', pod="a.b")

    assert [block.text for block in blocks if isinstance(block, Code)] == [
        "c a.b",
        'up{pod=~"a\\\\.b"}',
    ]


def test_lists_tables_quotes_and_titles_are_filled() -> None:
    book = runbook(
        "# R\n\n## Mitigation\n\n> q $pod\n\n| h $pod |\n| --- |\n| c $pod |\n\n"
        "1. Look at $pod\n\n   - in $pod\n\n   ```sh\n   c $pod\n   ```\n"
    )
    filled = Filling(book).section(book.sections[0], AlertLabels({"pod": "web"}))

    assert "$pod" not in repr(filled)
    assert filled.steps[0].title == "Look at web"


def test_an_assignment_in_another_section_counts() -> None:
    book = runbook(
        "# R\n\n## Detection\n\n```sh\nPOD=$(d)\n```\n\n## Mitigation\n\n```sh\nc $POD\n```\n"
    )
    section = book.sections[1]

    filled = filling(book).section(section, AlertLabels({"pod": "web"}))

    assert filled == section


@settings(deadline=None)
@given(_encodable)
def test_a_value_stays_in_its_part_of_a_url(value: str) -> None:
    labels = AlertLabels({"pod": value})

    path = urlsplit(fill_url(f"{_HOST}/a/$pod/b", labels))
    assert (path.scheme, path.netloc, path.query, path.fragment) == ("https", "example.org", "", "")
    assert path.path.count("/") == 3
    if value.strip("."):
        assert unquote(path.path) == f"/a/{value}/b"
    query = urlsplit(fill_url(f"{_HOST}/a?x=$pod&y=1#f", labels))
    assert parse_qs(query.query, keep_blank_values=True) == {"x": [value], "y": ["1"]}
    assert query.fragment == "f"


@pytest.mark.parametrize(
    "url",
    ["https://$pod/x", "https://$pod.example.org", "$pod://x/", "https://x.org/#$pod",
     "mailto:$pod", "javascript:$pod", "//$pod/x", "https://u:$pod@x.org/", "https://x.org:$pod/"],
)  # fmt: skip
def test_a_value_never_sets_scheme_host_or_fragment(url: str) -> None:
    assert fill_url(url, AlertLabels({"pod": "evil"})) == url


@pytest.mark.parametrize("value", ["", ".", "..", "\ud800"])
def test_a_value_never_changes_the_directory_of_a_path(value: str) -> None:
    assert fill_url("/x/$pod", AlertLabels({"pod": value})) == "/x/$pod"


def test_a_relative_link_stays_relative() -> None:
    assert fill_url("$pod", AlertLabels({"pod": "https://evil/"})) == "https%3A%2F%2Fevil%2F"
    assert fill_url("/$pod", AlertLabels({"pod": "/evil"})) == "/%2Fevil"


@pytest.mark.parametrize(
    ("code", "filled"),
    [
        ("$namespace", "prod"),
        ("ns/$namespace", "ns/prod"),
        ("kubectl get pods -n $namespace", "kubectl get pods -n prod"),
        ("sudo $namespace", "sudo FILL_IN_namespace"),
        ("eval $namespace", "eval FILL_IN_namespace"),
        ("cat x > $namespace", "cat x > FILL_IN_namespace"),
        ("rm -rf /data/$volume", "rm -rf /data/FILL_IN_volume"),
        ("echo $HOME", "echo $HOME"),
    ],
)
def test_inline_code_is_filled_as_a_command(code: str, filled: str) -> None:
    assert words(f"Do `{code}` now.", namespace="prod") == f"Do {filled} now."


@pytest.mark.parametrize(
    ("code", "filled"),
    [
        ("<service-name>", "cart"),
        ("svc/<service-name>", "svc/cart"),
        ("/var/log/<service>.log", "/var/log/FILL_IN_service.log"),
        ("files/<job_name>.mtail", "files/FILL_IN_job_name.mtail"),
    ],
)
def test_a_lone_word_names_an_object_only_in_a_runbook_about_a_cluster(
    code: str, filled: str
) -> None:
    labels = {"service": "cart", "job_name": "backup"}
    assert words(f"Look at `{code}` in the namespace.", **labels) == (
        f"Look at {filled} in the namespace."
    )
    assert "FILL_IN" in words(f"Look at `{code}` with systemctl.", **labels)


@pytest.mark.parametrize("command", ["dig <service-name>", "grep $SERVICE log", "echo <job-name>"])
def test_objects_of_a_cluster_are_filled_only_in_a_runbook_about_one(command: str) -> None:
    labels = {"service": "cart", "job_name": "cart"}
    text = f"```sh\n{command}\n```\n\nSee the registry."

    assert "cart" not in repr(fill(text, **labels))
    assert "cart" in repr(fill(f"{text} It runs in a pod.", **labels))


_LOG = "```console\ndrain failed: cannot evict <namespace>/<pod-name>\n```\n\n"
_DELETES = """```sh
$ kubectl delete pod <pod_name> -n $NAMESPACE
$ kubectl edit pdb $PDB -n $NAMESPACE
$ kubectl drain <node>
```
"""
_ALERT = {
    "pod": "controller-1",
    "poddisruptionbudget": "controller",
    "namespace": "operator",
    "node": "node-3",
}


@pytest.mark.parametrize("log", [_LOG, _LOG.replace("console", "text"), f"```sh\n$ c\n{_LOG[11:]}"])
def test_what_the_output_of_a_command_names_first_is_not_what_the_alert_is_about(log: str) -> None:
    [*_, code] = fill(log + _DELETES, **_ALERT)

    assert isinstance(code, Code)
    assert code.text == (
        "kubectl delete pod FILL_IN_pod_name -n FILL_IN_NAMESPACE\n"
        "kubectl edit pdb FILL_IN_PDB -n FILL_IN_NAMESPACE\n"
        "kubectl drain node-3"
    )


@pytest.mark.parametrize(
    "sets", ["POD=$(kubectl get po -o name)", 'export POD_NAME="`c`"', "pod=$(c)"]
)
def test_what_a_variable_gets_from_a_command_is_not_what_the_alert_is_about(sets: str) -> None:
    uses = "kubectl delete pod {} -n <namespace>\nkubectl delete pod POD"

    [code] = fill(f"```sh\n{sets}\n{uses.format('<pod>')}\n```", **_ALERT)
    assert isinstance(code, Code)
    assert code.text == f"{sets}\n{uses.format('FILL_IN_pod')}".replace("<namespace>", "operator")

    [code] = fill(f"```sh\nkubectl describe pod <pod>\n{sets}\nkubectl logs <pod>\n```", **_ALERT)
    assert isinstance(code, Code)
    assert code.text.endswith("kubectl logs controller-1")


def test_telling_output_from_commands_takes_linear_time() -> None:
    def prepare(size: int) -> None:
        Filling(runbook("```console\n" + "$ c <pod>\n<node> x\n" * size + "```"))

    assert_linear(prepare, 500)


def test_output_may_name_again_what_a_command_has_named() -> None:
    [first, *_, last] = fill(f"Look at `kubectl -n <ns> logs <pod>`.\n\n{_LOG}{_DELETES}", **_ALERT)

    assert "controller-1" in repr(first)
    assert "kubectl delete pod controller-1 -n operator" in repr(last)
    assert "kubectl edit pdb controller -n operator" in repr(last)


def test_a_label_that_a_template_names_is_that_label() -> None:
    text = "`c {{ $labels.service_name }}`, {{ $labels.service_name }} and {{ .Labels.pod }}"
    assert words(text, service="cart", pod="web") == (
        "c FILL_IN_service_name, {{ $labels.service_name }} and web"
    )


def test_a_title_taken_from_a_command_is_filled_as_a_command() -> None:
    book = runbook("# R\n\n## Mitigation\n\n1. Run `rm -rf /data/$volume`\n2. Run `sudo $pod`\n")
    labels = AlertLabels({"pod": "web"})

    titles = [step.title for step in Filling(book).section(book.sections[0], labels).steps]

    assert titles == ["Run rm -rf /data/FILL_IN_volume", "Run sudo FILL_IN_pod"]


@pytest.mark.parametrize("text", ["{{ $value }} requests", '{{ printf "%.2f" $value }}s'])
def test_variables_of_a_template_stay_in_prose(text: str) -> None:
    assert words(text, value="12") == text


def test_the_value_of_a_template_stays_in_inline_code() -> None:
    text = "`{{ $value | humanize }} of {{ $labels.namespace }}`"
    assert words(text, namespace="prod", value="12") == "{{ $value | humanize }} of prod"


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        (
            "<namespace>/<service-monitor>/<endpoint-id>",
            "<namespace>/<service-monitor>/<endpoint-id>",
        ),
        ("<namespace>/<pod>", "prod/web-1"),
        ("<namespace>", "prod"),
    ],
)
def test_the_form_of_a_name_with_parts_that_no_label_has_stays(text: str, filled: str) -> None:
    labels = {"namespace": "prod", "pod": "web-1"}
    assert words(f"In Kubernetes, `{text}` is the name.", **labels).startswith(
        f"In Kubernetes, {filled} is"
    )


def test_variables_of_a_template_stay_in_other_code() -> None:
    [code] = fill("```yaml\nsummary: {{ $value }}\n```", value="12")
    assert isinstance(code, Code)
    assert code.text == "summary: {{ $value }}"


def test_the_labels_that_fill_a_runbook_are_those_that_its_placeholders_mean() -> None:
    text = (
        "Run `kubectl -n <namespace> logs $POD` on $node.\n\n```bash\n"
        'x=1; echo "$x" --topic <topic> --ns "${NAMESPACE}" <name>\n```\n\n'
        '```promql\nup{job="$job", pod="$pod"}\n```\n'
    )
    assert Filling(runbook(text)).labels() == ["namespace", "pod", "topic", "job"]


def test_a_name_that_means_no_label_does_not_ask_for_one() -> None:
    text = (
        "```console\n$ docker restart <service>\nevicted <pod>\n$ kubectl logs <pod> -n <ns>\n```"
    )
    assert Filling(runbook(text)).labels() == ["namespace"]


def many_commands(count: int, verb: str) -> Runbook:
    steps = (f"1. Step\n\n   ```sh\n   kubectl {verb} $pod-{n}\n   ```" for n in range(count))
    return runbook("# Many\n\n## Mitigation\n\n" + "\n".join(steps))


def test_commands_of_a_long_runbook_are_read_once_for_all_alerts():
    book = many_commands(5_000, "logs")
    prepared = filling(book)
    before = compile_fence.cache_info().misses
    for pod in ("api-0", "api-1"):
        filled = prepared.section(book.sections[0], AlertLabels({"pod": pod}))
        assert f"kubectl logs {pod}-4999" in str(filled.steps[-1].blocks)
    assert compile_fence.cache_info().misses - before == 5_000


def test_steps_that_are_not_shown_are_not_filled():
    book = many_commands(100, "describe")
    prepared, labels = filling(book), AlertLabels({"pod": "api-0"})
    before = compile_fence.cache_info().misses
    first = prepared.section(book.sections[0], labels, 3)
    assert compile_fence.cache_info().misses - before == 3
    whole = prepared.section(book.sections[0], labels)
    assert first.steps == whole.steps[:3]
    assert len(whole.steps) == 100
    assert prepared.section(book.sections[0], labels, 100) is whole
    assert prepared.section(book.sections[0], labels, 3) is first
