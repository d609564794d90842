"""The main configuration file as models, with every default; seconds and bytes throughout."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    model_validator,
)

from alert_router.config.values import (
    ExternalUrl,
    Listen,
    ListenAddress,
    Size,
    StorageUrl,
)
from alert_router.enrich import DEFAULT_RULES, LabelRules, label_rules
from alert_router.fields import (
    Duration,
    RelativePath,
    Secret,
    SecretField,
    SecretUnavailable,
    written,
)
from alert_router.matcher import Matcher, MatcherError, parse_matchers
from alert_router.model.severity import STANDARD, WARNING, Grade, Scale
from alert_router.notify.registry import AnyNotifier
from alert_router.runbook import STANDARD_SECTIONS
from alert_router.runbook.sections import Headings

Endpoint = Literal["webhook", "reload", "api", "pages", "actions", "metrics"]

_MIB = 1024**2
_HOUR = 3600.0
_DAY = 24 * _HOUR


def _name(text: str) -> str:
    """A receiver's name: it appears in URLs, metrics and logs."""
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("expected a name of printable characters, without spaces at its ends")
    return text


def _reserve(size: int) -> int:
    if size < 32 * _MIB:
        raise ValueError(
            "expected at least 32MiB: the store needs that to write its -wal file back"
        )
    return size


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Lower = Annotated[str, AfterValidator(str.lower)]
Colour = Annotated[str, written(r"#[0-9A-Fa-f]{6}", "a colour such as '#d00000', in quotes")]
Terminal = Literal["red", "yellow", "blue", "green", "magenta", "cyan", "white"]
Values = Annotated[
    tuple[Lower, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


class GradeModel(_Model):
    """One severity; `values` are those of the label that mean it, without them those of the
    built-in one of the same word."""

    word: str = Field(min_length=1, max_length=40)
    values: Values = ()
    emoji: str = Field("", max_length=8)
    colour: Colour | None = None
    terminal: Terminal | None = None

    @model_validator(mode="after")
    def _values_of_a_word(self) -> Self:
        if not self.values and STANDARD.find(self.word) is None:
            raise ValueError("`values`: expected the label's values that mean this severity")
        return self

    def grade(self) -> Grade:
        """The grade; what is left out is taken from the built-in one of the same word, or else
        of one of the values."""
        found = map(STANDARD.find, (self.word, *self.values))
        like = next(filter(None, found), WARNING)
        return Grade(
            word=self.word,
            emoji=self.emoji or like.emoji,
            colour=self.colour or like.colour,
            terminal=self.terminal or like.terminal,
            values=frozenset(self.values) or like.values,
            level=like.level,
        )


class Severities(_Model):
    """The scale as written; without `grades`, the built-in one."""

    label: str = Field("severity", min_length=1)
    grades: tuple[GradeModel, ...] = ()
    default: Lower = ""

    @model_validator(mode="after")
    def _each_value_once(self) -> Self:
        values = [value for grade in self.grades for value in grade.grade().values]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(f"`grades`: a value can mean one severity only: {', '.join(twice)}")
        try:
            self.scale()
        except LookupError:
            raise ValueError(
                f"`default`: no grade has the name or value {self.default!r}"
            ) from None
        return self

    def scale(self) -> Scale:
        """The compiled scale. Raises LookupError if it does not contain `default`."""
        grades = tuple(grade.grade() for grade in self.grades) or STANDARD.grades
        scale = Scale(grades, grades[-1], STANDARD.resolved, self.label)
        default = self.default or "warning"
        try:
            otherwise = scale.named(default)
        except LookupError:
            if self.default:
                raise
            otherwise = grades[0]  # not configured: treated as the worst rather than missed
        return Scale(grades, otherwise, STANDARD.resolved, self.label)


class Weight(StrEnum):
    """A severity, or `off`: not reported."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OFF = "off"


Paths = Annotated[
    tuple[RelativePath, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
]


Names = Annotated[
    tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


def _section(name: str) -> str:
    """A standard section's name, or Reference."""
    known = {section.lower(): section for section in (*STANDARD_SECTIONS, "Reference")}
    if name.lower() not in known:
        raise ValueError(f"expected one of {', '.join(known.values())}")
    return known[name.lower()]


class Checks(_Model):
    """`rules` are files, directories or patterns, as `--rules` takes them; `labels` are those that
    alerts carry besides those of the rules, such as Prometheus's external labels."""

    severity: Mapping[str, Weight] = Field(default_factory=dict)
    rules: Paths = ()
    labels: Names = ()


class Basic(_Model):
    """HTTP basic authentication."""

    username: str = Field(min_length=1)
    password: SecretField | None = None
    password_file: RelativePath | None = None

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give one of `password` and `password_file`")
        return self


class Auth(_Model):
    """What clients have to present, a bearer token or basic, and which endpoints ask for it."""

    bearer_token: SecretField | None = None
    bearer_token_file: RelativePath | None = None
    basic: Basic | None = None
    protect: frozenset[Endpoint] = frozenset(("webhook", "reload"))

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [self.bearer_token, self.bearer_token_file, self.basic]
        if sum(value is not None for value in given) != 1:
            raise ValueError("give one of `bearer_token_file`, `bearer_token` and `basic`")
        token = self.bearer_token
        if token and (token.plain or token.text or "").lower().startswith("bearer "):
            raise ValueError("`bearer_token`: write the token alone, without the word Bearer")
        return self

    @property
    def bearer(self) -> Secret | None:
        """The bearer token, wherever it comes from; None where basic is asked for."""
        if self.bearer_token_file is not None:
            return Secret(file=self.bearer_token_file)
        return self.bearer_token

    @property
    def username(self) -> str:
        """The user's name of basic authentication; empty where a bearer token is asked for."""
        return self.basic.username if self.basic else ""

    @property
    def password(self) -> Secret | None:
        """The password of basic authentication, wherever it comes from."""
        if self.basic is None:
            return None
        return self.basic.password or Secret(file=self.basic.password_file)

    def secrets_missing(self) -> list[str]:
        """Sentences about secrets that cannot be read now; empty if all is well."""
        secret = self.bearer or self.password
        try:
            if secret is not None:
                secret.read()
        except SecretUnavailable as error:
            return [str(error)]
        return []


class HttpLimits(_Model):
    """How much of a webhook's body is kept; what is over it is cut and counted."""

    alerts: int = Field(5_000, ge=1, le=100_000)
    labels: int = Field(128, ge=8, le=10_000)
    name: Size = Field(1024, ge=64, le=_MIB)
    value: Size = Field(64 * 1024, ge=256, le=_MIB)


class People(_Model):
    """Who the reverse proxies in these networks say that a person is, and in which header."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")]
    proxies: Annotated[tuple[IPvAnyNetwork, ...], Field(min_length=1)]


class Http(_Model):
    """The HTTP server: intake, status, pages."""

    listen: ListenAddress = Listen("0.0.0.0", 9095)  # noqa: S104 - a webhook is for others
    external_url: ExternalUrl = ""
    max_body: Size = Field(10 * _MIB, ge=1024)
    limits: HttpLimits = HttpLimits()
    max_connections: int = Field(512, ge=4, le=65_536)
    auth: Auth | None = None
    people: People | None = None
    header_timeout: Duration = Field(10.0, gt=0)
    body_timeout: Duration = Field(30.0, gt=0)
    idle_timeout: Duration = Field(75.0, gt=0)


def _matchers(texts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        for text in texts:
            parse_matchers(text)
    except MatcherError as error:
        raise ValueError(str(error)) from None
    return texts


Matchers = Annotated[Names, Field(min_length=1), AfterValidator(_matchers)]


class ExporterLabelsModel(_Model):
    """Labels that say where a metric was scraped, in alerts that all matchers match."""

    matchers: Matchers
    labels: Annotated[Names, Field(min_length=1)]


class Runbooks(_Model):
    """Where the runbooks are, and what their words mean: more headings of the standard sections and
    of `Reference`, which is not sent in place of steps; more names of placeholders, each with the
    labels that it means, the best first; and which labels are those of an exporter."""

    path: RelativePath = Field(Path("../runbooks"), validate_default=True)
    headings: Mapping[Annotated[str, AfterValidator(_section)], Names] = Field(default_factory=dict)
    placeholders: Mapping[str, Names] = Field(default_factory=dict)
    exporter_labels: tuple[ExporterLabelsModel, ...] | None = None

    def label_rules(self) -> LabelRules:
        """The compiled rules."""
        if not self.placeholders and self.exporter_labels is None:
            return DEFAULT_RULES
        exporters = self.exporter_labels
        if exporters is None:
            return label_rules(self.placeholders)
        pairs = [(",".join(rule.matchers), rule.labels) for rule in exporters]
        return label_rules(self.placeholders, pairs)

    def known_headings(self) -> Headings:
        """The built-in headings and these."""
        return Headings.of(self.headings)


class Delivery(_Model):
    """How long to try, how often, and how long to keep what is done."""

    max_age: Duration = Field(_DAY, gt=0)
    dedup_window: Duration = 300.0
    min_backoff: Duration = Field(1.0, gt=0)
    max_backoff: Duration = Field(300.0, gt=0)
    hold_backoff: Duration = Field(300.0, gt=0)
    urgent_backoff: Duration = Field(1.5, gt=0)
    retry_after_cap: Duration = _HOUR
    shutdown_timeout: Duration = 20.0
    keep_delivered: Duration = 7 * _DAY
    keep_dead: Duration = 30 * _DAY
    reserve: Annotated[Size, AfterValidator(_reserve)] = 64 * _MIB
    private_destinations: tuple[IPvAnyNetwork, ...] | None = None

    @model_validator(mode="after")
    def _backoffs_in_order(self) -> Self:
        if self.min_backoff > self.max_backoff:
            raise ValueError("`min_backoff` is longer than `max_backoff`")
        return self


class LogLevel(StrEnum):
    """From what severity on lines are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a log line looks; `auto` is `console` on a terminal and `json` elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class Log(_Model):
    """What the program says about itself."""

    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.AUTO


class Receiver(_Model):
    """A named set of notifiers; may be empty, as in Alertmanager."""

    name: Annotated[str, AfterValidator(_name)]
    notifiers: tuple[AnyNotifier, ...] = ()


class Heartbeat(_Model):
    """An alert that always fires. Missing for longer than `timeout`, `receiver` is notified.

    `source` is that of the webhook's URL; "" is any.
    """

    name: Annotated[str, AfterValidator(_name)]
    matchers: Matchers = ('alertname="Watchdog"',)
    source: str = ""
    timeout: Duration = Field(900.0, ge=1)
    severity: str = "critical"
    receiver: str

    @cached_property
    def _compiled(self) -> tuple[Matcher, ...]:
        return parse_matchers(",".join(self.matchers))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is the heartbeat."""
        return all(matcher.matches(labels) for matcher in self._compiled)


# A section that is left out, or has nothing under it, is validated as this, so that the paths
# among its defaults are relative to the file too.
DEFAULTS: dict[str, Any] = {
    "http": {},
    "storage": "sqlite:///alert-router.db",
    "runbooks": {},
    "delivery": {},
    "severities": {},
    "log": {},
    "checks": {},
}


# What a file without `receivers` has: everything goes to the terminal.
DEFAULT_RECEIVER = "default"
_RECEIVERS = {"receivers": [{"name": DEFAULT_RECEIVER, "notifiers": [{"type": "console"}]}]}


class Config(_Model):
    """The main file. Validated with the context `{"base": directory of the file}`."""

    http: Http
    storage: StorageUrl
    runbooks: Runbooks
    routing: RelativePath = Field(Path("routing.yaml"), validate_default=True)
    delivery: Delivery
    severities: Severities
    receivers: tuple[Receiver, ...] = Field(min_length=1)
    heartbeats: tuple[Heartbeat, ...] = Field((), max_length=20)
    log: Log
    checks: Checks

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given = {k: v for k, v in data.items() if v is not None or k not in DEFAULTS}
        return _RECEIVERS | DEFAULTS | given

    @model_validator(mode="after")
    def _heartbeats_fit(self) -> Self:
        if self.heartbeats and self.storage.url:
            raise ValueError(
                "`heartbeats`: not available with PostgreSQL: each router would miss those that"
                " another one receives"
            )
        receivers = {receiver.name for receiver in self.receivers}
        names: set[str] = set()
        for heartbeat in self.heartbeats:
            if heartbeat.receiver not in receivers:
                raise ValueError(f"`heartbeats`: there is no receiver `{heartbeat.receiver}`")
            if heartbeat.name in names:
                raise ValueError(f"`heartbeats`: two are called `{heartbeat.name}`")
            names.add(heartbeat.name)
        return self
