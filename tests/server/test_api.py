"""The JSON API: the document that describes it, and the answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from alert_router.server import app as app_module
from tests.http import get, post
from tests.programs import Router, body, router, write_config

DESCRIPTION = Path(app_module.__file__).with_name("openapi.json")
DOCUMENT = json.loads(DESCRIPTION.read_text())


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Router]:
    async with router(write_config(tmp_path, [{"type": "console"}])) as running:
        yield running


async def resolve(router: Router, query: str) -> tuple[int, Any]:
    status, text = await get(f"{router.url}/api/v1/resolve?{query}")
    return status, json.loads(text)


async def test_an_alert_is_resolved_to_its_runbook_with_filled_steps(served: Router) -> None:
    labels = ("alertname=HighErrorRate", "namespace=shop", "pod=api-0", "job=api")
    status, found = await resolve(served, "&".join(f"label={label}" for label in labels))
    assert status == 200
    assert found["receivers"] == ["oncall"]
    assert (found["runbook"]["id"], found["chosen_by"]) == ("alerts/high-error-rate", "table")
    detection, mitigation = found["runbook"]["sections"]
    assert (detection["name"], mitigation["name"]) == ("Detection", "Mitigation")
    (command,) = mitigation["steps"][0]["commands"]
    assert command["text"] == "kubectl -n shop delete pod api-0"


async def test_a_resolved_alert_gets_what_comes_after(served: Router) -> None:
    _, found = await resolve(served, "label=alertname=HighErrorRate&status=resolved")
    names = [section["name"] for section in found["runbook"]["sections"]]
    assert names == ["Verification", "Post-Incident"]


async def test_a_hostile_value_is_not_filled_into_a_command(served: Router) -> None:
    hostile = "label=alertname=HighErrorRate&label=namespace=a&label=pod=%24(reboot)%0Ax"
    _, found = await resolve(served, hostile)
    (command,) = found["runbook"]["sections"][1]["steps"][0]["commands"]
    assert "reboot" not in command["text"] or "'" in command["text"]


async def test_an_annotation_chooses_where_the_table_does_not(served: Router) -> None:
    query = "label=alertname=Other&annotation=runbook=alerts/high-error-rate"
    _, found = await resolve(served, query)
    assert (found["runbook"]["id"], found["chosen_by"]) == ("alerts/high-error-rate", "annotation")
    _, found = await resolve(served, "label=alertname=Other")
    assert (found["runbook"], found["chosen_by"]) == (None, "none")


@pytest.mark.parametrize(
    "query",
    ["", "label=", "label=a", "label==a", "label=a=1&status=on"],
)
async def test_what_is_no_alert_is_refused(served: Router, query: str) -> None:
    status, found = await resolve(served, query)
    assert status == 400
    assert "expected" in found["error"] or "valid" in found["error"]


async def test_too_many_labels_are_refused(served: Router) -> None:
    query = "&".join(f"label=a{n}=1" for n in range(129))
    assert (await resolve(served, query))[0] == 400


async def test_runbooks_and_deliveries_are_listed(served: Router) -> None:
    await post(f"{served.url}/webhook", body())
    _, text = await get(f"{served.url}/api/v1/runbooks")
    (row,) = json.loads(text)["runbooks"]
    assert row["title"] == "High error rate"
    _, text = await get(f"{served.url}/api/v1/runbooks/{row['id']}")
    names = [section["name"] for section in json.loads(text)["sections"]]
    assert names == ["Detection", "Mitigation", "Verification", "Post-Incident"]
    _, text = await get(f"{served.url}/api/v1/deliveries")
    assert [it["receiver"] for it in json.loads(text)["deliveries"]] == ["oncall"]
    _, text = await get(f"{served.url}/api/v1/deliveries?state=dead")
    assert json.loads(text)["deliveries"] == []


async def test_the_document_is_served_and_has_every_endpoint_of_the_api(served: Router) -> None:
    status, text = await get(f"{served.url}/api/v1/openapi.json")
    assert (status, json.loads(text)) == (200, DOCUMENT)
    source = Path(app_module.__file__).read_text()
    for path in DOCUMENT["paths"]:
        assert path.removeprefix("/api/v1").split("{")[0] in source
    assert source.count("{api}/") + source.count('api + "/') == len(DOCUMENT["paths"]) + 1


async def test_every_answer_is_as_the_document_says(served: Router) -> None:
    """Generated requests, right ones and wrong ones, by schemathesis."""
    await post(f"{served.url}/webhook", body())
    config = SchemathesisConfig.from_dict({"generation": {"max-examples": 25}})
    schema = schemathesis.openapi.from_dict(DOCUMENT, config=config)
    schema.config.update(base_url=served.url)
    operations = [it.ok() for it in schema.get_all_operations()]
    assert len(operations) == len(DOCUMENT["paths"])

    def check_all() -> None:
        for operation in operations:
            for mode in GenerationMode:
                check(operation, mode)

    await asyncio.to_thread(check_all)


def check(operation: Any, mode: GenerationMode) -> None:
    if mode is GenerationMode.NEGATIVE and not operation.query:
        return  # a path is right or leads nowhere

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=25,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: Any) -> None:
        case.call_and_validate()

    run()
