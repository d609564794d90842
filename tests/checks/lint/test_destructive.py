"""Destructive commands: without a warning, or unsafe whatever is filled in."""

import pytest

from tests.checks.lint.kit import fence, found, linted, pointed_at

DANGER = "runbook-destructive-command"
UNSAFE = "runbook-unsafe-command"


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
        ("CREATE TABLE t (id int);\nDROP TABLE t, u;", "sql", "DROP"),
        ("CREATE TABLE t2 (id int);\nDROP TABLE t;", "sql", "DROP"),
        ("DROP TABLE t;\nCREATE TABLE t (id int);", "sql", "DROP"),
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
def test_a_destructive_command_needs_a_warning(tmp_path, command, language, word):
    [problem] = [p for p in linted(tmp_path, fence(command, language)) if p.code == DANGER]
    assert pointed_at(problem).startswith(word)


@pytest.mark.parametrize(
    ("command", "language"),
    [
        ("# kubectl delete pod api-0", "bash"),
        ("kubectl delete pod api-0 --dry-run=client", "bash"),
        ("npm cache clean --force", "bash"),
        ("  sudo pip uninstall --force x", "bash"),
        ("CREATE TABLE t (id int);\nDROP TABLE IF EXISTS t;", "sql"),
        ("psql -c 'create index concurrently i on t (a)'\npsql -c 'drop index i'", "bash"),
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
        ('07:06 LOG "UPDATE waiting" 7463 ms, "UPDATE notes SET x = 1"', ""),
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


def test_a_warning_counts_in_its_step_in_the_section_intro_and_in_the_code_block(tmp_path):
    flush = "   ```bash\n   redis-cli FLUSHALL\n   ```\n"
    other_step = f"# A\n\n## Mitigation\n\n1. Warning: careful.\n\n2. Empty it.\n\n{flush}"
    beginning = f"# A\n\n## Mitigation\n\nWarning: careful.\n\n1. Empty it.\n\n{flush}"
    after = f"# A\n\n## Mitigation\n\n1. Empty it.\n\n{flush}\n   Warning: careful.\n"
    in_fence = fence("# Warning: all keys are lost\nredis-cli FLUSHALL")

    counts = [
        len(found(linted(tmp_path, t), DANGER)) for t in (other_step, beginning, after, in_fence)
    ]
    assert counts == [1, 0, 1, 0]


@pytest.mark.parametrize(
    "text",
    [
        "cd /data/$volume\nrm -rf ./*",
        "cd /data/$volume; ls\nrm -rf cache",
        "cd /x\nfind . -name '*.log' -delete",
        "$ cd /x\n$ rm -rf *",
    ],
)
def test_a_deletion_after_a_cd_that_may_fail_is_reported(tmp_path, text):
    [(*_, message)] = found(linted(tmp_path, fence(text)), UNSAFE)
    assert message.endswith("runs even if the `cd` before it fails")


@pytest.mark.parametrize(
    "text", ["rm -rf $volume", 'rm -rf "$mountpoint"', "kubectl delete $pod", "rm -r -f ${x}"]
)
def test_a_destructive_command_whose_only_argument_is_a_placeholder_is_reported(tmp_path, text):
    [(*_, message)] = found(linted(tmp_path, fence(text)), UNSAFE)
    assert "the only argument of" in message


@pytest.mark.parametrize(
    "text",
    [
        "cd /data/$volume && rm -rf ./*",
        "cd /data || exit 1\nrm -rf ./*",
        "set -e\ncd /data\nrm -rf ./*",
        "cd /data\nrm -rf /tmp/cache",
        "cd /data\nls",
        "kubectl delete pod $pod -n $namespace",
        "kubectl drain $node --ignore-daemonsets",
        "dir=$(mktemp -d)\nrm -rf $dir",
        "rm -rf /data/$volume",
    ],
)
def test_a_guarded_or_specific_deletion_is_not_reported(tmp_path, text):
    assert found(linted(tmp_path, fence(text)), UNSAFE) == []
