"""Keys that people bring along from Alertmanager's configuration, and what to tell them."""

from alert_router.yaml_source import Entry, Fields, Location, Node, Text

_GROUPING = frozenset({"group_by", "group_wait", "group_interval", "repeat_interval"})
_ELSEWHERE = {
    "mute_time_intervals": "muting",
    "active_time_intervals": "muting",
    "time_intervals": "muting",
    "inhibit_rules": "inhibition",
    "global": "the global section",
    "templates": "templating by files",
    "tracing": "tracing",
}
_MAIN = frozenset({"receivers", "http", "storage", "delivery", "log"})
_ROUTING = frozenset({"route", "default_runbook"})


def foreign(location: Location, entry: Entry) -> tuple[str, str] | None:
    """A message and a hint for an unknown key that is known elsewhere; None for any other."""
    key = entry.key
    if key in _GROUPING:
        return f"`{key}`: grouping belongs to Alertmanager", "keep it in alertmanager.yml"
    if key in _ELSEWHERE:
        what = _ELSEWHERE[key]
        return f"`{key}`: {what} belongs to Alertmanager", "keep it in alertmanager.yml"
    if key in ("match", "match_re"):
        hint = f"write {as_matchers(entry.value, '=' if key == 'match' else '=~')}"
        return f"`{key}` is Alertmanager's old form", hint
    if key in ("source_match", "target_match", "source_matchers", "target_matchers"):
        return f"`{key}`: inhibition belongs to Alertmanager", "keep it in alertmanager.yml"
    if key.endswith("_configs") and "receivers" in location:
        kind = key.removesuffix("_configs")
        return f"`{key}` is Alertmanager's form", f"write notifiers: [{{type: {kind}, ...}}]"
    if len(location) == 1 and key in _MAIN | _ROUTING:
        home = "the main file" if key in _MAIN else "the file that `routing` names"
        return f"`{key}` does not belong in this file", f"write it in {home}"
    return None


def as_matchers(node: Node, operator: str = "=") -> str:
    """The matchers that say what a `match` or `match_re` mapping says, as one would write them."""
    entries = node.entries.values() if isinstance(node, Fields) else ()
    texts = [_matcher(entry, operator) for entry in entries] or [f'severity{operator}"critical"']
    return "matchers: [" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"


def _matcher(entry: Entry, operator: str) -> str:
    value = entry.value.value if isinstance(entry.value, Text) else None
    if value is None and "=" in entry.key:  # {a="b"} without quotes: YAML sees a key
        return entry.key
    escaped = (value or "").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{entry.key}{operator}"{escaped}"'
