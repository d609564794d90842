"""Keys of Alertmanager's configuration, and what to write here instead."""

from collections.abc import Mapping

from alert_router.yaml_source import Entry, Location, Node, Scalar, YamlMapping

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
# The notifiers here for the kinds of Alertmanager.
_KINDS: Mapping[str, str] = {
    **{kind: kind for kind in ("discord", "email", "mattermost", "pagerduty", "slack")},
    **{kind: kind for kind in ("telegram", "webhook")},
    **dict.fromkeys(("msteams", "msteamsv2"), "teams"),
}
_WORDING = "the router writes the message; to change its text write `template`"
_AUTHORIZATION = (
    "for credentials write `bearer_token`, or `username` and `password`, where the notifier has"
    " them, or `headers`"
)
_NOTIFIER_KEYS: Mapping[str, str] = {
    "webhook_url": "write it as `url`",
    "webhook_url_file": "write it as `url_file`",
    "service_key": "write it as `routing_key`",
    "service_key_file": "write it as `routing_key_file`",
    "chat": "write it as `chat_id`",
    "tls_config": "write it as `tls`",
    "proxy_url": "write it as `proxy`",
    "http_config": f"write `proxy` and `tls` beside the other keys; {_AUTHORIZATION}",
    "authorization": _AUTHORIZATION,
    "basic_auth": _AUTHORIZATION,
    "auth_secret": "write it as `auth_password`, which is also used for CRAM-MD5",
    "auth_secret_file": "write it as `auth_password_file`, which is also used for CRAM-MD5",
    "auth_identity": "remove it: the identity is `auth_username`",
    "max_alerts": "remove it: a message has as many alerts as fit",
    "parse_mode": "remove it: the router knows the destination's format",
    **dict.fromkeys(("text", "html", "message", "body", "pretext", "fallback_text"), _WORDING),
    **dict.fromkeys(("title_link", "color", "fields", "actions", "short_fields"), _WORDING),
    **dict.fromkeys(("description", "details", "icon_emoji", "mrkdwn_in"), _WORDING),
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
        kind = _KINDS.get(key.removesuffix("_configs"))
        hint = "there is no notifier for it: use type apprise or webhook"
        if kind:
            hint = f"write notifiers: [{{type: {kind}, ...}}]"
        return f"`{key}` is Alertmanager's form", hint
    if "notifiers" in location and key in _NOTIFIER_KEYS:
        return f"`{key}` is not a key of this notifier", _NOTIFIER_KEYS[key]
    if "notifiers" not in location and ({"routes", "route", "runbooks"} & set(location[:-1])):
        return _label(entry)
    if len(location) == 1 and key in _MAIN | _ROUTING:
        home = "the main file" if key in _MAIN else "the file that `routing` names"
        return f"`{key}` does not belong in this file", f"write it in {home}"
    return None


def _label(entry: Entry) -> tuple[str, str] | None:
    """Of a route or an entry of the table, a key that can only be the name of a label."""
    names = {"alert": "alertname", "alertname": "alertname", "severity": "severity"}
    value = entry.value
    if entry.key not in names or not isinstance(value, Scalar) or value.value is None:
        return None
    matcher = _matcher(names[entry.key], "=", value.value)
    return f"`{entry.key}` is not a key here", f"write matchers: ['{matcher}']"


def as_matchers(node: Node, operator: str = "=") -> str:
    """The matchers that a mapping of labels and values means, or one mapping of the form
    {name: ..., value: ..., matchType: ...} (Prometheus Operator), as one would write them."""
    fields = node if isinstance(node, YamlMapping) else None
    texts = [f'severity{operator}"critical"']
    if fields is not None and {"name", "value"} <= fields.entries.keys():
        regex = "=~" if fields.text("regex") == "true" else "="
        texts = [_of(fields, "name", fields.text("matchType") or regex)]
    elif fields is not None and fields.entries:
        texts = [_of(fields, key, operator) for key in fields.entries]
    return "matchers: [" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"


def _of(fields: YamlMapping, key: str, operator: str) -> str:
    value = fields.text(key)
    if key == "name" and "value" in fields.entries:
        return _matcher(value or "", operator, fields.text("value") or "")
    if value is None and "=" in key:  # {a="b"} without quotes: YAML sees a key
        return key
    return _matcher(key, operator, value or "")


def _matcher(name: str, operator: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}{operator}"{escaped}"'
