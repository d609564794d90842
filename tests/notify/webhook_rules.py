"""What must hold for anything a webhook is sent."""

from typing import Any

from pydantic_core import to_json

from alert_router.model import AlertGroup
from alert_router.notify.webhook import WebhookNotifier
from tests.notify.case import WORD, Case

_STEP = {"title", "text", "commands"}


def check(body: Any) -> None:
    """It is still a body of Alertmanager's, and the runbooks have their shape."""
    AlertGroup.from_bytes(to_json(body))
    for runbook in body["runbooks"]:
        assert {"id", "title", "url", "owner", "last_updated", "alerts"} <= set(runbook)
        for section in runbook.get("sections", []):
            assert (
                {"name", "title", "steps"}
                <= set(section)
                <= {"name", "text", "commands"}
                | {
                    "title",
                    "steps",
                }
            )
            assert all({"title"} <= set(step) <= _STEP for step in section["steps"])


CASES = [
    Case(
        "webhook",
        lambda url, **k: WebhookNotifier(
            url=url, bearer_token=f"b{WORD}", headers={"X-Key": f"h{WORD}"}, **k
        ),
        check,
    )
]
