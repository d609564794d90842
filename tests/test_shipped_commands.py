"""Every command and query of the runbooks that ship can work: syntax, names, labels, metrics."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import promql_parser

from alert_router.enrich.placeholders import of_environment
from alert_router.markdown import Code, to_text
from tests.shipped import (
    CARRIED,
    CLUSTER_WIDE,
    IN_COMMANDS,
    METRICS,
    NAMESPACES,
    OBJECTS,
    SELECTORS,
    SHIPPED,
    TOOLS,
    VERBS_CLUSTER_WIDE,
    VERBS_NAMESPACED,
    category,
    every_runbook,
    fences,
    of,
    text_of,
)

# What takes something away, or takes it out of service. A warning stands before each.
DESTRUCTIVE = re.compile(
    r"kubectl delete|rollout undo|helm rollback|rollout restart sts|FLUSHALL|FLUSHDB"
    r"|pg_cancel_backend|pg_terminate_backend|ALTER SYSTEM|patch pvc"
    r"|kubectl drain|--replicas=0|helm uninstall|helm upgrade|pg_restore"
    r"|DROP (?:TABLE|DATABASE|INDEX)|TRUNCATE|DELETE FROM|VACUUM \(?FULL|aws s3 r[mb]\b|UNLINK"
)
# What a script gives a value: an assignment, a loop, what it reads.
ASSIGNED = re.compile(
    r"(?:^|[\s;(&|])(?:(?:export|local|readonly) +)?([A-Za-z_]\w*)=|\bfor +([A-Za-z_]\w*) +in\b"
    r"|\bread +(?:-\w+ +)*([A-Za-z_]\w*)",
    re.MULTILINE,
)
EXPANDED = re.compile(r"(?<!\$)\$\{?([A-Za-z_]\w*)")
AWK = {"NF", "NR"}
QUERIES = {"alerts": 8}  # at least so many; three elsewhere


def run(program: list[str | Path], text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(program, check=False, input=text, capture_output=True, text=True)


def commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a script, split at pipes and separators, as words."""
    lexer = shlex.shlex(script.replace("\\\n", " "), posix=True, punctuation_chars="|;&\n()<>")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, "\n"]:
        if word and set(word) <= set("|;&\n()<>"):
            if command:
                yield command
            command = []
        else:
            command.append(word)


def selectors(query: str) -> list[tuple[str, set[str]]]:
    """Each selector's metric and the labels it asks for."""
    found: list[tuple[str, set[str]]] = []

    def visit(node: object) -> bool:
        selector = getattr(node, "vector_selector", node)
        if isinstance(selector, promql_parser.VectorSelector):
            found.append((selector.name, {matcher.name for matcher in selector.matchers.matchers}))
        return True

    promql_parser.walk(promql_parser.parse(query), visit, lambda node: True)
    assert found, query
    return found


@every_runbook
def test_a_warning_stands_before_what_takes_something_away(name):
    for section in of(name).sections:
        for step in section.steps:
            warned = False
            for block in step.blocks:
                if isinstance(block, Code):
                    destructive = DESTRUCTIVE.search(block.text)
                    assert not destructive or warned, f"{step.title}: {destructive}"
                else:
                    warned = warned or "Warning:" in to_text((block,))


@every_runbook
def test_bash_accepts_every_script(name):
    for fence in fences(of(name).blocks, "bash"):
        done = run(["bash", "-n"], fence.text)
        assert done.returncode == 0, f"line {fence.line}: {done.stderr}"


def test_shellcheck_has_nothing_to_say(tmp_path):
    scripts = []
    for name in SHIPPED:
        for fence in fences(of(name).blocks, "bash"):
            stem = name.replace("/", "-")
            scripts.append(tmp_path / f"{stem}-line-{fence.line}.sh")
            scripts[-1].write_text(f"{fence.text}\n")
    # SC2154: placeholders are not assigned. SC2086: nor quoted, they are filled with one word.
    shellcheck = Path(sys.executable).parent / "shellcheck"
    arguments = [shellcheck, "--shell=bash", "--exclude=SC2154,SC2086", *scripts]
    done = run(arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(scripts) > 50


@every_runbook
def test_kubectl_names_what_exists(name):
    for fence in fences(of(name).blocks, "bash"):
        for command in commands(fence.text):
            if "kubectl" not in command:
                continue
            words = command[command.index("kubectl") + 1 :]
            assert words[0] in VERBS_NAMESPACED | VERBS_CLUSTER_WIDE, words
            for flag, value in pairwise(words):
                if flag in {"-l", "--selector"}:
                    assert value in SELECTORS, words
                if flag in {"-n", "--namespace"}:
                    assert value in NAMESPACES, words
                if flag in OBJECTS and not value.startswith("-"):
                    assert value in OBJECTS[flag], words
            for kind, _, object_name in (word.partition("/") for word in words):
                if kind in OBJECTS and object_name:
                    assert object_name in OBJECTS[kind], words
            in_namespace = {"-n", "--all-namespaces"} & set(words)
            of_cluster = words[0] in VERBS_CLUSTER_WIDE or words[1] in CLUSTER_WIDE
            assert in_namespace or of_cluster, words


@every_runbook
def test_helm_names_the_release_and_its_namespace(name):
    for fence in fences(of(name).blocks, "bash"):
        for words in commands(fence.text):
            if words[0] == "helm" and words[1] not in {"repo", "search", "show", "version", "list"}:
                assert "schema-registry" in words[2:5], words
                assert words[words.index("-n") + 1] == "schema-registry", words


@every_runbook
def test_exec_goes_where_a_tool_is_known_to_be(name):
    for fence in fences(of(name).blocks, "bash"):
        for words in commands(fence.text):
            if words[:2] != ["kubectl", "exec"]:
                continue
            target = next(word for word in words if word.startswith("sts/")).removeprefix("sts/")
            assert words[words.index("--") + 1] in TOOLS[target], words
            if "psql" in words:
                # What is renamed must not be what one is connected to.
                renames = any("RENAME TO schema_registry" in word for word in words)
                database = "postgres" if renames else "schema_registry"
                assert words[words.index("-d") + 1] == database, words
                assert words[words.index("-U") + 1] in {"schema_registry", "postgres"}
            assert not {"KEYS", "MONITOR", "SORT"} & set(words), words


@every_runbook
def test_promql_parses_and_knows_only_what_is_measured(name):
    queries = list(fences(of(name).blocks, "promql"))
    assert len(queries) >= QUERIES.get(category(name), 3)
    for fence in queries:
        for metric, labels in selectors(fence.text):
            assert metric in METRICS, f"line {fence.line}: {metric}"
            assert labels <= METRICS[metric], f"line {fence.line}: {metric} has no such label"


@every_runbook
def test_promql_groups_by_labels_its_metrics_have(name):
    for fence in fences(of(name).blocks, "promql"):
        known = {label for metric, _ in selectors(fence.text) for label in METRICS[metric]}
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", fence.text):
            grouped = {label.strip() for label in labels.split(",")}
            assert grouped <= known, f"line {fence.line}: {grouped - known}"


@every_runbook
def test_histograms_are_asked_for_quantiles_by_le(name):
    for fence in fences(of(name).blocks, "promql"):
        for inner in re.findall(r"histogram_quantile\([\d.]+, sum by \(([^)]*)\)", fence.text):
            assert "le" in inner.split(", "), fence.text
        assert fence.text.count("histogram_quantile(") == fence.text.count("_bucket{") + (
            fence.text.count("_bucket[")
        ), fence.text


def assigned(script: str) -> set[str]:
    return {name for match in ASSIGNED.finditer(script) for name in match.groups() if name}


def expanded(script: str) -> set[str]:
    return set(EXPANDED.findall(script)) - (AWK if "awk" in script else set())


def placeholders(name: str) -> list[tuple[str, set[str]]]:
    """Each shell fence with what it expands and neither it nor one before it assigns."""
    known: set[str] = set()
    found = []
    for fence in fences(of(name).blocks, "bash"):
        known |= assigned(fence.text)
        unknown = {word for word in expanded(fence.text) - known if not of_environment(word)}
        found.append((fence.text, unknown))
    return found


@every_runbook
def test_placeholders_are_labels_that_its_alerts_carry(name):
    text = text_of(name)
    assert "{{" not in text
    own: set[str] = set()
    for script, unknown in placeholders(name):
        assert unknown <= CARRIED.get(name, set()), script
        own |= assigned(script)
    elsewhere = re.sub(r"(?ms)^ *```bash$.*?^ *```$", "", text)
    assert set(EXPANDED.findall(elsewhere)) - own <= CARRIED.get(name, set())


@every_runbook
def test_commands_need_no_label_that_only_some_alerts_of_the_service_carry(name):
    """An unfilled placeholder stops the pasted command."""
    for script, unknown in placeholders(name):
        assert unknown <= IN_COMMANDS.get(name, set()), script


def test_an_assignment_counts_from_where_it_stands():
    assert assigned('A=1\nexport B="$A"; C=2 run\nfor d in x; do read -r e; done') == set("ABCde")
    assert assigned("kubectl set env deploy/x --overwrite a.b/c==d") == set()
    assert expanded("echo $A ${B:-1} $$C | awk '{ print $1, $NF }'") == {"A", "B"}
