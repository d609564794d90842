"""PagerDuty's four severities, from the values of a label.

Alert Router's own grades (words, colours, `min_severity`) are `alert_router.model.severity`'s.
"""

from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict

from alert_router.model import Alert
from alert_router.model.severity import Scale

Word = Literal["critical", "error", "warning", "info"]
WORDS: tuple[Word, ...] = get_args(Word)  # the worst first

_TABLE: dict[Word, tuple[str, ...]] = {
    "critical": (
        *("critical", "crit", "page", "emergency", "emerg", "fatal", "disaster"),
        *("p0", "p1", "s1", "sev0", "sev1"),
    ),
    "error": ("error", "err", "major", "high", "p2", "s2", "sev2"),
    "warning": ("warning", "warn", "minor", "medium", "p3", "s3", "sev3"),
    "info": (
        *("info", "information", "informational", "notice", "none", "low", "debug"),
        *("p4", "p5", "s4", "sev4"),
    ),
}
BUILT_IN: dict[str, Word] = {value: word for word in WORDS for value in _TABLE[word]}


def _lower(values: dict[str, Word]) -> dict[str, Word]:
    return {value.lower(): word for value, word in values.items()}


class Severities(BaseModel):
    """Which values of which label mean what.

    `values` come before the built-in table. Without a `label`, that of the configuration's
    severities is read; a value that neither names, but the configuration's severities do, means
    what their word means.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    label: str = ""
    values: Annotated[dict[str, Word], AfterValidator(_lower)] = {}
    default: Word = "error"

    def of(self, alert: Alert, scale: Scale) -> Word:
        """An alert's severity, whether it fires or not."""
        value = alert.labels.get(self.label or scale.label, "").lower()
        found = self.values.get(value) or BUILT_IN.get(value)
        if found is None and value:
            try:
                word = scale.named(value).word.lower()
            except LookupError:
                return self.default
            found = self.values.get(word) or BUILT_IN.get(word)
        return found or self.default

    def worst(self, alerts: Iterable[Alert], scale: Scale) -> Word:
        """The worst severity of these alerts."""
        found = {self.of(alert, scale) for alert in alerts}
        return next((word for word in WORDS if word in found), self.default)
