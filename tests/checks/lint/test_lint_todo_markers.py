"""Leftovers, destructive commands and secrets."""

import pytest

from tests.checks.lint.kit import fence, found, linted, pointed_at

DANGER = "runbook-destructive-command"


@pytest.mark.parametrize(
    "prose",
    [
        "TODO",
        "TODO: write this.",
        "Call TBD.",
        "FIXME(bob) later",
        "**TODO**",
        "See [...] there.",
        "Lorem ipsum dolor.",
        "Insert site specific steps.",
        "To be added.",
        "XXX: port?",
        "Put your site-specific command here.",
        "Coming soon.",
    ],
)
def test_text_that_was_left_over(tmp_path, prose):
    text = f"# A\n\n## Detection\n\n1. See.\n\n   {prose}\n"
    assert [line for line, _, _ in found(linted(tmp_path, text), "runbook-leftover")] == [7]


@pytest.mark.parametrize(
    "prose",
    [
        "`TODO`",
        "Write a TODO comment.",
        "todos los pods",
        "/tmp/XXXXXX",
        "XXX-123",
        "[...](x.png)",
        "the number to be written to the buffer",
        "fill in the form",
        "a[...]",
    ],
)
def test_words_that_mean_something_else(tmp_path, prose):
    text = f"# A\n\n## Detection\n\n1. See {prose}\n"
    assert found(linted(tmp_path, text), "runbook-leftover") == []


def test_comments_in_code_are_left_over_and_code_is_not(tmp_path):
    text = fence("mktemp /tmp/TODO.XXX  # TODO: where?\necho TODO")
    assert found(linted(tmp_path, text), "runbook-leftover") == [(8, 28, "leftover text `TODO`")]


@pytest.mark.parametrize(
    ("command", "language", "word"),
    [
        ("redis-cli FLUSHALL", "bash", "FLUSHALL"),
        ("redis-cli -h cache-0 FLUSHALL", "bash", "FLUSHALL"),
        ('psql -h db -U app -c "DROP TABLE schemas"', "bash", "DROP"),
        ("find /var/lib/cache -type f -delete", "bash", "find"),
        ("kubectl exec redis-0 -- redis-cli flushdb", "bash", "flushdb"),
        ("kubectl -n prod delete pvc data-0", "bash", "kubectl"),
        ("sudo kubectl --context=x drain node-1", "bash", "kubectl"),
        ("kubectl scale deploy/api --replicas=0", "bash", "--replicas=0"),
        ("kubectl replace --force -f x.yaml", "bash", "--force"),
        ("x=1 && helm -n prod uninstall api", "bash", "helm"),
        ("helm rollback api 3", "bash", "helm"),
        ("terraform destroy -auto-approve", "bash", "terraform"),
        ("ls | xargs rm -rf", "bash", "rm"),
        ("dd if=/dev/zero of=/dev/sda", "bash", "dd"),
        ("mkfs.ext4 /dev/sdb1", "bash", "mkfs"),
        ('psql -c "DROP TABLE schemas"', "bash", "DROP"),
        ("DELETE FROM schemas;", "sql", "DELETE"),
        ("TRUNCATE audit_log;", "sql", "TRUNCATE"),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity;", "sql", "pg_terminate_backend"),
        (
            "$ kubectl get pods\n$ kubectl delete pod api-0\npod deleted",
            "console",
            "kubectl delete",
        ),
        ("kubectl delete pod api-0", "", "kubectl"),
    ],
)
def test_a_destructive_command_wants_a_warning(tmp_path, command, language, word):
    [problem] = [p for p in linted(tmp_path, fence(command, language)) if p.code == DANGER]
    assert pointed_at(problem).startswith(word)


@pytest.mark.parametrize(
    ("command", "language"),
    [
        ("# kubectl delete pod api-0", "bash"),
        ("kubectl delete pod api-0 --dry-run=client", "bash"),
        ("kubectl auth can-i delete pods", "bash"),
        ("kubectl delete -h | less", "bash"),
        ("helm uninstall --help", "bash"),
        ("kubectl get events | grep -E 'kubectl delete|FLUSHALL'", "bash"),
        ("echo 'never rm -rf /'", "bash"),
        ("kubectl get pods -l app=delete", "bash"),
        ("kubectl get pods  # then kubectl delete pod", "bash"),
        ("DELETE FROM schemas WHERE id = 3;", "sql"),
        ("-- DROP TABLE schemas", "sql"),
        ("DELETE FROM schemas\n  WHERE id = 3;", "sql"),
        ("kubectl delete pod api-0", "text"),
        ("kubectl scale deploy/api --replicas=05", "bash"),
        ("docker run --rm -v /:/x busybox", "bash"),
        ("apt-get install --force-yes", "bash"),
    ],
)
def test_what_is_only_mentioned_or_tried_is_not_destructive(tmp_path, command, language):
    assert found(linted(tmp_path, fence(command, language)), DANGER) == []


@pytest.mark.parametrize(
    "warning",
    [
        "**Warning:** this empties it.",
        "This is the point of no return.",
        "It cannot be undone.",
        "Expect downtime.",
        "> [!CAUTION]\n   > It is gone.",
        "⚠ Think.",
        "It deletes every key.",
        "What is not on disk is lost.",
    ],
)
def test_a_warning_in_the_step_is_enough(tmp_path, warning):
    text = (
        f"# A\n\n## Mitigation\n\n1. Empty it.\n\n   {warning}\n\n"
        "   ```bash\n   redis-cli FLUSHALL\n   ```\n"
    )
    assert found(linted(tmp_path, text), DANGER) == []


def test_a_warning_counts_in_its_step_in_the_sections_beginning_and_in_the_fence(tmp_path):
    flush = "   ```bash\n   redis-cli FLUSHALL\n   ```\n"
    other_step = f"# A\n\n## Mitigation\n\n1. Warning: careful.\n\n2. Empty it.\n\n{flush}"
    beginning = f"# A\n\n## Mitigation\n\nWarning: careful.\n\n1. Empty it.\n\n{flush}"
    after = f"# A\n\n## Mitigation\n\n1. Empty it.\n\n{flush}\n   Warning: careful.\n"
    in_fence = fence("# Warning: all keys are lost\nredis-cli FLUSHALL")

    counts = [
        len(found(linted(tmp_path, t), DANGER)) for t in (other_step, beginning, after, in_fence)
    ]
    assert counts == [1, 0, 1, 0]


KEY = "-----BEGIN RSA PRIVATE KEY-----"
HOOK = "https://hooks.slack" + ".com/services/T02AB3CD4/B05EF6GH7/"
TOKEN = "9fQ2zL7pWx4Tk8Vb1nRs6Yd3Hc5Jm0Ge2uA7"


@pytest.mark.parametrize(
    ("line", "secret", "what"),
    [
        (f"GITHUB={'gh' + 'p_' + TOKEN}", "gh" + "p_" + TOKEN, "a GitHub token"),
        ("id: " + "AKIA" + "Q3WERTYU7KLMN2PZ", "AKIA" + "Q3WERTYU7KLMN2PZ", "an AWS access key"),
        (
            "xox" + "b-281736450912-Qw3rTyU8kLm",
            "xox" + "b-281736450912-Qw3rTyU8kLm",
            "a Slack token",
        ),
        (f"export DB_PASSWORD='{TOKEN}'", TOKEN, "a password"),
        ("postgres://app:Zk3v9Qm2Lx@db/x", "Zk3v9Qm2Lx", "a password in a URL"),
        (f"curl -H 'Authorization: Bearer {TOKEN}'", TOKEN, "a token"),
        (HOOK + TOKEN[:24], TOKEN[:24], "a Slack webhook URL"),
    ],
)
def test_a_secret_is_found_and_never_shown(tmp_path, line, secret, what):
    problems = linted(tmp_path, fence(line + "  # TODO: and DROP TABLE"))

    shown = "\n".join(problem.show() for problem in problems)
    [problem] = [p for p in problems if p.code == "runbook-secret"]
    assert problem.message == f"this looks like {what}"
    assert secret not in shown
    assert "****" in shown


def test_a_private_key_is_found_where_there_really_is_one(tmp_path):
    key = f"{KEY}\n{'MIIEpAIBAAKCAQEA7' * 3}\n-----END RSA PRIVATE KEY-----"
    picture = f"{KEY}\n...\n-----END RSA PRIVATE KEY-----"

    assert len(found(linted(tmp_path, fence(key, "text")), "runbook-secret")) == 1
    assert found(linted(tmp_path, fence(picture, "text")), "runbook-secret") == []


@pytest.mark.parametrize(
    "line",
    [
        "password: $DB_PASSWORD",
        "password: ********",
        "password: <password>",
        "password=changeme123",
        "token: ${TOKEN}",
        "password: cGFzc3dvcmQxMjM=",
        "postgres://app:$PW@db/x",
        "amqp://guest:guest@mq",
        "secretName: registry-tls-2024",
        "api_key: your-api-key-1",
        "token_file: /run/secrets/token1",
        "AKIAIOSFODNN7EXAMPLE",
        "secret: kubernetes.io/tls",
        "xoxb-your-token-here",
        "Bearer $TOKEN",
        "password_min_length: 12345678",
        "--set auth.password=$(openssl rand -hex 16)",
        "image: registry@sha256:9fq2zl7pwx4tk8vb1nrs6yd3hc5jm0ge2ua7",
        "key: app.kubernetes.io/name",
    ],
)
def test_placeholders_and_examples_are_no_secrets(tmp_path, line):
    assert found(linted(tmp_path, fence(line)), "runbook-secret") == []
