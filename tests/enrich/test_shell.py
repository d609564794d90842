"""Filling shell commands: which values are filled where. What shells do with them: `attacks`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router.enrich.fill import filling
from alert_router.enrich.placeholders import AlertLabels, Context, Filled, may_fill, token
from alert_router.enrich.shell import compile_fences
from alert_router.markdown import Code
from alert_router.runbook import parse_runbook
from tests.enrich.attacks.cases import FILLED, NOT_FILLED
from tests.speed import assert_linear

_PLAIN = "Zq7"
_TOKEN = "FILL_IN_pod"
_HOSTILE = [
    "", "$(touch pwned)", "; touch pwned", "`touch pwned`", "--all", "-rf", "..", "a/../b", "a\nb",
    "a b", "'", '"', "\\", "~root", "*", "{a,b}", "!!", "a=b", "é", "x" * 300, "a\x00", "\ud800",
    "a\n", "#", "a;c", "a&", "$pod", "${pod}", "{{ $labels.pod }}", "a,b", "٣",
]  # fmt: skip
_IN_A_COMMENT = "psql -c \"delete from t where id = 2 /* it's */ or id = $pod or name = 'x'\""
_ARGUMENTS = ["/", "//", "/etc/passwd", "10.0.0.1:9090", "x" * 253]


def fill(text: str, labels: dict[str, str], language: str = "bash") -> Filled:
    return compile_fences([(text, language)])[0].fill(AlertLabels(labels))


def fill_runbook(text: str, labels: dict[str, str]) -> list[str]:
    """The texts of the code blocks of a runbook."""
    book = parse_runbook(f"# R\n\n## Mitigation\n\n{text}", id="r", path="r.md")
    section = filling(book).section(book.sections[0], AlertLabels(labels))
    blocks = [*section.intro, *(block for step in section.steps for block in step.blocks)]
    return [block.text for block in blocks if isinstance(block, Code)]


@pytest.mark.parametrize("text", FILLED)
def test_a_plain_value_is_filled(text: str) -> None:
    filled = fill(text, {"pod": _PLAIN})

    assert filled.values == ()
    assert _TOKEN not in filled.text
    assert _PLAIN in filled.text


@pytest.mark.parametrize("value", _ARGUMENTS)
@pytest.mark.parametrize(
    "text",
    ["df -h $pod", 'df -h "$pod"; d', "du --path=$pod", "c '$pod'", "kubectl exec x -- c $pod"],
)
def test_a_whole_argument_may_be_a_path_or_an_address(text: str, value: str) -> None:
    assert value in fill(text, {"pod": value}).text


@pytest.mark.parametrize("text", NOT_FILLED)
def test_elsewhere_the_token_is_used(text: str) -> None:
    filled = fill(text, {"pod": _PLAIN})

    assert _PLAIN not in filled.text
    assert _TOKEN in filled.text
    assert filled.values == (("pod", _PLAIN),)


@pytest.mark.parametrize("value", ["/", "//", "/.", "a/b", "host:x", "a--b", "-", "..", "a..b"])
@pytest.mark.parametrize(
    "text",
    ["rm -r /data/$pod", 'rm -r "$pod/tmp"', 'rm -r /data/"$pod"', "rm -r ${pod}x", "rm $1$pod",
     "tar czf $pod.tar.gz x", "tee $pod.log", "kubectl apply -f $pod.yaml", "c http://$pod.svc:80/"],
)  # fmt: skip
def test_a_part_of_an_argument_is_a_plain_name(text: str, value: str) -> None:
    assert fill(text, {"pod": value}).text == fill(text, {}).text
    assert fill(text, {"pod": value}).values == (("pod", value),)


@pytest.mark.parametrize("value", _HOSTILE)
def test_a_hostile_value_is_never_filled(value: str) -> None:
    for text in [*FILLED, *NOT_FILLED]:
        filled = fill(text, {"pod": value})

        assert filled.text == fill(text, {}).text
        assert {value for _, value in filled.values} == {value}


@settings(deadline=None)
@given(st.text(), st.sampled_from([*FILLED, *NOT_FILLED]))
def test_only_values_of_the_allowed_characters_are_filled(value: str, text: str) -> None:
    if not may_fill(Context.ARGUMENT, value):
        assert fill(text, {"pod": value}).text == fill(text, {}).text


@pytest.mark.parametrize(
    ("text", "value", "filled"),
    [
        ('psql -c "delete from t where id = $pod"', "2", True),
        ('psql -c "delete from t where id = $pod"', "id", False),
        ('psql -c "delete from t where id = $pod"', "id--", False),
        ('psql -c "delete from t where id = $pod"', "0-1", False),
        ("psql -c \"delete from t where name = '$pod'\"", "b", True),
        ("psql -c 'delete from t where name = \"$pod\"'", "name", False),
        ("psql <<EOF\ndelete from t where id = $pod\nEOF", "id", False),
        ("psql <<EOF\ndelete from t where id = $pod\nEOF", "2", True),
        ('echo "delete from t where id = $pod" | psql', "2", False),
        ("psql -c \"delete from t where name like '$pod%'\"", "b", False),
        (_IN_A_COMMENT, "id", False),
    ],
)
def test_a_statement_takes_numbers_and_quoted_names(text: str, value: str, filled: bool) -> None:
    assert (_TOKEN not in fill(text, {"pod": value}).text) == filled


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("awk '/$pod/ {print}' f", "zz"), ("awk '/$pod/' f", "5"), ("sed 's/a/$pod/' f", "5"),
        ("jq '.[] | select(test(\"$pod\"))'", "zz"), ("grep $pod f", "a.b"),
        ("logcli query '{app=~\"$pod\"}'", "zz"), ("perl -ne 'print if /$pod/'", "5"),
    ],
)  # fmt: skip
def test_nothing_is_filled_in_a_regular_expression(text: str, value: str) -> None:
    assert value not in fill(text, {"pod": value}).text.replace("FILL_IN_pod", "")


def test_no_placeholder_stays_as_an_expansion() -> None:
    assert not any("$pod" in fill(text, {}).text for text in [*FILLED, *NOT_FILLED])


def test_a_variable_beside_a_value_keeps_its_name() -> None:
    text = fill('BASE=/data\nrm -rf "$BASE$volume/"', {"volume": "v1"}).text

    assert text == 'BASE=/data\nrm -rf "${BASE}v1/"'


def test_environment_variables_are_kept() -> None:
    text = "c $VAULT_ADDR $KUBECONFIG $API_HOST $PGPASSWORD $HOME ${USER} $1 $? $@ $# $$ ${x:-y}"
    labels = {"vault_addr": "a", "kubeconfig": "b", "api_host": "c", "home": "h", "user": "u"}

    assert fill(text, labels).text == text


def test_a_name_in_capitals_means_a_label_in_capitals_or_a_known_alias() -> None:
    labels = {"namespace": "prod", "pod": "web", "topic_x": "t", "DC": "eu"}

    assert fill("c $NS $POD_NAME $TOPIC_X $DC", labels).text == "c prod web FILL_IN_TOPIC_X eu"
    assert fill("c $pod $POD", {"pod": "a", "POD": "b"}).text == "c a b"


@pytest.mark.parametrize(
    "spelling",
    ["<pod>", "<pod-name>", "<POD_NAME>", "<podName>", "<your pod>", "<my-pod>", "<affected-pod>",
     "<name-of-the-pod>", "<Name of your pod>",
     "[POD]", "[pod-name]", "{{ pod }}", "{{ .Labels.pod }}", "{{- $labels.pod -}}", "$POD_NAME",
     "${pod_name}", "$podName"],
)  # fmt: skip
def test_every_spelling_of_a_name_means_its_label(spelling: str) -> None:
    text = f"kubectl logs {spelling} -c x\nrm '/data/{spelling}/tmp'"

    assert fill(text, {"pod": "web"}).text == "kubectl logs web -c x\nrm '/data/web/tmp'"
    assert "FILL_IN_" in fill(text, {}).text
    assert spelling not in fill(text, {}).text


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("kubectl -n NAMESPACE get pods", "kubectl -n prod get pods"),
        ("oc get pods --namespace=NS", "oc get pods --namespace=prod"),
        ("sudo kubectl logs -f POD_NAME -c CONTAINER", "sudo kubectl logs -f web -c app"),
        ("kubectl exec -it pod/my-pod -n my-ns -- c", "kubectl exec -it pod/web -n prod -- c"),
        ("kubectl describe pod NAME", "kubectl describe pod web"),
        ("kubectl describe node <name>", "kubectl describe node node-1"),
        ("kubectl delete pod/<name>", "kubectl delete pod/web"),
        ("kubectl drain NODE NAME", "kubectl drain node-1 NAME"),
        ("kubectl drain NODE --force", "kubectl drain node-1 --force"),
        ("kubectl get deployment <name>", "kubectl get deployment FILL_IN_deployment"),
        ("kubectl -n $NS rollout status pod $NAME", "kubectl -n prod rollout status pod web"),
        ("NAME=x; kubectl get pod $NAME", "NAME=x; kubectl get pod $NAME"),
        ("kubectl get pod $name", "kubectl get pod x"),
        ("oc -n NS debug node/<node-name>", "oc -n prod debug node/node-1"),
        ("kubectl debug -it <pod> --image=x", "kubectl debug -it web --image=x"),
        ("kubectl auth can-i create pods -n <ns>", "kubectl auth can-i create pods -n prod"),
        ("kubectl create namespace <ns>", "kubectl create namespace FILL_IN_ns"),
        ("k run x --image=y <pod> -n <ns>", "k run x --image=y FILL_IN_pod -n prod"),
    ],
)  # fmt: skip
def test_a_plain_word_is_a_placeholder_by_its_place(text: str, filled: str) -> None:
    labels = {"namespace": "prod", "pod": "web", "container": "app", "node": "node-1", "name": "x"}

    assert fill(text, labels).text == filled


@pytest.mark.parametrize(
    "text",
    ["kubectl get pods -o NAMESPACE", "kubectl create namespace my-namespace", "c -n NAMESPACE",
     "kubectl get pods | grep POD", "kubectl exec x -- c POD", "kubectl set env deploy/x POD=y",
     "kubectl get pods -o custom-columns=POD:.metadata.name", "kubectl get pods | grep '<none>'",
     "docker inspect --format '{{ .Labels.pod }}' x", "kubectl get po -o go-template='{{ pod }}'",
     "grep '[a-z]' f", "c '<title>'", "kubectl get pods <none>", "sort <f >g", "c <in>out",
     "feed <<EOF\n<pod>x</pod>\nEOF"],
)  # fmt: skip
def test_what_only_looks_like_a_placeholder_stays(text: str) -> None:
    labels = dict.fromkeys(("namespace", "pod", "title", "in", "f"), "web")

    assert fill(text, labels).text == text


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("kubectl -n {namespace} logs {pod-name}", "kubectl -n prod logs web"),
        ('curl "http://h/ns/{namespace}/{pod}"', 'curl "http://h/ns/prod/web"'),
        ("kubectl -n {ns} get {what}", "kubectl -n prod get {what}"),
        ("c {pod,x} x{pod} ${pod}x %{pod} {pod}}", "c {pod,x} x{pod} webx %{pod} {pod}}"),
        ("jq '{pod}' f; awk \"{pod}\" f; c '{pod}'", "jq '{pod}' f; awk \"{pod}\" f; c '{pod}'"),
        ("c | xargs -I{pod} rm {pod}", "c | xargs -I{pod} rm {pod}"),
        ("kubectl delete pod ${NAME%-*}", "kubectl delete pod FILL_IN_pod"),
        ("kubectl delete pod ${NAME}", "kubectl delete pod web"),
        ("c | xargs --replace={pod} rm {pod}", "c | xargs --replace={pod} rm {pod}"),
        ("kubectl get nodes -o jsonpath='{pod}'", "kubectl get nodes -o jsonpath='{pod}'"),
    ],
)
def test_a_name_in_braces_is_a_placeholder_where_the_shell_alone_reads_it(
    text: str, filled: str
) -> None:
    assert fill(text, {"namespace": "prod", "pod": "web"}).text == filled


_UNIT = {"name": "kubelet.service", "state": "failed", "type": "simple"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("systemctl status <service>", "systemctl status kubelet.service"),
        ("sudo systemctl restart [SERVICE_NAME]", "sudo systemctl restart kubelet.service"),
        ("systemctl restart <name> && systemctl show $UNIT", "systemctl restart kubelet.service &&"
         " systemctl show kubelet.service"),
        ("journalctl -xeu <service-name> -n 50", "journalctl -xeu kubelet.service -n 50"),
        ("journalctl --unit UNIT_NAME", "journalctl --unit kubelet.service"),
        ("service <service_name> status", "service FILL_IN_service_name status"),
        ("systemctl restart <service>.service", "systemctl restart FILL_IN_service.service"),
        ("systemctl restart kubelet -H <name>", "systemctl restart kubelet -H FILL_IN_name"),
        ("docker restart <service>", "docker restart FILL_IN_service"),
    ],
)  # fmt: skip
def test_a_service_of_systemd_is_the_unit_of_the_alert(text: str, filled: str) -> None:
    labels = _UNIT | {"service": "node-exporter"}

    assert fill(text, labels).text == filled
    assert "kubelet.service" not in fill(text, {"service": "kubelet.service"}).text


@pytest.mark.parametrize(
    ("text", "labels", "filled"),
    [
        ("kubectl describe APIService $NAME", {"apiservice": "v1.x"}, "APIService v1.x"),
        ("oc get co <name>", {"clusteroperator": "dns"}, "co dns"),
        ("oc edit mcp $MCP_NAME", {"machineconfigpool": "worker"}, "mcp worker"),
        ("kubectl get ing NAME", {"ingress": "web"}, "ing web"),
        ("kubectl get sc/<name>", {"storageclass": "fast"}, "sc/fast"),
        ("kubectl get VirtualMachine <name>", {"vm": "vm-1"}, "VirtualMachine vm-1"),
    ],
)
def test_a_kind_of_resource_says_which_label_a_name_means(
    text: str, labels: dict[str, str], filled: str
) -> None:
    assert fill(text, labels | {"name": "other", "pod": "other"}).text.endswith(filled)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("gcloud container clusters upgrade <cluster>", "gcloud container clusters upgrade eu-1"),
        ("gcloud compute ssh <node> --zone z", "gcloud compute ssh node-1 --zone z"),
        ("gcloud compute ssh x --command <node>", "gcloud compute ssh x --command FILL_IN_node"),
        ("gcloud compute ssh x -- c <node>", "gcloud compute ssh x -- c FILL_IN_node"),
    ],
)
def test_gcloud_is_an_ordinary_command_besides_the_text_for_a_shell(text: str, filled: str) -> None:
    assert fill(text, {"cluster": "eu-1", "node": "node-1"}).text == filled


def test_an_unknown_word_in_angle_brackets_stops_no_other_and_redirects_nothing() -> None:
    text = "kubectl -n <namespace> exec $pod -- c <what else> > <file>\nd <x> <y-z>"

    assert fill(text, {"namespace": "prod", "pod": "web"}).text == (
        "kubectl -n prod exec web -- c FILL_IN_what_else > FILL_IN_file\nd FILL_IN_x FILL_IN_y_z"
    )


def test_a_word_in_brackets_may_be_any_label_whose_name_says_enough() -> None:
    text = "c <topic-x> <name> <id> <job>"

    assert fill(text, {"topic_x": "t", "name": "n", "id": "i", "job": "j"}).text == (
        "c t FILL_IN_name FILL_IN_id FILL_IN_job"
    )


def test_an_explicit_label_may_have_the_name_of_a_shell_variable() -> None:
    assert fill("c {{ $labels.home }} $HOME", {"home": "h"}).text == "c h $HOME"


_SETS = [
    "POD=$(d)", "read -r POD", "for POD in a; do c; done", "export POD=x", "POD+=1", "local POD",
    "printf -v POD x", "mapfile POD", "getopts a POD", "POD=(a b)", "IFS= read -r POD", "A=1 POD=2",
    "while read -r POD; do c; done", "c; POD=1", "sh -c 'POD=1'", "let POD=1",
]  # fmt: skip


@pytest.mark.parametrize("sets", _SETS)
def test_a_variable_that_any_fence_sets_is_kept(sets: str) -> None:
    before, _, after = compile_fences([("c $POD", "sh"), (sets, "sh"), ("c $POD", "sh")])
    labels = AlertLabels({"pod": "web"})

    assert before.fill(labels) == Filled("c $POD")
    assert after.fill(labels) == Filled("c $POD")


@pytest.mark.parametrize(
    "sets",
    ["```sh\n$ NS=staging\n```", "```console\n$ export NS=staging\n```", "    NS=staging",
     "Set `NS=staging`.", "Run `export NS=staging` first.", "| a |\n| - |\n| `NS=staging` |"],
)  # fmt: skip
def test_a_variable_set_outside_the_fence_is_not_filled(sets: str) -> None:
    text = f"{sets}\n\n```sh\nkubectl -n $NS delete pods --all\n```\n"

    assert "prod" not in fill_runbook(text, {"namespace": "prod"})[-1]


_SET_SOMEWHERE = [
    "```sh\n$ export NS=\"$(c)\"\n```", "```\n$ export NS=staging\n```",
    "```console\n[root@x ~]# NS=staging\n```", "```\nexport NS=staging\n```", "    $ NS=staging",
    "    export NS=staging", "Run `NS=$(c)`.", "```\nc | while read -r x NS; do d; done\n```",
    "```sh\nf() {\n  local ns=$1 NS=$2\n}\n```", "```sh\nprintf -v NS x\n```",
    "```sh\nwhile getopts n: o; do case $o in n) NS=$OPTARG ;; esac; done\n```",
    "```sh\nmapfile -t NS < f\n```", "```sh\nselect NS in a b; do c; done\n```",
    "```sh\ncat > env.sh <<EOF\nexport NS=staging\nEOF\n```", "```sh\nsource ./env.sh\n```",
    "```sh\n. env.sh\n```", "```sh\nsudo NS=staging c\n```", "```sh\nenv NS=staging c\n```",
    "```sh\n((NS = 1))\n```", "```fish\nset -x NS staging\n```", "```csh\nsetenv NS staging\n```",
    "```powershell\n$env:NS = 'staging'\n```", "```make\nNS := staging\n```",
    "```python\nNS = 'staging'\n```", "Set `NS` to the namespace of the operator.",
    "Export the variable NS first.", "| do |\n|-|\n| `export NS=x` |", "> ```\n> $ NS=x\n> ```",
    "1. a\n\n   ```yaml\n   NS: &x\n   ```\n\n   ```\n   $ NS=x\n   ```",
    "```fish\nset NS staging\n```", "```fish\nset -gx NS (c)\n```", "```csh\nset NS = staging\n```",
    "```powershell\n$NS = 'staging'\n```", "```powershell\n[string]$NS='staging'\n```",
    "```powershell\n$global:NS = 'staging'\n```", "```powershell\nSet-Variable NS staging\n```",
    "```nu\n$env.NS = 'staging'\n```", "```elvish\nset-env NS staging\n```",
    "```bat\nset /p NS=which?\n```", "```cmd\nsetx NS staging\n```",
    "```dockerfile\nENV NS staging\n```", "```dockerfile\nARG NS\n```",
    "```yaml\nenv:\n  - name: NS\n    value: staging\n```", "```yaml\nvars: {NS: staging}\n```",
    '```json\n{"env": {"NS": "staging"}}\n```', "```go\nos.Setenv(\"NS\", ns)\n```",
    "```groovy\nenvironment { NS = 'staging' }\n```", "```hcl\nvariable \"NS\" {}\n```",
    "```ruby\nENV['NS'] = 'staging'\n```", "```awk\nENVIRON[\"NS\"]\n```",
    "```\nset NS staging\nkubectl get ns\n```", "```\n$NS = 'staging'\nkubectl get ns\n```",
    "```\nPS> $NS = 'staging'\n```", "```\nENV NS staging\n```",
    "```\nenv:\n  - name: NS\n    value: x\n```", "```\nenvironment:\n  NS: staging\n```",
    "Run `set NS staging`.", "Run `$NS = 'staging'`.", "```sh\nkubectl apply -f - <<EOF\n"
    "      env:\n        - name: NS\n          value: x\nEOF\n```",
]  # fmt: skip


@pytest.mark.parametrize("sets", _SET_SOMEWHERE)
@pytest.mark.parametrize("first", [True, False])
def test_a_variable_that_the_runbook_sets_anywhere_is_never_replaced(
    sets: str, first: bool
) -> None:
    uses = "In $NS, run `c -n $NS`.\n\n[x](https://x.org/$NS)\n\n```sh\n$ c -n $NS\n```\n"
    uses += '\n```promql\nup{namespace="$NS"}\n```\n'
    book = "\n\n## Other\n\n".join(("# R", sets, uses) if first else ("# R", uses, sets))
    runbook = parse_runbook(book, id="r", path="r.md")
    labels = AlertLabels({"namespace": "prod"})

    assert "prod" not in repr([filling(runbook).section(it, labels) for it in runbook.sections])


def test_the_shell_of_the_user_sets_no_variable_of_the_runbook() -> None:
    text = "```sh\nsource <(kubectl completion bash)\n. ~/.bashrc\nc $NS\n```"

    assert fill_runbook(text, {"namespace": "prod"})[0].endswith("c prod")


@pytest.mark.parametrize("sets", ["    ns=staging", "Set `ns=staging`.", "```sh\n# ns=x\n```"])
def test_a_name_that_may_be_variable_or_label_is_neither_kept_nor_filled(sets: str) -> None:
    text = f"{sets}\n\n```sh\nkubectl -n $ns delete pods --all\n```\n"

    assert fill_runbook(text, {"ns": "prod"})[-1] == "kubectl -n FILL_IN_ns delete pods --all"


@pytest.mark.parametrize("language", ["", "text", "sql", "yaml"])
def test_code_of_other_languages_gets_tokens(language: str) -> None:
    text = f"```{language}\nx: rm -rf /data/$pod {{{{ $labels.pod }}}} $HOME\n```"

    assert fill_runbook(text, {"pod": "web"}) == [f"x: rm -rf /data/{_TOKEN} {_TOKEN} $HOME"]


def test_code_with_variables_of_its_own_keeps_them() -> None:
    assert fill_runbook("```php\n$pod = 1;\n```", {"pod": "web"}) == ["$pod = 1;"]


def test_a_label_in_a_selector_is_not_a_variable() -> None:
    text = "kubectl -n $ns get pods -l app=$app\nhelm upgrade --set app=$app x y"

    assert "$" not in fill(text, {"ns": "a", "app": "b"}).text
    assert "FILL_IN" not in fill(text, {"ns": "a", "app": "b"}).text


def test_a_line_that_is_not_understood_does_not_affect_others() -> None:
    text = "c $pod\nx=(a $pod)\nc $pod\n`c $pod`\nit's $pod\nc $pod"

    filled = fill(text, {"pod": "web"}).text.split("\n")

    assert [filled[0], filled[2], filled[-1]] == ["c web"] * 3
    assert "web" not in filled[1] + filled[3] + filled[4]


def test_in_a_console_session_only_commands_are_filled() -> None:
    text = "$ c $pod \\\n    $pod\nNAME $pod\n# d $pod\n$pod"

    filled = fill(text, {"pod": "web"}, "console")

    assert filled.text == f"$ c web \\\n    web\nNAME {_TOKEN}\n# d web\n{_TOKEN}"


def test_programs_of_awk_jq_and_mongo_keep_their_variables() -> None:
    text = (
        "kubectl get pods -n $pod | jq --arg pod $pod '.[] | select(.name == $pod)'\n"
        "awk '{print $NF}' f\nmongosh --eval 'db.t.find({age: {$gt: 5}})'"
    )

    assert fill(text, {"pod": "web"}).text == text.replace("$pod ", "web ", 2)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            ["$pod", "${pod}", "{{ $labels.pod }}", "'", '"', "\\", "`", "$(", ")", "((", "))", "{",
             "}", "\n", " ", ";", "|", "&", "<", ">", "<<EOF\n", "EOF", "#", "c", "d ", "sh -c ",
             "eval ", "if ", "then ", "fi", "for x in ", "do ", "done", "case ", " in ", "esac",
             "[[ ", " ]]", "!", "~", "*", "=", "x=", "$x", "$", "$'", "${x:-", "1", "-", "xargs ",
             "\\\n", "f()"]
        ),
        max_size=14,
    ).map("".join)
)  # fmt: skip
def test_any_text_can_be_read(text: str) -> None:
    filled = fill(text, {"pod": "$(touch pwned)"})

    assert "touch" not in filled.text
    assert fill(text, {"other": "x"}).values == ()


@pytest.mark.parametrize(
    ("start", "piece"),
    [("", "it's\n"), ("", "$("), ("", '"$('), ("", "{"), ("", "<<E\n"), ("", "${a"), ("", "a="),
     ("", "x=$(($a))\n"), ("c ", "$HOME$(b)x"), ("n=", '"$HOME"'), ("", "<a> "), ("", "<a"),
     ("", "it's <a>\n"), ("", "kubectl -n NS </a> [POD\n"), ("kubectl ", "-n NS logs POD "),
     ("mongosh <<E\n", "$pod\n")],
)  # fmt: skip
def test_a_long_text_takes_linear_time(start: str, piece: str) -> None:
    assert_linear(lambda size: fill(f"{start}{piece * size}\nc $pod", {"pod": "web"}), 2_500)


def test_the_token_is_a_plain_word() -> None:
    assert token("namespace") == "FILL_IN_namespace"


_CART = {"namespace": "shop", "pod": "cart-1", "container": "cart", "service": "cart-svc"}
_OTHERS = {
    "cluster": "prod",
    "job_name": "mig",
    "device": "/dev/sda1",
    "instance": "10.0.0.1:9100",
    "database": "orders",
}


@pytest.mark.parametrize(
    "command",
    [
        "kubectl -n {} delete pod <pod>",
        "oc logs --namespace={} [POD_NAME]",
        "kubectl logs --namespace {} $POD -c <container>",
        "kubectl exec -n {} pod/my-pod -- curl http://<service>:80",
    ],
)
def test_a_pod_is_filled_only_into_a_command_about_its_namespace(command: str) -> None:
    for namespace in ("shop", "<namespace>", '"$NAMESPACE"'):
        assert "cart" in fill(command.format(namespace), _CART).text
    for namespace in ("monitoring", "<operator-namespace>", "$(current)", "x-<namespace>"):
        assert "cart" not in fill(command.format(namespace), _CART).text


def test_an_alias_of_kubectl_is_about_its_namespace_too() -> None:
    assert fill("ka -n shop exec -it <POD> -- c", _CART).text == "ka -n shop exec -it cart-1 -- c"
    assert "cart" not in fill("ka -n $rook_ns exec -it <POD> -- c", _CART).text
    assert fill("tail -n 50 <pod>.log", _CART).text == "tail -n 50 cart-1.log"


def test_a_namespace_may_be_joined_to_its_option() -> None:
    assert fill("oc logs -nshop <pod>", _CART).text == "oc logs -nshop cart-1"
    assert fill("oc logs -nbank <pod>", _CART).text == "oc logs -nbank FILL_IN_pod"


def test_the_namespace_of_a_command_is_compared_for_each_alert() -> None:
    command = compile_fences([("kubectl -n shop logs <pod>", "sh")])[0]

    assert command.fill(AlertLabels(_CART)).text == "kubectl -n shop logs cart-1"
    elsewhere = AlertLabels(_CART | {"namespace": "bank"})
    assert command.fill(elsewhere).text == "kubectl -n shop logs FILL_IN_pod"
    assert elsewhere.asked == {("pod", True), ("namespace", True)}


@pytest.mark.parametrize(
    "command",
    [
        "systemctl restart <service>",
        "journalctl -u [SERVICE_NAME]",
        "docker exec -it <container> sh",
        "az storage blob list --container-name <container-name>",
        "curl http://gateway/metrics/job/$JOB",
        "curl https://<service>.redis.example.com",
        "telnet <service>.<region>.redis.example.com 80",
        "az vm show --name <vm-name>",
        "kubectl get cluster <cluster-name>",
        "kubectl exec svc/<cluster_name>-rw -- psql",
        "consul kv get service/<cluster>/leader",
        "growpart <device> 1",
        "aws ec2 describe-instances --instance-ids <instance>",
        "gcloud sql connect <instance>",
        "systemctl restart worker@<instance>",
        "systemctl status worker@$INSTANCE.service",
        "gcloud sql instances delete <database>",
        "aws cloudwatch list-metrics --namespace <namespace>",
        "vault kv get -namespace=<namespace> x",
        "rbd ls --pool x --namespace <namespace>",
    ],
)
def test_a_name_that_means_something_else_to_the_tool_is_not_filled(command: str) -> None:
    filled = fill(command, _CART | _OTHERS)

    assert "FILL_IN_" in filled.text
    assert filled.values == ()
    for value in (_CART | _OTHERS).values():
        assert value not in filled.text.split()


def test_a_service_of_amazon_is_filled_with_its_dimension() -> None:
    text = "aws ecs describe-services --cluster <cluster-name> --services $SERVICE_NAME"
    ecs = {"dimension_ServiceName": "cart", "dimension_ClusterName": "shop"}

    assert fill(text, ecs | _CART | _OTHERS).text == (
        "aws ecs describe-services --cluster shop --services cart"
    )
    assert "cart" not in fill(text, _CART | _OTHERS).text


@pytest.mark.parametrize(
    "command",
    [
        "kubectl describe svc <service>",
        "curl http://<service>.<namespace>:8080",
        "kubectl --context <cluster> get nodes",
        "az aks show --name <cluster-name>",
        "kubectl logs x -c <container>",
        "resize2fs <device>",
        "psql -d <database>",
        "kubectl logs job/<job>",
        "kubectl exec -n <namespace> vault-0 -- vault status",
    ],
)
def test_a_name_that_means_a_label_is_filled(command: str) -> None:
    assert "FILL_IN_" not in fill(command, _CART | _OTHERS).text


@pytest.mark.parametrize(
    "command",
    [
        *("ssh <instance>", "ping -c 1 $instance", "nslookup <instance>"),
        *("psql -h <instance>", "mysql --host=$INSTANCE", "redis-cli -h <instance> ping"),
    ],
)
def test_a_host_is_filled_without_a_port_only(command: str) -> None:
    assert "9100" not in fill(command, _OTHERS).text
    assert "n7" in fill(command, {"instance": "n7"}).text


@pytest.mark.parametrize(
    "command",
    [
        "sed -n '/Events/,$p' log",
        "kubectl get pods -o go-template='{{range $pod := .items}}{{$pod.name}}{{end}}'",
        "kubectl get pods -o go-template='{{index .items $pod}}'",
    ],
)
def test_what_a_program_in_single_quotes_names_itself_is_kept(command: str) -> None:
    assert fill(command, _CART | {"p": "x"}).text == command


def test_a_variable_of_a_template_in_double_quotes_never_expands() -> None:
    assert "$" not in fill('kubectl get pods -o go-template="{{$pod.name}}"', {}).text
