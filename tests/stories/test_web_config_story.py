"""TLS with client certificates and passwords, as real clients speak it: curl, Prometheus that
scrapes, Alertmanager that posts."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp.web
import pytest
import yaml

from tests.http import get
from tests.programs import (
    PATIENCE,
    Process,
    eventually,
    free_port,
    need,
    recorder,
    router,
    write_config,
)
from tests.server.test_web_config import MUTUAL, TLS, USERS, Authority, write_web

pytestmark = pytest.mark.story


def curl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [need("curl"), "--silent", "--show-error", "--max-time", "10", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def start(program: str, folder: Path, config: dict[str, Any], *arguments: str) -> tuple[str, Any]:
    path = folder / f"{program}.yml"
    path.write_text(json.dumps(config))
    port = free_port()
    process = Process(
        [
            need(program),
            f"--config.file={path}",
            f"--storage.{'tsdb.' if program == 'prometheus' else ''}path={folder / program}",
            f"--web.listen-address=127.0.0.1:{port}",
            *arguments,
        ],
        folder / f"{program}.log",
    )
    return f"http://127.0.0.1:{port}", process


async def test_curl_prometheus_and_alertmanager_get_in_with_certificate_and_password(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path / "tls")
    authority.sign("server", "IP:127.0.0.1")
    certificate, key = authority.sign("prometheus", "DNS:prometheus.example.org")
    other, other_key = authority.sign("other", "DNS:other.example.org")
    allowed = MUTUAL | {"client_allowed_sans": ["prometheus.example.org"]}
    web = write_web(tmp_path, USERS | {"tls_server_config": allowed})
    flags = (f"--web.config.file={web}", "--web.external-url=https://example.org/alerts")
    client = {
        "tls_config": {
            "ca_file": f"{tmp_path}/tls/ca.crt",
            "cert_file": str(certificate),
            "key_file": str(key),
        },
        "basic_auth": {"username": "alertmanager", "password": "s3cret"},
    }
    async with recorder() as destination:
        notifier = {"type": "webhook", "url": f"{destination.url}/hook"}
        async with router(write_config(tmp_path, [notifier]), arguments=flags) as running:
            target = running.url.removeprefix("http://")
            ready = f"https://{target}/alerts/-/ready"
            ca = ("--cacert", tmp_path / "tls" / "ca.crt")
            mine = (*ca, "--cert", certificate, "--key", key)
            assert "ready" in (await asyncio.to_thread(curl, *mine, ready)).stdout
            assert (await asyncio.to_thread(curl, *ca, ready)).returncode != 0
            others = await asyncio.to_thread(curl, *ca, "--cert", other, "--key", other_key, ready)
            assert "ready" not in others.stdout
            metrics = f"https://{target}/alerts/metrics"
            assert "unauthorized" in (await asyncio.to_thread(curl, *mine, metrics)).stdout
            posting, alertmanager = start(
                "prometheus-alertmanager",
                tmp_path,
                {
                    "route": {"receiver": "router", "group_wait": "0s"},
                    "receivers": [
                        {
                            "name": "router",
                            "webhook_configs": [
                                {"url": f"https://{target}/alerts/webhook", "http_config": client}
                            ],
                        }
                    ],
                },
                "--cluster.listen-address=",
            )
            scraping, prometheus = start(
                "prometheus",
                tmp_path,
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": ["rules.yml"],
                    "alerting": {
                        "alertmanagers": [
                            {"static_configs": [{"targets": [posting.removeprefix("http://")]}]}
                        ]
                    },
                    "scrape_configs": [
                        {
                            "job_name": "alert-router",
                            "scheme": "https",
                            "metrics_path": "/alerts/metrics",
                            "static_configs": [{"targets": [target]}],
                            **client,
                        }
                    ],
                },
            )
            rule = {"alert": "Scraped", "expr": "alert_router_build_info == 1"}
            rules = {"groups": [{"name": "a", "rules": [rule]}]}
            (tmp_path / "rules.yml").write_text(json.dumps(rules))
            try:
                await eventually(lambda: ask(scraping, "up == 1"), "a scrape")
                got = await eventually(lambda: destination.requests, "the notification")
            finally:
                prometheus.end()
                alertmanager.end()
    assert got[0].json["alerts"][0]["labels"]["alertname"] == "Scraped"


def command(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    program = [Path(sys.executable).parent / "alert-router", *arguments]
    return subprocess.run(
        program,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
        timeout=PATIENCE,
    )


async def test_send_and_health_reach_a_router_with_tls_certificates_and_passwords(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path / "tls")
    authority.sign("server", "DNS:alert-router.example.org")
    authority.sign("client", "DNS:client.example.org")
    (tmp_path / "password").write_text("s3cret\n")
    web = write_web(tmp_path, USERS | {"tls_server_config": MUTUAL})
    flags = (f"--web.config.file={web}", "--web.route-prefix=/alerts")
    tls = {
        "ca_file": "tls/ca.crt",
        "cert_file": "tls/client.crt",
        "key_file": "tls/client.key",
        "server_name": "alert-router.example.org",
    }
    whole = {
        "tls_config": tls,
        "basic_auth": {"username": "alertmanager", "password_file": "password"},
    }

    def write(name: str, config: dict[str, Any]) -> Path:
        (tmp_path / name).write_text(json.dumps(config))
        return tmp_path / name

    with_all = write("http.yml", whole)
    no_authority = write("unverified.yml", whole | {"tls_config": tls | {"ca_file": None}})
    no_user = write("anonymous.yml", {"tls_config": tls})
    no_certificate = write("bare.yml", {"tls_config": tls | {"cert_file": None, "key_file": None}})
    async with recorder() as destination:
        notifier = {"type": "webhook", "url": f"{destination.url}/hook"}
        async with router(write_config(tmp_path, [notifier]), arguments=flags) as running:
            url = f"{running.url.replace('http:', 'https:')}/alerts"

            async def run(name: str, *arguments: str | Path, **variables: str) -> tuple[int, str]:
                more = ["alertname=Test", "--wait=20"] if name == "send" else []
                here = {"ALERT_ROUTER_URL": url, "ALERT_ROUTER_CONFIG": "missing"} | variables
                done = await asyncio.to_thread(command, name, *more, *arguments, **here)
                return done.returncode, done.stdout + done.stderr

            code, shown = await run("send", "--http.config.file", with_all)
            assert (code, "oncall/webhook  delivered" in shown) == (0, True), shown
            code, shown = await run("send", ALERT_ROUTER_HTTP_CONFIG=str(with_all))
            assert (code, "delivered" in shown) == (0, True), shown
            code, shown = await run("send", "--http.config.file", no_authority)
            assert (code, "cannot be verified" in shown) == (1, True), shown
            assert "--insecure" in shown
            code, shown = await run("send", "--insecure", "--http.config.file", no_authority)
            assert code == 0, shown
            code, shown = await run("send", "--http.config.file", no_user)
            assert (code, "401" in shown) == (1, True), shown
            code, shown = await run("send", "--http.config.file", no_certificate)
            assert code == 1, shown
            plain = url.replace("https:", "http:")
            code, shown = await run("send", "--http.config.file", with_all, ALERT_ROUTER_URL=plain)
            assert (code, "https://" in shown) == (1, True), shown
            for address in (url, plain):
                assert await run("health", "--url", address) == (0, "")
            assert len(destination.requests) == 3


async def test_health_tells_a_router_from_nothing_and_from_something_else(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    authority.sign("server", "IP:127.0.0.1")
    web = write_web(tmp_path, {"tls_server_config": TLS})
    notifier = {"type": "webhook", "url": "http://127.0.0.1:9/hook"}
    async with router(
        write_config(tmp_path, [notifier]), arguments=(f"--web.config.file={web}",)
    ) as running:
        done = await asyncio.to_thread(command, "health", "--url", running.url)
        assert (done.returncode, done.stderr) == (0, "")
    done = await asyncio.to_thread(command, "health", "--url", running.url)
    assert done.returncode == 1
    assert "refused" in done.stderr
    async with recorder() as other:
        other.answer = lambda _: aiohttp.web.Response(status=404)
        done = await asyncio.to_thread(command, "health", ALERT_ROUTER_URL=other.url)
    assert (done.returncode, "HTTP 404" in done.stderr) == (1, True)
    assert other.requests[0].path == "/-/healthy"


async def test_the_chart_s_probes_and_side_car_reach_a_router_with_tls_and_passwords(
    tmp_path: Path,
) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("helm_python")
    from scripts.manifests import render

    user = [{"name": "REQ_USERNAME", "value": "alertmanager"}]
    values = {
        "web": {"configSecret": "web", "tls": True, "routePrefix": "/alerts"},
        "runbooks": {"source": "sidecar", "sidecar": {"env": user}},
    }
    (workload,) = [
        each for each in yaml.safe_load_all(render(values)) if each["kind"] == "StatefulSet"
    ]
    main, sidecar = workload["spec"]["template"]["spec"]["containers"]
    Authority(tmp_path / "tls").sign("server", "DNS:alert-router.example.org")
    web = write_web(tmp_path, USERS | {"tls_server_config": TLS})
    flags = tuple(
        argument.replace("/etc/alert-router-web/web-config.yml", str(web))
        for argument in main["args"]
        if argument.startswith("--web.")
    )
    notifier = {"type": "webhook", "url": "http://127.0.0.1:9/hook"}
    async with (
        router(write_config(tmp_path, [notifier]), arguments=flags) as running,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session,
    ):
        here = running.url.removeprefix("http://")
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = main[name]["httpGet"]
            url = f"{probe['scheme'].lower()}://{here}{probe['path']}"
            async with session.get(url) as answer:
                assert answer.status == 200, name
        env = {it["name"]: it["value"] for it in sidecar["env"]}
        url = env["REQ_URL"].replace("127.0.0.1:9095", here)
        login = {"Authorization": aiohttp.encode_basic_auth(env["REQ_USERNAME"], "s3cret")}
        async with session.request(env["REQ_METHOD"], url, headers=login) as answer:
            assert answer.status == 200
        async with session.request(env["REQ_METHOD"], url) as answer:
            assert answer.status == 401


async def ask(prometheus: str, query: str) -> list[Any]:
    """What a Prometheus answers to a query; nothing while it starts."""
    try:
        status, text = await get(f"{prometheus}/api/v1/query?query={quote(query)}")
    except OSError:
        return []
    return json.loads(text)["data"]["result"] if status == 200 else []
