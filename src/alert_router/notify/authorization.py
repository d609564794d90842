"""The header by which a destination over HTTP knows us: a token, or a user and a password.

Which keys the configuration has for them is each notifier's.
"""

import base64
from collections.abc import Iterable

from alert_router.fields import Secret


def check(
    key: str,
    token: Secret | None,
    username: str,
    password: Secret | None,
    *,
    headers: Iterable[str],
) -> None:
    """ValueError where these, and the names of further headers, do not go together; `key` is the
    token's in the configuration."""
    if token and password:
        raise ValueError(f"give `{key}` or `username` and `password`, not both")
    if bool(username) != bool(password):
        raise ValueError("`username` and `password` go together")
    if ":" in username:
        raise ValueError("a `username` of basic authentication cannot hold a colon")
    if (token or password) and "authorization" in map(str.lower, headers):
        raise ValueError("`headers`: Authorization comes from the other keys already")


def header(token: Secret | None, username: str, password: Secret | None) -> dict[str, str]:
    """The header (RFC 6750; RFC 7617), none where there is neither. Raises SecretUnavailable."""
    if token:
        return {"Authorization": f"Bearer {token.read()}"}
    if password:
        pair = f"{username}:{password.read()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}
