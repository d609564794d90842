"""`alert-router send`, to a real HTTP server."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from alert_router.model import AlertGroup
from tests.cli.world import Router, alert, body


@dataclass
class Intake:
    """A server that records requests and answers as configured."""

    url: str = ""
    status: int = 200
    answer: str = '{"status": "accepted", "id": "1"}'
    headers: dict[str, str] = field(default_factory=dict)
    posted: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    group_answer: tuple[int, str] = (404, "")  # the answer about the group's deliveries
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def intake() -> Iterator[Intake]:
    kept = Intake()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            kept.posted.append((self.path, dict(self.headers), raw))
            self.send_response(kept.status)
            for name, value in kept.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(kept.answer.encode())

        def do_GET(self) -> None:
            kept.asked.append((self.path, dict(self.headers)))
            self.send_response(kept.group_answer[0])
            self.end_headers()
            self.wfile.write(kept.group_answer[1].encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        kept.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield kept
        server.shutdown()
        thread.join()


def listen_at(router: Router, intake: Intake, auth: str = "") -> None:
    """Configure the router to listen on the server's port, on all addresses."""
    port = intake.url.rpartition(":")[2]
    text = router.config.read_text().replace('"127.0.0.1:9095"', f'"0.0.0.0:{port}"{auth}')
    router.write("alert-router.yaml", text)


def test_a_payload_file_is_posted_as_it_is(router, intake):
    listen_at(router, intake)
    raw = body(alert(alertname="RedisDown"))
    (router.directory / "payload.json").write_bytes(raw)

    result = router.run("send", "payload.json")

    assert result.exit_code == 0
    assert result.stdout == f"200 from {intake.url}/webhook\n{intake.answer}\n"
    [(path, headers, posted)] = intake.posted
    assert (path, headers["Content-Type"], posted) == ("/webhook", "application/json", raw)
    assert "Authorization" not in headers


def test_standard_input_goes_to_the_named_receiver(router, intake):
    raw = body(alert(alertname="RedisDown"))

    to = ("--to", "team/a b", "--url", intake.url + "/", "--wait", "0")
    answer = router.json("send", "-", *to, input=raw)

    assert answer == {
        "url": f"{intake.url}/webhook/team%2Fa%20b",
        "status": 200,
        "answer": {"status": "accepted", "id": "1"},
        "deliveries": None,
    }
    assert intake.asked == []
    assert intake.posted[0][0] == "/webhook/team%2Fa%20b"
    assert intake.posted[0][2] == raw


def test_labels_make_an_alert_that_the_router_accepts(router, intake):
    result = router.run(
        "send",
        "severity=critical",
        "pod=redis-0",
        "--annotation",
        "summary=a=b",
        "--url",
        intake.url,
    )

    assert result.exit_code == 0
    group = AlertGroup.from_bytes(intake.posted[0][2])
    [made] = group.alerts
    assert made.labels == {"alertname": "TestAlert", "severity": "critical", "pod": "redis-0"}
    assert made.annotations == {"summary": "a=b"}
    assert made.firing
    assert made.started is not None
    assert group.common_labels == made.labels
    assert group.group_key == '{}:{alertname="TestAlert"}'


def test_a_test_alert_can_be_resolved(router, intake):
    router.run("send", "alertname=RedisDown", "--resolved", "--url", intake.url)

    group = AlertGroup.from_bytes(intake.posted[0][2])
    assert group.status == "resolved"
    assert group.alerts[0].ended is not None


@pytest.mark.parametrize("value", ["a\nb", 'a"b', "\ud800", "\x00", "𝄞"])
def test_any_label_value_makes_a_valid_body(router, intake, value):
    argument = value.encode("utf-8", "replace").decode()
    router.run("send", f"alertname={argument}", "--url", intake.url)

    assert json.loads(intake.posted[0][2])["alerts"][0]["labels"]["alertname"] == argument


def test_a_bearer_token_is_taken_from_its_file(router, intake):
    router.write("token", "s3cret\n")
    listen_at(router, intake, ", auth: {bearer_token_file: token}")

    result = router.run("send", "alertname=X")

    assert intake.posted[0][1]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in result.output


def test_basic_credentials_are_utf_8(router, intake):
    router.write("password", "pä:ss")
    listen_at(router, intake, ", auth: {basic: {username: am, password_file: password}}")

    router.run("send", "alertname=X")

    expected = base64.b64encode("am:pä:ss".encode()).decode()
    assert intake.posted[0][1]["Authorization"] == f"Basic {expected}"


def test_a_missing_secret_sends_nothing_and_names_the_file(router, intake):
    listen_at(router, intake, ", auth: {bearer_token_file: missing}")

    result = router.run("send", "alertname=X")

    assert result.exit_code == 1
    assert "missing" in result.stderr
    assert intake.posted == []


@pytest.mark.parametrize("status", [201, 302, 400, 401, 503])
def test_only_200_is_success(router, intake, status):
    intake.status = status
    intake.headers = {"Location": intake.url + "/elsewhere"}

    result = router.run("send", "alertname=X", "--url", intake.url)

    assert result.exit_code == 1
    assert result.stdout.startswith(f"{status} from ")
    assert len(intake.posted) == 1


def test_an_answer_cannot_control_the_terminal(router, intake):
    intake.answer = "\x1b[2J\x9b owned"

    result = router.run("send", "alertname=X", "--url", intake.url)

    assert result.stdout.splitlines()[1] == "\\x1b[2J\\x9b owned"


@pytest.mark.parametrize(
    ("group_answer", "message"),
    [
        ((404, "404: Not Found"), "the router has no deliveries of this group"),
        ((503, "\x1b[2Jno"), "the router answered 503: \\x1b[2Jno"),
        ((200, "[" * 100_000), "did not answer with a list of deliveries"),
        ((200, '{"deliveries": [{"state": "eaten"}]}'), "did not answer with a list of deliveries"),
    ],
)
def test_a_group_that_cannot_be_followed_is_a_failure(router, intake, group_answer, message):
    intake.group_answer = group_answer

    result = router.run("send", "alertname=X", "--to", "oncall", "--url", intake.url)

    assert result.exit_code == 1
    assert message in result.stderr
    assert [path for path, _ in intake.asked] == ["/api/v1/groups/1"]


def test_following_a_group_sends_the_credentials(router, intake):
    router.write("token", "s3cret\n")
    listen_at(router, intake, ", auth: {bearer_token_file: token}")

    router.run("send", "alertname=X", "--to", "oncall")

    assert intake.asked[0][1]["Authorization"] == "Bearer s3cret"


def test_an_id_that_is_a_path_is_quoted(router, intake):
    intake.answer = '{"status": "accepted", "id": "../../-/reload?x"}'

    router.run("send", "alertname=X", "--wait", "1", "--url", intake.url)

    assert intake.asked[0][0] == "/api/v1/groups/..%2F..%2F-%2Freload%3Fx"


def test_a_receiver_that_is_not_configured_is_not_posted_to(router, intake):
    listen_at(router, intake)

    result = router.run("send", "alertname=X", "--to", "oncal")

    assert result.exit_code == 2
    assert "'oncal' is not a receiver; choose one of oncall, pager" in result.stderr
    assert intake.posted == []


def test_a_refused_connection_names_the_fix(router):
    result = router.run("send", "alertname=X", "--url", "http://127.0.0.1:1")

    assert result.exit_code == 1
    assert result.stderr.startswith("cannot reach http://127.0.0.1:1/webhook: connection refused")
    assert "alert-router serve" in " ".join(result.stderr.split())
    assert "ssl:" not in result.stderr


def test_with_a_url_no_configuration_is_needed(router, intake, monkeypatch):
    router.config.unlink()
    monkeypatch.setenv("ALERT_ROUTER_CONFIG", "")

    result = router.run("send", "alertname=X", "--url", intake.url)

    assert result.exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["send"],
        ["send", "missing.json"],
        ["send", "alertname=X", "nonsense"],
        ["send", "-", "--resolved"],
        ["send", "alertname=X", "--wait", "-1"],
        ["send", "alertname=X", "alertname=Y"],
    ],
)
def test_invalid_arguments_are_a_usage_error(router, arguments):
    assert router.run(*arguments).exit_code == 2


def test_the_http_config_s_token_replaces_the_configuration_s_credentials(
    router: Router, intake: Intake
) -> None:
    (router.directory / "token").write_text("t0ken\n")
    (router.directory / "http.yml").write_text("authorization: {credentials_file: token}")
    result = router.run("send", "--url", intake.url, "--http.config.file", "http.yml", "a=b")
    assert result.exit_code == 0
    assert intake.posted[0][1]["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("basic_auth: {username: a, password: b}\nauthorization: {credentials: c}", "not both"),
        ("basic_auth: {username: a}", "password"),
        ("proxy_url: http://proxy", "proxy_url"),
        ("tls_config: {key_file: key}", "cert_file"),
        ("authorization: {type: Digest, credentials: c}", "Bearer"),
        ("- a", "mapping"),
    ],
)
def test_an_http_config_that_cannot_be_used_is_reported_with_its_place(
    router: Router, intake: Intake, written: str, part: str
) -> None:
    (router.directory / "http.yml").write_text(written)
    result = router.run("send", "--url", intake.url, "--http.config.file", "http.yml", "a=b")
    assert result.exit_code == 1
    assert "http.yml:" in result.stderr
    assert part in result.stderr
    assert intake.posted == []


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9095", "http://", "http://[", "http://a:99999", "ftp://a"]
)
def test_health_refuses_what_is_no_url(router: Router, url: str) -> None:
    assert router.run("health", "--url", url).exit_code == 2
