"""Notifications to render: one as it should be, and whatever may come."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from alert_router.markdown import Text, parse
from alert_router.model import AlertGroup
from alert_router.notification import Notification, RunbookPart
from alert_router.runbook.model import Section, Step

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STARTED, ENDED = "2026-11-23T10:00:00Z", "2026-11-23T11:04:00Z"
HOSTILE = [
    "\x00\x1b[2J\x1b]0;owned\x07\x9b31m",
    "\ud800",
    "\u202egnp.exe\u2066 \u2028",
    "\u200f\u200e\u061c\u2029 a\u202ab\u2068c",
    "<!subteam^S012|@sre> <@&123> <users/all> <at>Bob</at> ~town #tag /start +49170123456 :fire:",
    "<!channel> <!here|x> <@U0123> <#C0123> @here @everyone @channel",
    "[x](javascript:alert(1)) <https://evil.example|click> &lt;!channel&gt; &amp;",
    "*bold* _it_ ~no~ `code` ```\nfence",
    "line\nbreaks\r\nand\ttabs\x85",
    "=?utf-8?q?a=0d=0aBcc:_evil@example.org=0d=0a=0d=0abody?=",
    "x" * 100_000,
    "& < > " * 2_000,
    "",
]


def body(alerts: list[dict[str, Any]], **more: Any) -> bytes:
    """A webhook body as Alertmanager posts it."""
    labels = alerts[0].get("labels", {})
    status = "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved"
    whole = {"version": "4", "groupKey": "{}:{}", "status": status, "receiver": "team"}
    whole |= {"groupLabels": labels, "commonLabels": labels, "commonAnnotations": {}}
    whole |= {"externalURL": "http://am.example:9093", "truncatedAlerts": 0, "alerts": alerts}
    return json.dumps(whole | more).encode()


def alert(*, resolved: bool = False, annotations: dict[str, str] | None = None, **labels: str):
    """An alert, as data."""
    return {
        "status": "resolved" if resolved else "firing",
        "labels": {"alertname": "PodCrash", "severity": "critical"} | labels,
        "annotations": annotations if annotations is not None else {"summary": "A pod crashes"},
        "startsAt": STARTED,
        "endsAt": ENDED if resolved else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prom.example/graph?g0.expr=up%3D%3D0&g0.tab=1",
    }


def section(name: str, text: str, *steps: tuple[str, str]) -> Section:
    """A section with an introduction and steps, each a title and what stands under it."""
    return Section(
        name,
        (Text(name),),
        parse(text),
        tuple(Step(title, parse(f"{title}\n\n{under}")) for title, under in steps),
    )


RESTART = "```bash\nkubectl delete pod a-1 -n prod && echo '<done>'\n```"
DETECTION = section(
    "Detection",
    "Who is it?",
    ("Look at the pod.", "See [the dashboard](https://g.example/d?a=1&b=2).\n\n```bash\nget\n```"),
    ("Look at the log.", "It **must** say `OOM`.\n\n```bash\nlogs --previous\n```"),
)
MITIGATION = section("Mitigation", "", ("Restart it.", RESTART), ("Else roll back.", "Carefully."))


def notification(
    alerts: list[dict[str, Any]] | None = None,
    sections: tuple[Section, ...] = (DETECTION, MITIGATION),
    *,
    runbooks: int = 1,
    notes: tuple[str, ...] = (),
    progress: str = "",
    **more: Any,
) -> Notification:
    """A notification of these alerts, each runbook of it for all of them."""
    group = AlertGroup.from_bytes(body(alerts or [alert(namespace="prod", pod="a-1")], **more))
    parts = tuple(
        RunbookPart(
            id=f"alerts/pod-crashes-{number}",
            title="Pods that crash",
            url="https://router.example/runbooks/alerts/pod-crashes",
            alerts=group.alerts,
            sections=sections,
            commands_for=group.alerts[0] if len(group.alerts) > 1 else None,
            owner="SRE",
            last_updated="2026-11-01",
        )
        for number in range(runbooks)
    )
    without = () if runbooks else group.alerts
    return Notification(
        *("msg-1", ("g-1", "g-2"), "team", "it", group, parts, without),
        notes=notes,
        progress=progress,
        composed_at=NOW,
    )


_anything = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(blacklist_categories=()), max_size=40),
    st.lists(st.sampled_from(["<", ">", "&", "*", "_", "`", "```", "|", "@here", "\n", "a", "é"]))
    .map("".join),
)  # fmt: skip
_alerts = st.lists(
    st.builds(
        lambda labels, annotations, resolved, urls: (
            alert(resolved=resolved, annotations=annotations)
            | {"labels": labels, "generatorURL": urls}
        ),
        st.dictionaries(_anything | st.sampled_from(["alertname", "severity", "pod"]), _anything),
        st.dictionaries(st.sampled_from(["summary", "description", "message"]), _anything),
        st.booleans(),
        _anything.map(lambda text: f"http://x/{text}") | _anything,
    ),
    min_size=1,
    max_size=20,
)


@st.composite
def _sections(draw: st.DrawFn) -> tuple[Section, ...]:
    texts = [text.encode(errors="replace").decode() for text in draw(st.lists(_anything))]
    found = []
    for text in texts:
        fenced = (
            f"````bash\n{text}\n````\n\n> - [ ] {text}\n\n# {text}\n\n[{text}](http://h/{text})"
        )
        found.append(section("", text, (text, fenced), ("Then.", text * 3)))
    return tuple(found)


hostile = st.builds(
    notification,
    _alerts,
    _sections(),
    runbooks=st.integers(0, 3),
    notes=st.lists(_anything.map(lambda text: text.encode(errors="replace").decode())).map(tuple),
    progress=_anything.map(lambda text: text.encode(errors="replace").decode()),
    externalURL=_anything,
)
