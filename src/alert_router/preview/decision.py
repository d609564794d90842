"""Which runbook and which receivers an alert gets, what was passed over, and why, in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alert_router.enrich import Choice
from alert_router.model import Alert
from alert_router.model.problem import Place
from alert_router.routing import EntryStep, Miss, RouteStep, RunbookTable
from alert_router.runtime import Runtime

# A table with at most this many entries that do not match is shown whole.
_SHORT_TABLE = 10


@dataclass(frozen=True, slots=True)
class Decision:
    """What is decided about an alert: the runbook, every entry of the runbook table that was tried,
    the receivers, and every route that was tried."""

    choice: Choice
    entries: tuple[EntryStep, ...]
    receivers: tuple[str, ...]
    routes: tuple[RouteStep, ...]

    @classmethod
    def of(cls, alert: Alert, runtime: Runtime) -> "Decision":
        """What the router decides about the alert."""
        labels, loaded = alert.matching_labels, runtime.loaded
        return cls(
            runtime.choose(alert),
            loaded.table.explain(labels),
            loaded.tree.match(labels),
            loaded.tree.explain(labels),
        )

    def telling(self) -> tuple[list[EntryStep], int]:
        """The entries to show: the one that matched, and of a long table only those others that
        nearly matched; and how many are not among them."""
        missed = [step for step in self.entries if not step.matched]
        near = [step for step in missed if len(step.misses) < len(step.entry.matchers)]
        shown = missed if len(missed) <= _SHORT_TABLE else near[:_SHORT_TABLE]
        chosen = {step.index for step in shown}
        steps = [step for step in self.entries if step.matched or step.index in chosen]
        return steps, len(missed) - len(shown)


def reason(
    choice: Choice, table: RunbookTable, written: Callable[[Place | None], str] = str
) -> str:
    """How the runbook was chosen; `written` writes a place."""
    match choice.way:
        case "table":
            if choice.entry is None:
                return "from the label `runbook` of its route in Alertmanager"
            place = written(table.entries[choice.entry].place)
            suffix = "" if choice.runbook is not None else ", which sets `runbook: null`"
            return f"from the runbook table: entry {choice.entry + 1} at {place}{suffix}"
        case "annotation":
            return "from the alert's annotation"
        case "name":
            return "from the alert's name"
        case "default":
            return "from default_runbook"
        case "none":
            return "no entry, annotation, name or default matched"


def mismatch(miss: Miss) -> str:
    """What a matcher that does not match found."""
    if not miss.found:
        return f"label `{miss.matcher.name}` is missing or empty"
    value = miss.found.replace("\\", "\\\\").replace('"', '\\"')
    return f'label `{miss.matcher.name}` is "{value}"'


def matchers_text(matchers: Sequence[object]) -> str:
    """The matchers, as Alertmanager writes them."""
    return ", ".join(map(str, matchers)) or "everything"
