"""Passwords, tokens and keys that stand in a runbook for everyone to read.

A secret is never printed: it is masked in every problem of its file, whichever check found that.
"""

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from alert_router.checks.lint.source import RunbookSource
from alert_router.model.problem import Problem

_TOKENS = {
    "an AWS access key": r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])",
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{40,255}\b",
    "a GitLab token": r"\bgl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,64}",
    "a Slack token": r"\bxox[abeoprs]-[0-9A-Za-z-]{12,200}|\bxapp-\d-[0-9A-Za-z-]{20,200}",
    "a Slack webhook URL": r"hooks\.slack(?:-gov)?\.com/(?:services|workflows)/"
    r"(?P<webhook>[TA]\w{6,12}/[\w/]{12,80})",
    "a Stripe key": r"\b[sr]k_live_[0-9A-Za-z]{16,99}",
    "an API key": r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,200}|\bAIza[0-9A-Za-z_-]{35}\b"
    r"|\bnpm_[A-Za-z0-9]{36}\b|\bSG\.[\w-]{22}\.[\w-]{43}|\bhvs\.[\w-]{24,}|\bdop_v1_[0-9a-f]{64}\b"
    r"|\bpypi-[\w-]{50,}",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
}
_TOKEN = [(what, re.compile(pattern)) for what, pattern in _TOKENS.items()]
_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
_KEY_LINE = re.compile(r"[\s>]*(?P<key>[A-Za-z0-9+/=]{40,})\s*$")
_ASSIGNED = re.compile(
    r"(?i:(?<![A-Za-z0-9])(?P<name>[\w.-]{0,40}(?:password|passwd|passphrase|secret|token|api[_-]?key"
    r"|access[_-]?key|private[_-]?key|credential)s?(?:[_-]?(?:key|id))?))[\"'*`]{0,3}\s{0,3}[:=]\s{0,3}[\"'`]?"
    r"(?P<value>[^\s\"'`,;|)\]}]{8,200})"
)
_IN_URL = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://(?P<user>[^\s/:@\"'`]{0,80}):(?P<value>[^\s/@\"'`]{3,200})@[\w\[]"
)
_BEARER = re.compile(r"\b(?:Bearer|Basic)\s+(?P<value>[A-Za-z0-9._~+/=-]{20,400})")
# One of these is in whatever has a secret: searching for them is quick.
_SIGNS = (
    *("-----begin", "akia", "asia", "github_pat", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "glpat-"),
    *(
        "gldt-",
        "glrt-",
        "glcbt-",
        "glptt-",
        "xox",
        "xapp-",
        "hooks.slack",
        "k_live_",
        "sk-",
        "aiza",
    ),
    *("npm_", "sg.", "hvs.", "dop_v1", "pypi-", "eyj", "://", "bearer", "basic", "passw", "passph"),
    *("secret", "token", "key", "credential"),
)
_PLACE = re.compile(r"[<>{}$*%…]|\.\.\.|^\(|\[|\\")
_EXAMPLE = re.compile(
    r"example|changeme|change[-_]me|your|placeholder|redact|dummy|sample|insert|replace|secret|passw|"
    r"token|xxx|foo|test|fake|todo|12345|abcdef|hunter2|s3cr3t|mypass|admin|default|none|null|true|false",
    re.IGNORECASE,
)
_ENTROPY = 3.0  # bits a character; words of a language have less


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret, where it stands, and what it is."""

    value: str
    line: int
    column: int
    what: str


def find(source: RunbookSource) -> list[Secret]:
    """The secrets of one runbook's file, code and comments included."""
    found: dict[tuple[int, int], Secret] = {}
    signs = [sign for sign in _SIGNS if sign in source.text.lower()]
    for number, line in enumerate(source.lines if signs else (), 1):
        lower = line.lower()
        if any(sign in lower for sign in signs):
            for secret in _in_line(source, number, line):
                found.setdefault((secret.line, secret.column), secret)
    return list(found.values())


def check(source: RunbookSource, found: Iterable[Secret]) -> Iterator[Problem]:
    """A problem for each."""
    for secret in found:
        yield source.problem(
            "runbook-secret",
            f"this looks like {secret.what}",
            secret.line,
            secret.column,
            hint="Take it out, and change it: whoever can read the repository knows it. Say where "
            "it is kept instead.",
        )


def masked(problem: Problem, found: Iterable[Secret]) -> Problem:
    """The problem without any secret in it; columns stay."""
    for secret in found:
        stars = "*" * len(secret.value)
        problem = replace(
            problem,
            message=problem.message.replace(secret.value, stars),
            hint=problem.hint.replace(secret.value, stars),
            source=problem.source.replace(secret.value, stars),
        )
    return problem


def _in_line(source: RunbookSource, number: int, line: str) -> Iterator[Secret]:
    if match := _KEY.search(line):
        body = _KEY_LINE.match(source.line_text(number + 1))
        if body:
            yield Secret(match[0], number, match.start() + 1, "a private key")
    for what, pattern in _TOKEN:
        for match in pattern.finditer(line):
            group = "webhook" if "webhook" in match.re.groupindex else 0
            if _telling(match[group]):
                yield Secret(match[group], number, match.start(group) + 1, what)
    for pattern, what in ((_IN_URL, "a password in a URL"), (_BEARER, "a token")):
        for match in pattern.finditer(line):
            if match["value"] != match.groupdict().get("user") and _strong(match["value"], 2.5):
                yield Secret(match["value"], number, match.start("value") + 1, what)
    for match in _ASSIGNED.finditer(line):
        if _strong(match["value"], _ENTROPY) and not _refers(match["value"]):
            yield Secret(match["value"], number, match.start("value") + 1, _called(match["name"]))


def _called(name: str) -> str:
    for word in ("password", "token", "key"):
        if word in name.lower():
            return f"a {word}"
    return "a secret"


def _telling(value: str) -> bool:
    """Whether a token of a known form is a real one and no picture of one."""
    return (
        not _PLACE.search(value)
        and not re.search(
            r"EXAMPLE|xxxx|XXXX|your|0000000|1234567|abcdef|\.\.\.", value, re.IGNORECASE
        )
        and _entropy(value) >= 2.5
    )


def _strong(value: str, least: float) -> bool:
    """Whether a value looks drawn at random: no place for a word, no word, no example."""
    if _PLACE.search(value) or _EXAMPLE.search(value) or _EXAMPLE.search(_decoded(value)):
        return False
    has_digit = any(char.isdigit() for char in value)
    has_letter = any(char.isalpha() for char in value)
    return has_digit and has_letter and _entropy(value) >= least


def _refers(value: str) -> bool:
    """Whether a value names where the secret is: a path, a URL, a call, a name with dashes."""
    return (
        value.startswith(("/", "./", "~", "http", "vault:", "file:", "arn:", "@", "-"))
        or "(" in value
        or "://" in value
        or re.fullmatch(r"[a-z0-9]+(?:[-_./:][a-z0-9]+)+\.?", value) is not None
        or re.fullmatch(r"[A-Z0-9]+(?:_[A-Z0-9]+)+", value) is not None
        or re.fullmatch(r"[A-Za-z]+\d{0,2}[.:]?", value) is not None
    )


def _decoded(value: str) -> str:
    """What a value says if it is text in base64, as in a Secret's data."""
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    counted = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counted)
