"""How commands reach a running router: `--http.config.file`, in the format of Alertmanager's
`http_config`."""

import ssl
from pathlib import Path
from typing import Any, Literal, Self

import click
from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator

from alert_router.config.validate import in_order, validate
from alert_router.fields import SecretField, secrets_from_files
from alert_router.model.problem import ProblemsError
from alert_router.notify.http import Tls, authorization
from alert_router.yaml_source import read

url_option = click.option(
    "--url",
    envvar="ALERT_ROUTER_URL",
    show_envvar=True,
    help="URL of the router. Default: http.listen of the configuration.",
)
http_config_option = click.option(
    "--http.config.file",
    "http_config",
    type=click.Path(path_type=Path),
    envvar="ALERT_ROUTER_HTTP_CONFIG",
    show_envvar=True,
    help="TLS and credentials for the router, in the format of Alertmanager's http_config.",
)
insecure_option = click.option(
    "--insecure", is_flag=True, help="Accept any certificate of the router."
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _secrets(cls, data: Any, info: ValidationInfo) -> Any:
        names: list[str] = [
            name for name in ("password", "credentials") if name in cls.model_fields
        ]
        return secrets_from_files(data, names, info) if isinstance(data, dict) else data


class _BasicAuth(_Model):
    username: str
    """The user's name."""
    password: SecretField
    """The password."""


class _Authorization(_Model):
    type: Literal["Bearer"] = "Bearer"
    """The kind of the token."""
    credentials: SecretField
    """The token."""


class HttpConfig(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tls_config: Tls = Tls()
    """Certificates for the router."""
    basic_auth: _BasicAuth | None = None
    """A user name and a password."""
    authorization: _Authorization | None = None
    """A token instead."""

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if self.basic_auth and self.authorization:
            raise ValueError("give one of `basic_auth` and `authorization`, not both")
        return self

    def headers(self) -> dict[str, str]:
        """What authenticates; none without credentials. Raises SecretUnavailable."""
        user, token = self.basic_auth, self.authorization
        return authorization(
            token.credentials if token else None,
            user.username if user else "",
            user.password if user else None,
        )

    def tls(self, *, insecure: bool) -> ssl.SSLContext:
        """The context for connections. Raises SecretUnavailable."""
        if insecure:
            return self.tls_config.model_copy(update={"insecure_skip_verify": True}).context()
        return self.tls_config.context()


def read_http_config(path: Path | None) -> HttpConfig:
    """The file; the defaults without one. Raises ProblemsError with everything that is wrong."""
    if path is None:
        return HttpConfig()
    document = read(path, missing="`--http.config.file` names it")
    config, problems = validate(document, HttpConfig)
    if config is None or document.problems:
        raise ProblemsError(in_order([*document.problems, *problems]))
    return config
