"""TLS, client certificates, passwords, headers and paths, as `--web.*` sets them."""

import asyncio
import json
import os
import re
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import bcrypt
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from alert_router.cli import main
from alert_router.config.web import WebFlags, parse_route_prefix, read_web_config
from alert_router.fields import Listen
from alert_router.model.problem import ProblemsError
from alert_router.runtime import read_runtime
from alert_router.server import Router, running
from tests.http import get, post
from tests.programs import body, eventually, need, write_config

HASH = bcrypt.hashpw(b"s3cret", bcrypt.gensalt(4)).decode()
USERS = {"basic_auth_users": {"alertmanager": HASH}}


class Authority:
    """Certificates by openssl, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test", "-days", "2",
        )  # fmt: skip

    def _openssl(self, *arguments: str) -> None:
        command = [need("openssl"), *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def sign(self, name: str, san: str) -> tuple[Path, Path]:
        """A certificate and its key."""
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}",
        )  # fmt: skip
        (self.folder / "san").write_text(f"subjectAltName={san}")
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", f"{name}.crt", "-days", "1", "-extfile", "san",
        )  # fmt: skip
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    def trust(self, *certificate: Path) -> ssl.SSLContext:
        """A client's side, with a certificate of its own if one is given."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        if certificate:
            context.load_cert_chain(*certificate)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "tls")
    made.sign("server", "IP:127.0.0.1,IP:::1,DNS:localhost")
    return made


TLS = {"cert_file": "tls/server.crt", "key_file": "tls/server.key"}
MUTUAL = TLS | {
    "client_auth_type": "RequireAndVerifyClientCert",
    "client_ca_file": "tls/ca.crt",
}


def write_web(folder: Path, config: dict[str, Any]) -> Path:
    path = folder / "web.yml"
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def served(
    folder: Path, web: dict[str, Any] | None = None, flags: WebFlags | None = None, **config: Any
) -> AsyncIterator[Router]:
    path = write_config(folder, [{"type": "console"}], **config)
    file = None if web is None else write_web(folder, web)
    if file is not None:
        os.utime(file, (0, 0))  # one written this very moment is read again at once
    given = flags or WebFlags(config_file=file)
    async with running(path, read_runtime(path, flags=given), given) as router:
        yield router


def url(router: Router, path: str = "/-/ready", scheme: str = "https") -> str:
    return f"{scheme}://127.0.0.1:{router.addresses[0][1]}{path}"


async def status(url: str, **kwargs: Any) -> int:
    return (await get(url, **kwargs))[0]


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(user, password)}


def problems(folder: Path, config: dict[str, Any]) -> str:
    with pytest.raises(ProblemsError) as raised:
        read_web_config(write_web(folder, config))
    return "\n".join(problem.show() for problem in raised.value.problems)


async def test_tls_is_spoken_and_plain_http_is_not(tmp_path: Path, authority: Authority) -> None:
    async with served(tmp_path, {"tls_server_config": TLS}) as router:
        assert await status(url(router), ssl=authority.trust()) == 200
        with pytest.raises(aiohttp.ClientError):
            await get(url(router, scheme="http"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions_outside_the_bounds_are_refused(
    tmp_path: Path, authority: Authority, version: ssl.TLSVersion
) -> None:
    client = authority.trust()
    client.minimum_version = client.maximum_version = version
    only = TLS | {"min_version": "TLS13"}
    async with served(tmp_path, {"tls_server_config": only}) as router:
        if version is ssl.TLSVersion.TLSv1_3:
            assert await status(url(router), ssl=client) == 200
        else:
            with pytest.raises(aiohttp.ClientError):
                await get(url(router), ssl=client)


@pytest.mark.parametrize(
    ("san", "admitted"),
    [
        (None, False),
        ("DNS:prometheus.example.org", True),
        ("IP:0:0:0:0:0:0:0:7", True),
        ("email:sre@example.org", True),
        ("URI:spiffe://cluster/ns/monitoring", True),
        ("DNS:someone.example.org", False),
        ("DNS:xprometheus.example.org", False),
    ],
)
async def test_only_clients_with_an_allowed_name_get_through(
    tmp_path: Path, authority: Authority, san: str | None, admitted: bool
) -> None:
    names = ["prometheus.example.org", "::7", "sre@example.org", "spiffe://cluster/ns/monitoring"]
    client = authority.trust(*(authority.sign("client", san) if san else ()))
    config = {"tls_server_config": MUTUAL | {"client_allowed_sans": names}}
    async with served(tmp_path, config) as router:
        if admitted:
            assert await status(url(router, "/metrics"), ssl=client) == 200
        else:
            with pytest.raises((aiohttp.ClientError, ConnectionError)):
                await get(url(router, "/metrics"), ssl=client)


async def test_a_client_certificate_of_another_authority_is_refused(
    tmp_path: Path, authority: Authority
) -> None:
    stranger = Authority(tmp_path / "other").sign("client", "DNS:prometheus.example.org")
    async with served(tmp_path, {"tls_server_config": MUTUAL}) as router:
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await get(url(router), ssl=authority.trust(*stranger))


async def test_a_renewed_certificate_is_used_without_restart_and_open_connections_stay(
    tmp_path: Path, authority: Authority
) -> None:
    async with served(tmp_path, {"tls_server_config": TLS}) as router:
        async with aiohttp.ClientSession() as session:
            client = authority.trust()
            async with session.get(url(router), ssl=client) as answer:
                assert answer.status == 200
            before = await serial(router, client)
            authority.sign("server", "IP:127.0.0.1")
            await eventually(lambda: is_other(router, client, before), "the new certificate")
            async with session.get(url(router), ssl=client) as answer:
                assert answer.status == 200
            assert len(session.connector._conns) == 1


async def serial(router: Router, client: ssl.SSLContext) -> str:
    _, writer = await asyncio.open_connection(
        "127.0.0.1", router.addresses[0][1], ssl=client, server_hostname="127.0.0.1"
    )
    certificate = writer.get_extra_info("peercert")
    writer.close()
    return certificate["serialNumber"]


async def is_other(router: Router, client: ssl.SSLContext, before: str) -> bool:
    return await serial(router, client) != before


async def test_a_broken_web_configuration_leaves_the_old_one_in_force(
    tmp_path: Path, authority: Authority
) -> None:
    async with served(tmp_path, {"tls_server_config": TLS}) as router:
        (tmp_path / "tls" / "server.key").write_text("no key\n")
        result = await router.reload()
        assert not result.successful
        assert "tls_server_config" in result.problems[0].message
        assert await status(url(router), ssl=authority.trust()) == 200


async def test_tls_cannot_be_taken_away_from_a_running_router(
    tmp_path: Path, authority: Authority
) -> None:
    async with served(tmp_path, {"tls_server_config": MUTUAL}) as router:
        write_web(tmp_path, {})
        assert not (await router.reload()).successful
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await get(url(router), ssl=authority.trust())


@pytest.mark.parametrize(
    ("path", "user", "password", "expected"),
    [
        ("/metrics", None, "", 401),
        ("/metrics", "alertmanager", "s3cret", 200),
        ("/metrics", "alertmanager", "wrong", 401),
        ("/metrics", "alertmanager", "", 401),
        ("/metrics", "somebody", "nobody", 401),
        ("/metrics", "", "s3cret", 401),
        ("/runbooks/", None, "", 401),
        ("/not/there", None, "", 401),
        ("/-/healthy", None, "", 200),
        ("/-/ready", None, "", 200),
        ("/act/x", None, "", 403),  # signed links, which are switched off here
        ("/act", None, "", 401),
        ("/act/x/y", None, "", 404),
        ("/runbooks/act/x", None, "", 401),
    ],
)
async def test_users_need_their_password_everywhere_but_for_probes_and_signed_links(
    tmp_path: Path, path: str, user: str | None, password: str, expected: int
) -> None:
    headers = {} if user is None else basic(user, password)
    async with served(tmp_path, USERS) as router:
        for _ in range(2):  # the second time it is remembered
            assert await status(url(router, path, "http"), headers=headers) == expected


async def test_a_webhook_with_a_password_is_accepted(tmp_path: Path) -> None:
    headers = basic("alertmanager", "s3cret")
    async with served(tmp_path, USERS) as router:
        target = url(router, "/webhook", "http")
        assert (await post(target, body()))[0] == 401
        _, metrics = await get(url(router, "/metrics", "http"), headers=headers)
        assert 'webhooks_total{outcome="unauthorized"} 1.0' in metrics
        assert (await post(target, body(), headers=headers))[0] == 200


async def test_wrong_passwords_do_not_have_the_right_one_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[bytes] = []
    check = bcrypt.checkpw

    def noting(given: bytes, own: bytes) -> bool:
        checked.append(given)
        return check(given, own)

    monkeypatch.setattr(bcrypt, "checkpw", noting)
    async with served(tmp_path, USERS) as router:
        page = url(router, "/metrics", "http")
        assert await status(page, headers=basic("alertmanager", "s3cret")) == 200
        for number in range(200):
            assert await status(page, headers=basic("alertmanager", f"{number}")) == 401
        assert await status(page, headers=basic("alertmanager", "s3cret")) == 200
    assert checked.count(b"s3cret") == 1
    assert len(checked) == 201


async def test_a_removed_user_is_refused_after_the_reload(tmp_path: Path) -> None:
    headers = basic("alertmanager", "s3cret")
    async with served(tmp_path, USERS) as router:
        target = url(router, "/metrics", "http")
        assert await status(target, headers=headers) == 200
        write_web(tmp_path, {"basic_auth_users": {"other": HASH}})
        assert (await router.reload()).successful
        assert await status(target, headers=headers) == 401


@pytest.mark.parametrize(
    "value",
    ["", "Basic", "Basic !", "Basic YQ==", "Bearer s3cret", "Basic /zpz", "Basic OnMzY3JldA=="],
)
async def test_a_malformed_authorization_is_refused(tmp_path: Path, value: str) -> None:
    async with served(tmp_path, USERS) as router:
        answer = await status(url(router, "/metrics", "http"), headers={"Authorization": value})
        assert answer == 401


async def test_users_and_the_configuration_s_credentials_exclude_each_other(
    tmp_path: Path,
) -> None:
    token = tmp_path / "token"
    token.write_text("t")
    http = {"listen": "127.0.0.1:0", "auth": {"bearer_token_file": str(token)}}
    with pytest.raises(ProblemsError):
        async with served(tmp_path, USERS, http=http):
            pass


async def test_headers_are_added_and_a_page_keeps_its_own(tmp_path: Path) -> None:
    headers = {"Strict-Transport-Security": "max-age=60", "Content-Security-Policy": "x"}
    async with served(tmp_path, {"http_server_config": {"headers": headers}}) as router:
        async with aiohttp.ClientSession() as session:
            async with session.get(url(router, "/metrics", "http")) as answer:
                assert answer.headers["Strict-Transport-Security"] == "max-age=60"
                assert answer.headers["Content-Security-Policy"] == "x"
            async with session.get(url(router, "/runbooks/", "http")) as answer:
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"tls_server_config": TLS | {"curve_preferences": ["X25519"]}}, "choice of curves"),
        ({"http_server_config": {"http2": "true"}}, "HTTP/2 is not supported"),
        ({"rate_limit": {"interval": "1s", "burst": "5"}}, "answered 429"),
        ({"tls_server_config": TLS | {"client_auth_type": "RequireAnyClientCert"}}, "anybody"),
        ({"tls_server_config": TLS | {"client_auth_type": "RequestClientCert"}}, "not verify"),
        ({"tls_server_config": TLS | {"client_auth_type": "Sometimes"}}, "client_auth_type"),
        ({"tls_server_config": TLS | {"min_version": "TLS10"}}, "insecure"),
        ({"tls_server_config": TLS | {"cipher_suites": ["TLS_RSA_WITH_RC4_128_SHA"]}}, "secure"),
        ({"tls_server_config": TLS | {"client_ca_file": "ca"}}, "need each other"),
        ({"tls_server_config": TLS | {"client_allowed_sans": ["a"]}}, "client_allowed_sans"),
        ({"tls_server_config": {"cert_file": "a"}}, "key_file"),
        ({"tls_server_config": TLS | {"cert": "pem"}}, "give one of"),
        ({"http_server_config": {"headers": {"X-Powered-By": "a"}}}, "headers among"),
        ({"http_server_config": {"headers": {"X-Frame-Options": "maybe"}}}, "deny or sameorigin"),
        ({"basic_auth_users": {"a": "plain-password"}}, "bcrypt"),
        ({"basic_auth_user": {}}, "basic_auth_users"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(
    tmp_path: Path, config: dict[str, Any], part: str
) -> None:
    found = problems(tmp_path, config)
    assert part in found
    assert "[config-" in found
    assert "plain-password" not in found


def test_what_is_off_in_another_exporter_s_file_may_stay(tmp_path: Path) -> None:
    config = {
        "tls_server_config": TLS
        | {
            "curve_preferences": [],
            "client_auth_type": "",
            "cipher_suites": ["TLS_AES_128_GCM_SHA256"],
        },
        "http_server_config": {"http2": "false", "headers": {"X-Frame-Options": ""}},
        "rate_limit": {"interval": "0", "burst": "0"},
    }
    assert read_web_config(write_web(tmp_path, config)).tls_server_config is not None


def test_the_example_in_the_documents_is_accepted(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    example = page.split('```yaml title="web-config.yml"\n')[1].split("```")[0]
    (tmp_path / "web.yml").write_text(example)
    config = read_web_config(tmp_path / "web.yml")
    hashed = config.basic_auth_users["alertmanager"].encode()
    assert bcrypt.checkpw(b"change-me", hashed)


async def test_an_address_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    config = write_config(tmp_path, [{"type": "console"}])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = WebFlags(listen=(Listen("127.0.0.1", port),))
        said = f"cannot listen on 127.0.0.1:{port}: Address already in use; set another address"
        with pytest.raises(OSError, match=f"^{re.escape(said)}"):
            async with running(config, read_runtime(config, flags=flags), flags):
                pass


async def test_several_addresses_of_both_families_are_listened_on(tmp_path: Path) -> None:
    flags = WebFlags(listen=(Listen("127.0.0.1", 0), Listen("::1", 0), Listen("", 0)))
    async with served(tmp_path, flags=flags) as router:
        (_, four), (_, six), (_, any_) = router.addresses
        for host, port in (
            ("127.0.0.1", four),
            ("[::1]", six),
            ("127.0.0.1", any_),
            ("[::1]", any_),
        ):
            assert await status(f"http://{host}:{port}/-/ready") == 200


async def test_everything_is_below_the_route_prefix(tmp_path: Path) -> None:
    flags = WebFlags(listen=(Listen("127.0.0.1", 0),), route_prefix="/ops/alerts")
    async with served(tmp_path, flags=flags) as router:
        for path in ("/-/healthy", "/metrics", "/api/v1/coverage", "/runbooks/"):
            assert await status(url(router, path, "http")) == 404
            assert await status(url(router, f"/ops/alerts{path}", "http")) == 200
        assert (await post(url(router, "/ops/alerts/webhook", "http"), body()))[0] == 200
        here = url(router, "/ops/alerts/runbooks/alerts/high-error-rate", "http")
        _, page = await get(here)
        links = [urlsplit(urljoin(here, link)).path for link in re.findall(r'href="([^"]*)"', page)]
        assert "/ops/alerts/runbooks/" in links
        assert all(link.startswith("/ops/alerts/") for link in links), links


@pytest.mark.parametrize(("text", "prefix"), [("/", ""), ("", ""), ("/a", "/a"), ("a/b/", "/a/b")])
def test_a_route_prefix_has_one_form(text: str, prefix: str) -> None:
    assert parse_route_prefix(text) == prefix


@given(st.text(max_size=30))
def test_a_route_prefix_is_a_plain_path_or_refused(text: str) -> None:
    try:
        prefix = parse_route_prefix(text)
    except ValueError:
        return
    assert prefix == "" or (prefix.startswith("/") and not prefix.endswith("/"))
    assert not set(prefix) & set("{}?#% \"'<>\\")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--web.listen-address", "9095"],
        ["--web.external-url", "ftp://example.org"],
        ["--web.route-prefix", "/{receiver}"],
    ],
)
def test_flags_that_cannot_be_used_are_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["serve", *arguments])
    assert result.exit_code == 2
    assert "expected" in result.output
