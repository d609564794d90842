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

from alert_router.enrich import DEFAULT_RULES, LabelRules, label_rules
from alert_router.fields import (
    Duration,
    ExternalUrl,
    Listen,
    ListenAddress,
    RelativePath,
    Secret,
    SecretField,
    SecretUnavailable,
    Size,
    WithSecrets,
    as_text,
    base_of,
    written,
)
from alert_router.matcher import Matcher, MatcherError, parse_matchers
from alert_router.model.severity import STANDARD, WARNING, Grade, Scale
from alert_router.notify.registry import AnyNotifier
from alert_router.outbox.model import Storage, parse_storage
from alert_router.runbook import STANDARD_SECTIONS
from alert_router.runbook.sections import Headings

Endpoint = Literal["webhook", "reload", "api", "pages", "actions", "metrics"]

_MIB = 1024**2
_HOUR = 3600.0
_SHORTEST_KEY = 32  # characters
_DAY = 24 * _HOUR

StorageUrl = Annotated[
    Storage,
    BeforeValidator(
        lambda v, info: v if isinstance(v, Storage) else parse_storage(as_text(v), base_of(info))
    ),
]


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
    """The severity's name in messages, such as `CRITICAL`."""
    values: Values = ()
    """Values of the label that mean this severity; those of the built-in severity of this name if
    not set."""
    emoji: str = Field("", max_length=8)
    """Shown before the name in chats; that of the built-in severity if not set."""
    colour: Colour | None = None
    """Color in chats and e-mail, such as `"#d92d20"`; that of the built-in severity if not set."""
    terminal: Terminal | None = None
    """Color on a terminal; that of the built-in severity if not set."""

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
    """The label that has an alert's severity."""
    grades: tuple[GradeModel, ...] = ()
    """All severities, the worst first; the built-in ones if not set."""
    default: Lower = ""
    """The severity, by name or value, of alerts without the label or with an unknown value;
    `warning` if there is one, otherwise the worst."""

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
    """Another severity for a code of `check`, by its name; `off` does not report it."""
    rules: Paths = ()
    """Files, directories and patterns of Prometheus rules whose alerts `check`, `coverage` and the
    page `/coverage/rules` look at."""
    labels: Names = ()
    """Names of labels that alerts have besides those of the rules, such as Prometheus's
    `external_labels`."""


class Basic(_Model, WithSecrets):
    """HTTP basic authentication."""

    username: str = Field(min_length=1)
    """The user's name."""
    password: SecretField
    """The password."""


class Auth(_Model, WithSecrets):
    """What clients have to present, a bearer token or basic, and which endpoints ask for it."""

    bearer_token: SecretField | None = None
    """The token that clients send as `Authorization: Bearer`."""
    basic: Basic | None = None
    """A user name and a password instead of a token."""
    protect: frozenset[Endpoint] = frozenset(("webhook", "reload"))
    """The endpoints that ask for credentials; `/-/healthy` and `/-/ready` never do."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.bearer_token is None) == (self.basic is None):
            raise ValueError("give one of `bearer_token_file`, `bearer_token` and `basic`")
        token = self.bearer_token
        if token and (token.plain or token.text or "").lower().startswith("bearer "):
            raise ValueError("`bearer_token`: write the token alone, without the word Bearer")
        return self

    @property
    def username(self) -> str:
        """The user's name of basic authentication; empty where a bearer token is asked for."""
        return self.basic.username if self.basic else ""

    @property
    def password(self) -> Secret | None:
        """The password of basic authentication; None where a bearer token is asked for."""
        return self.basic.password if self.basic else None


class Links(_Model, WithSecrets):
    """Links in messages with which readers can act without a login."""

    key: SecretField | None = None
    """What signs the links, at least 32 characters. If not set, the store has a random one."""
    expire: Duration = Field(_DAY, gt=0, le=30 * _DAY)
    """How long a link can be used."""

    def read_key(self) -> bytes | None:
        """The key; None: the store's. Raises SecretUnavailable."""
        if self.key is None:
            return None
        key = self.key.read().encode("utf-8", "surrogateescape")
        if len(key) < _SHORTEST_KEY:
            raise SecretUnavailable(
                f"`http.links.key` is too short: expected at least {_SHORTEST_KEY} characters"
            )
        return key

    def secrets_missing(self) -> list[str]:
        """Messages about a key that cannot be used now; empty if there are none."""
        try:
            self.read_key()
        except SecretUnavailable as error:
            return [str(error)]
        return []


class HttpLimits(_Model):
    """How much of a webhook's body is kept; what is over it is cut and counted."""

    alerts: int = Field(5_000, ge=1, le=100_000)
    """Alerts kept of a group."""
    labels: int = Field(128, ge=8, le=10_000)
    """Labels kept of an alert, and as many annotations."""
    name: Size = Field(1024, ge=64, le=_MIB)
    """Bytes kept of a label's name."""
    value: Size = Field(64 * 1024, ge=256, le=_MIB)
    """Bytes kept of a value, as written in JSON."""


class People(_Model):
    """Who the reverse proxies in these networks say that a person is, and in which header."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")]
    """The header in which the reverse proxy names the person, such as `X-Forwarded-User`."""
    proxies: Annotated[tuple[IPvAnyNetwork, ...], Field(min_length=1)]
    """Networks of the proxies that are trusted to name people."""


class Http(_Model):
    """The HTTP server: intake, status, pages."""

    listen: ListenAddress = Listen("0.0.0.0", 9095)  # noqa: S104 - a webhook is for others
    """Address and port; `:9095` is every address of IPv4 and IPv6, port 0 any free port."""
    external_url: ExternalUrl = ""
    """The URL under which people reach the router; links in messages start with it."""
    max_body: Size = Field(10 * _MIB, ge=1024)
    """Larger requests are answered 413, which Alertmanager does not repeat."""
    limits: HttpLimits = HttpLimits()
    """How much of a body is kept; the rest is cut, marked and counted."""
    max_connections: int = Field(512, ge=4, le=65_536)
    """Open connections at a time; with one more, the oldest idle one is closed."""
    auth: Auth | None = None
    """Credentials that clients must present; without them every endpoint is open."""
    people: People | None = None
    """How a reverse proxy names the people who use the pages."""
    links: Links | None = None
    """Links in messages with which readers can act without a login. If not set, there are none."""
    header_timeout: Duration = Field(10.0, gt=0)
    """Time for the headers of a request to arrive."""
    body_timeout: Duration = Field(30.0, gt=0)
    """Time for its body to arrive."""
    idle_timeout: Duration = Field(75.0, gt=0)
    """Time after which an idle connection is closed."""

    @model_validator(mode="after")
    def _links_lead_here(self) -> Self:
        if self.links is not None and not self.external_url:
            raise ValueError("`links` lead to `external_url`: set it in the file, too")
        return self


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
    """The alerts whose `labels` are those of an exporter."""
    labels: Annotated[Names, Field(min_length=1)]
    """Labels that say where a metric was scraped, not what the alert is about."""


class Runbooks(_Model):
    """Where the runbooks are, and what their words mean: more headings of the standard sections and
    of `Reference`, which is not sent in place of steps; more names of placeholders, each with the
    labels that it means, the best first; and which labels are those of an exporter."""

    path: RelativePath = Field(Path("../runbooks"), validate_default=True)
    """The directory of the runbooks."""
    headings: Mapping[Annotated[str, AfterValidator(_section)], Names] = Field(default_factory=dict)
    """Further headings of the standard sections, and of `Reference`."""
    placeholders: Mapping[str, Names] = Field(default_factory=dict)
    """Further names of placeholders, each with the label that it means, or several, the best
    first."""
    exporter_labels: tuple[ExporterLabelsModel, ...] | None = None
    """Replaces the built-in list of exporters' labels; `[]` uses every label."""

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
    """How long a delivery is tried before it becomes a dead letter."""
    dedup_window: Duration = 300.0
    """How long a body that equals the last one of its group is a duplicate; `0` turns this off."""
    min_backoff: Duration = Field(1.0, gt=0)
    """First wait before a failing destination is tried again."""
    max_backoff: Duration = Field(300.0, gt=0)
    """Longest wait between attempts."""
    hold_backoff: Duration = Field(300.0, gt=0)
    """Longest wait while the destination is misconfigured."""
    urgent_backoff: Duration = Field(1.5, gt=0)
    """Longest wait while a delivery of the worst severity is pending."""
    retry_after_cap: Duration = _HOUR
    """Longest `Retry-After` that is obeyed."""
    shutdown_timeout: Duration = 20.0
    """How long a stop waits for messages that are being sent."""
    keep_delivered: Duration = 7 * _DAY
    """How long finished deliveries are kept."""
    keep_dead: Duration = 30 * _DAY
    """How long dead letters are kept."""
    reserve: Annotated[Size, AfterValidator(_reserve)] = 64 * _MIB
    """Free disk space below which webhooks are answered 503; at least 32MiB."""
    private_destinations: tuple[IPvAnyNetwork, ...] | None = None
    """Networks of private addresses that notifiers may connect to; all of them if not set, none
    with `[]`."""

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
    """The least severity that is logged."""
    format: LogFormat = LogFormat.AUTO
    """`auto` is `console` on a terminal and `json` elsewhere."""


class Receiver(_Model):
    """A named set of notifiers; may be empty, as in Alertmanager."""

    name: Annotated[str, AfterValidator(_name)]
    """Unique; routes and the URL `/webhook/NAME` refer to it."""
    notifiers: tuple[AnyNotifier, ...] = ()
    """The [destinations](#notifiers); a receiver without any discards its alerts."""


class Heartbeat(_Model):
    """An alert that always fires. Missing for longer than `timeout`, `receiver` is notified.

    `source` is that of the webhook's URL; "" is any.
    """

    name: Annotated[str, AfterValidator(_name)]
    """The Alertmanager's name in messages and metrics."""
    matchers: Matchers = ('alertname="Watchdog"',)
    """The firing alert that is the heartbeat."""
    source: str = ""
    """The `?source=` of the webhook's URL; any if not set."""
    timeout: Duration = Field(900.0, ge=1)
    """How long the heartbeat may be missing; longer than its `repeat_interval`."""
    severity: str = "critical"
    """The severity of the alert that reports it as missing."""
    receiver: str
    """The receiver that is notified; one that does not depend on this Alertmanager."""

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
    """The HTTP server."""
    storage: StorageUrl
    """Where accepted alerts are kept until they are delivered: `sqlite:///FILE`, or
    [`postgresql://`](scaling.md)."""
    runbooks: Runbooks
    """Where the runbooks are, and how they are read."""
    routing: RelativePath = Field(Path("routing.yaml"), validate_default=True)
    """The routing file."""
    delivery: Delivery
    """How long and how often deliveries are tried, and how long they are kept."""
    severities: Severities
    """The severities of alerts, and how they look."""
    receivers: tuple[Receiver, ...] = Field(min_length=1)
    """Who can be notified; one that writes to the console if not set."""
    heartbeats: tuple[Heartbeat, ...] = Field((), max_length=20)
    """Alerts that always fire; when one is missing, its receiver is notified."""
    log: Log
    """The log."""
    checks: Checks
    """What `alert-router check` reports."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given = {k: v for k, v in data.items() if v is not None or k not in DEFAULTS}
        return _RECEIVERS | DEFAULTS | given
