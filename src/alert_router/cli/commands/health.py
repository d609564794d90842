"""`alert-router health`: ask the router on this machine whether it runs. For the container's health
check, so it loads little."""

import http.client
import re
import ssl
from contextlib import closing
from urllib.parse import urlsplit

import click

_TIMEOUT = 2.0  # seconds


@click.command()
@click.option(
    "--url",
    envvar="ALERT_ROUTER_URL",
    show_envvar=True,
    default="http://127.0.0.1:9095",
    show_default=True,
    help="URL of the router.",
)
@click.pass_context
def health(ctx: click.Context, url: str) -> None:
    """Ask a router whether it runs: GET /-/healthy.

    Where the web configuration has TLS, https is used although the URL says http. The certificate
    is not verified, and none is sent: a router that asks for one runs. Exit 0: it runs; 1: not.
    """
    if not re.match(r"https?://[^/]", url):
        raise click.BadParameter("expected http:// or https://, and a host", param_hint="--url")
    try:
        problem = _ask(url, secure=url.startswith("https:"))
        if problem is None:
            problem = _ask(url, secure=True)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--url") from None
    except (OSError, http.client.HTTPException) as error:
        problem = f"no answer: {error or type(error).__name__}"
    if problem:
        click.echo(f"{url}: {problem}", err=True)
        ctx.exit(1)


def _ask(url: str, *, secure: bool) -> str | None:
    """What is wrong; "" if nothing is, None if the port does not speak plain HTTP. Raises OSError
    or HTTPException without an answer, ValueError for an invalid URL."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if secure:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=_TIMEOUT, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    with closing(connection):
        try:
            connection.connect()
        except ssl.SSLError as error:
            if (error.reason or "").endswith("ALERT_HANDSHAKE_FAILURE"):
                return ""  # asked for a certificate, with TLS 1.2
            raise
        try:
            connection.request("GET", f"{parts.path.rstrip('/')}/-/healthy")
            status = connection.getresponse().status
        except (http.client.BadStatusLine, ConnectionError, ssl.SSLError):
            # With TLS 1.3 a certificate is asked for after the handshake.
            return "" if secure else None
    return "" if status == 200 else f"HTTP {status}"
