"""Passwords, tokens and keys in runbooks."""

import pytest

from tests.checks.lint.kit import fence, found, linted

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
def test_a_secret_is_reported_and_masked(tmp_path, line, secret, what):
    problems = linted(tmp_path, fence(line + "  # TODO: and DROP TABLE"))

    shown = "\n".join(problem.show() for problem in problems)
    [problem] = [p for p in problems if p.code == "runbook-secret"]
    assert problem.message == f"this looks like {what}"
    assert secret not in shown
    assert "****" in shown


def test_a_private_key_is_reported_only_with_its_body(tmp_path):
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
        "c --token glpat-MY_GITLAB_ACCESS_TOKEN_NAME",
        "c --glrt-runner-registration-file-1 x",
        "c --api-key sk-read-only-service-account-2",
    ],
)
def test_placeholders_and_examples_are_not_secrets(tmp_path, line):
    assert found(linted(tmp_path, fence(line)), "runbook-secret") == []
