"""Placeholders that are none, that nobody fills, and words that Markdown drops."""

import pytest

from tests.checks.lint.kit import fence, found, linted, pointed_at

CARRIED = frozenset({"alertname", "namespace", "pod", "severity"})


@pytest.mark.parametrize(
    "written",
    [
        "{{ $label.pod }}",
        "{{$Labels.pod}}",
        "{{ labels.pod }}",
        "$labels.pod",
        "${labels.pod}",
        '{{ index $labels "pod" }}',
        "{ $labels.pod }",
    ],
)
def test_misspelled_placeholders_are_reported(tmp_path, written):
    text = (
        f"# A\n\n## Detection\n\n1. Look at `{written}`.\n\n   ```bash\n   echo {written}\n   ```\n"
    )

    problems = [p for p in linted(tmp_path, text) if p.code == "runbook-placeholder"]

    assert [p.place.line for p in problems] == [5, 8]
    assert all(pointed_at(problem).startswith(written) for problem in problems)
    assert problems[0].hint == "did you mean `$pod` or `{{ $labels.pod }}`?"


@pytest.mark.parametrize(
    "written",
    [
        "{{ $labels.pod }}",
        "{{$labels.pod}}",
        "{{- $labels.pod -}}",
        "{{ .Labels.pod }}",
        "{{ .CommonLabels.pod }}",
        "$pod",
        "${pod}",
        "{{ .Values.pod }}",
        "$$labels.pod",
        "'{{.metadata.labels.app}}'",
        "{{ .Config.Labels }}",
        "labels.pod",
        "$LABELS",
    ],
)
def test_placeholders_and_similar_text_are_not_reported(tmp_path, written):
    text = fence(f"echo {written}")
    assert found(linted(tmp_path, text), "runbook-placeholder") == []


def test_template_languages_are_not_checked(tmp_path):
    text = fence("summary: '{{ .Labels.pod }} is down'", "yaml")
    assert found(linted(tmp_path, text), "runbook-placeholder") == []


def test_words_to_fill_in_by_hand_are_reported_once_each(tmp_path):
    text = fence("c <user-id> <pod-name> -n <my-token>\nd <user-id>")

    problems = [p for p in linted(tmp_path, text) if p.code == "runbook-placeholder-by-hand"]

    assert [(p.place.column, p.message, p.severity) for p in problems] == [
        (6, "`<user-id>` must be filled in by hand (2 times)", "info"),
        (30, "`<my-token>` must be filled in by hand", "info"),
    ]
    assert [p.hint for p in problems] == [
        "If the alert has a label for it, write `$user`.",
        "If the alert has a label for it, write `$token`.",
    ]


def test_words_in_the_output_of_a_session_are_not_reported(tmp_path):
    text = fence("$ kubectl get nodes\nnode-1  Ready  <none>")
    assert found(linted(tmp_path, text), "runbook-placeholder-by-hand") == []


@pytest.mark.parametrize("text", ["sort <in >out", "a <b> c.txt x", "cat <<EOF\nx\nEOF", "ls <(a)"])
def test_redirections_are_not_words_to_fill_in(tmp_path, text):
    problems = found(linted(tmp_path, fence(text)), "runbook-placeholder-by-hand")
    assert [message for _, _, message in problems] in (
        [],
        ["`<b>` must be filled in by hand"],
    )


def test_a_label_that_the_alerts_do_not_have(tmp_path):
    text = fence("kubectl logs -n $namespac $POD -c $container; x=1; echo $x $HOME $?")

    problems = linted(tmp_path, text, {"alerts/example": CARRIED})

    unknown = [p for p in problems if p.code == "runbook-unknown-label"]
    assert [(p.message, p.hint) for p in unknown] == [
        (
            "`$namespac`: no alert of this runbook has the label `namespac`",
            "did you mean `namespace`?",
        ),
        (
            "`$container`: no alert of this runbook has the label `container`",
            "Its alerts have: alertname, namespace, pod, severity.",
        ),
    ]
    assert [pointed_at(p).split()[0] for p in unknown] == ["$namespac", "$container;"]


@pytest.mark.parametrize("labels", [{}, {"alerts/example": None}, {"other": CARRIED}])
def test_labels_are_not_checked_if_they_are_not_known(tmp_path, labels):
    assert found(linted(tmp_path, fence("echo $nope"), labels), "runbook-unknown-label") == []


def test_labels_in_prose_and_queries_are_checked(tmp_path):
    text = (
        "# A\n\n## Detection\n\n1. Look at $tier, `$pod` and {{ $labels.zone }} in `$HOME`.\n\n"
        '   ```promql\n   up{shard="$shard"} > $__interval\n   ```\n'
    )
    problems = found(linted(tmp_path, text, {"alerts/example": CARRIED}), "runbook-unknown-label")
    assert [(line, message.split("`")[1]) for line, _, message in problems] == [
        (5, "$tier"),
        (5, "{{ $labels.zone }}"),
        (8, "$shard"),
    ]


def test_words_that_markdown_drops_are_reported(tmp_path):
    text = "# A\n\n## Detection\n\n1. Restart **<pod-name>** in <namespace>.\n"

    problems = found(linted(tmp_path, text), "runbook-dropped-text")

    assert [(line, column) for line, column, _ in problems] == [(5, 14), (5, 30)]


@pytest.mark.parametrize(
    "prose",
    [
        "`<pod>`",
        r"\<pod\>",
        "&lt;pod&gt;",
        "<br>",
        "<details>",
        "<https://example.org>",
        "a < b > c",
        "<pod_name>",
        "<host:port>",
        "<me@example.org>",
        "<!-- pod -->",
        "<kbd>x</kbd>",
        "<mine>x</mine>",
    ],
)
def test_html_code_and_visible_text_are_not_reported_as_dropped(tmp_path, prose):
    text = f"# A\n\n## Detection\n\n1. See {prose} there.\n"
    assert found(linted(tmp_path, text), "runbook-dropped-text") == []
