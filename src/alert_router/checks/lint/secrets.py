"""Passwords, tokens and keys in a runbook.

A secret is never printed: it is masked in every problem of its file, whichever check found that.
Why not a library: docs/decisions/0001-dependencies.md.
"""

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from alert_router.checks.lint.source import RunbookSource
from alert_router.model.problem import Problem

# Tokens of a known form, with what is in each of them, in lower case; the group `secret`, or else
# all of it, is the secret.
_TOKENS = (
    ("an AWS access key", r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])", "akia asia"),
    (
        "a GitHub token",
        r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{40,255}\b",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
    ),
    (
        "a GitLab token",
        r"(?<![\w-])gl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,64}",
        "glpat- gldt- glrt- glcbt- glptt-",
    ),
    (
        "a Slack token",
        r"\bxox[abeoprs]-[0-9A-Za-z-]{12,200}|\bxapp-\d-[0-9A-Za-z-]{20,200}",
        "xox xapp-",
    ),
    (
        "a Slack webhook URL",
        r"hooks\.slack(?:-gov)?\.com/(?:services|workflows)/"
        r"(?P<secret>[TA]\w{6,12}/[\w/]{12,80})",
        "hooks.slack",
    ),
    ("a Stripe key", r"\b[sr]k_live_[0-9A-Za-z]{16,99}", "k_live_"),
    (
        "an API key",
        r"(?<![\w-])sk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,200}|\bAIza[0-9A-Za-z_-]{35}\b"
        r"|\bnpm_[A-Za-z0-9]{36}\b|\bSG\.[\w-]{22}\.[\w-]{43}|\bhvs\.[\w-]{24,}|\bdop_v1_[0-9a-f]{64}\b"
        r"|\bpypi-[\w-]{50,}",
        "sk- aiza npm_ sg. hvs. dop_v1_ pypi-",
    ),
    (
        "a JSON web token",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        "eyj",
    ),
)
_TOKEN_PATTERNS = [(what, re.compile(pattern), signs.split()) for what, pattern, signs in _TOKENS]
_KEY_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(r"[\s>]*[A-Za-z0-9+/=]{40,}\s*$")
_ASSIGNMENT = re.compile(
    r"(?i:(?<![A-Za-z0-9])(?P<name>[\w.-]{0,40}(?:password|passwd|passphrase|secret|token|api[_-]?key"
    r"|access[_-]?key|private[_-]?key|credential)s?(?:[_-]?(?:key|id))?))[\"'*`]{0,3}\s{0,3}[:=]\s{0,3}[\"'`]?"
    r"(?P<secret>[^\s\"'`,;|)\]}]{8,200})"
)
_IN_URL = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://(?P<user>[^\s/:@\"'`]{0,80}):(?P<secret>[^\s/@\"'`]{3,200})@[\w\[]"
)
_BEARER = re.compile(r"\b(?:Bearer|Basic)\s+(?P<secret>[A-Za-z0-9._~+/=-]{20,400})")
_NAMES = [
    "passw",
    "passphrase",
    "secret",
    "token",
    "key",
    "credential",
]  # one is in each assignment's name
_PLACEHOLDER = re.compile(r"[<>{}$*%…]|\.\.\.|^\(|\[|\\")
_EXAMPLE_TOKEN = re.compile(r"EXAMPLE|xxxx|your|0000000|1234567|abcdef", re.IGNORECASE)
# The name of a variable, or words, after the prefix of a token.
_NAME_IN_TOKEN = re.compile(r"[a-z]{2,5}(?:-[A-Z][A-Z_-]*\d?|(?:[-_][a-z]+)+(?:[-_]\d{1,3})?)")
_EXAMPLE_VALUE = re.compile(
    r"example|changeme|change[-_]me|your|placeholder|redact|dummy|sample|insert|replace|secret|passw|"
    r"token|xxx|foo|test|fake|todo|12345|abcdef|hunter2|s3cr3t|mypass|admin|default|none|null|true|false",
    re.IGNORECASE,
)
# A value that says where the secret is: a path, a URL, a call, a name with dashes.
_REFERENCE = re.compile(
    r"(?:/|\./|~|http|vault:|file:|arn:|@|-).*|.*(?:\(|://).*|[a-z0-9]+(?:[-_./:][a-z0-9]+)+\.?"
    r"|[A-Z0-9]+(?:_[A-Z0-9]+)+|[A-Za-z]+\d{0,2}[.:]?"
)


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """A secret with its place and its kind."""

    value: str
    line: int
    column: int
    what: str


def find(source: RunbookSource) -> list[FoundSecret]:
    """The secrets of one runbook's file, including code and comments, the longest first: one that
    is a part of another must not be masked before it."""
    found: dict[tuple[int, int], FoundSecret] = {}
    for number, match, what in _matches(source):
        group = "secret" if "secret" in match.re.groupindex else 0
        column = match.start(group) + 1
        found.setdefault((number, column), FoundSecret(match[group], number, column, what))
    return sorted(found.values(), key=lambda secret: -len(secret.value))


def check(source: RunbookSource, found: Iterable[FoundSecret]) -> Iterator[Problem]:
    """A problem for each secret."""
    for secret in found:
        message = f"this looks like {secret.what}"
        hint = (
            "Remove it and revoke it: everyone who can read the repository knows it. Say where it "
            "is stored instead."
        )
        yield source.problem("runbook-secret", message, secret.line, secret.column, hint=hint)


def masked(problem: Problem, found: Iterable[FoundSecret]) -> Problem:
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


def _matches(source: RunbookSource) -> Iterator[tuple[int, re.Match[str], str]]:
    """The secrets with the numbers of their lines, and what each is."""
    lines = _LinesWithSigns(source)
    for number, line in lines.having(("private key",)):
        match = _KEY_BEGIN.search(line)
        if match and _KEY_BODY.match(source.line_text(number + 1)):
            yield number, match, "a private key"
    for what, pattern, signs in _TOKEN_PATTERNS:
        for number, match in lines.matches(pattern, signs):
            token = match[match.lastgroup or 0]
            is_example = _PLACEHOLDER.search(token) or _EXAMPLE_TOKEN.search(token)
            is_example = is_example or _NAME_IN_TOKEN.fullmatch(token)
            if not is_example and _entropy(token) >= 2.5:
                yield number, match, what
    for number, match in lines.matches(_IN_URL, ("@",)):
        if match["secret"] != match["user"] and _looks_random(match["secret"], 2.5):
            yield number, match, "a password in a URL"
    for number, match in lines.matches(_BEARER, ("bearer", "basic")):
        if _looks_random(match["secret"], 2.5):
            yield number, match, "a token"
    for number, match in lines.matches(_ASSIGNMENT, _NAMES):
        if _looks_random(match["secret"], 3.0) and not _REFERENCE.fullmatch(match["secret"]):
            name = match["name"].lower()
            kinds = (kind for kind in ("password", "token", "key") if kind in name)
            yield number, match, f"a {next(kinds, 'secret')}"


class _LinesWithSigns:
    """The lines of a text that have one of some words: nearly all have none, and a search for a
    word in the whole text is much faster than a pattern on each line."""

    def __init__(self, source: RunbookSource) -> None:
        self._source = source
        self._text = source.text.lower()
        self._same = len(self._text) == len(source.text)  # a few letters are longer in lower case

    def having(self, signs: Sequence[str]) -> Iterator[tuple[int, str]]:
        """The lines that have one of the signs, with their numbers."""
        if not self._same:
            yield from enumerate(self._source.lines, 1)
            return
        numbers: set[int] = set()
        for sign in signs:
            at = self._text.find(sign)
            while at >= 0:
                number, _ = self._source.position(at)
                numbers.add(number)
                end = self._text.find("\n", at)
                at = self._text.find(sign, end) if end >= 0 else -1
        yield from ((number, self._source.lines[number - 1]) for number in sorted(numbers))

    def matches(
        self, pattern: re.Pattern[str], signs: Sequence[str]
    ) -> Iterator[tuple[int, re.Match[str]]]:
        """The matches of a pattern that has one of the signs in each, with their lines."""
        for number, line in self.having(signs):
            yield from ((number, match) for match in pattern.finditer(line))


def _looks_random(value: str, least_entropy: float) -> bool:
    """Whether a value looks random: not a placeholder, a word or an example."""
    if _PLACEHOLDER.search(value) or _EXAMPLE_VALUE.search(value):
        return False
    if _EXAMPLE_VALUE.search(_from_base64(value)):
        return False
    has_digit = any(char.isdigit() for char in value)
    has_letter = any(char.isalpha() for char in value)
    return has_digit and has_letter and _entropy(value) >= least_entropy


def _from_base64(value: str) -> str:
    """The text that a value encodes, as in the data of a Kubernetes Secret; "" if none."""
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _entropy(value: str) -> float:
    """Shannon's entropy in bits a character; words of a language have less than 3."""
    counted = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counted)
