"""The page of a runbook: filled with the labels in its address, with what leads to it and how it
was used."""

import json
import os
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote

import pytest

from alert_router.outbox.base import StoreUnavailable
from alert_router.runtime import read_runtime
from alert_router.server import running as in_process
from tests.http import get
from tests.programs import Router, body, eventually, lasting_router, write_config
from tests.server.test_group_page import SCRIPT, alerts, send
from tests.server.test_page_actions import tab

LAG = """---
alerts: [KafkaLag]
last_updated: 2020-01-31
review_interval: 90d
---
# Kafka lag {one}

## Detection

1. Ask for `<topic>` of $job and <name>.

   ```bash
   kafka-lag --topic <topic> --group "$CONSUMER_GROUP" # $job
   ```

## Mitigation

Restart it: `kubectl -n <namespace> rollout restart deploy/<deployment-name>`

## Mitigation
"""
HOSTILE = f"""# H {SCRIPT}

## <img src=x onerror=alert(1)>

## [x](javascript:alert(1)) "><b>

```bash
kubectl -n <namespace> get pod $pod
```

## "><script>
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    folder = tmp_path_factory.mktemp("runbook")
    config = write_config(folder, [{"type": "console"}])
    for name, text in (("lag", LAG), ("hostile", HOSTILE)):
        file = folder / "runbooks" / "alerts" / f"{name}.md"
        file.write_text(text)
        os.utime(file, (1_600_000_000, 1_600_000_000))
    with lasting_router(config) as process:
        yield process


async def shown(running: Router, path: str) -> str:
    status, text = await get(f"{running.url}/runbooks/{path}")
    assert status == 200
    return text


async def test_the_labels_that_the_commands_need_are_asked_for(running):
    text = await shown(running, "alerts/lag")

    fields = re.findall(r'<input name="([^"]+)"', text)
    assert fields == ["topic", "consumergroup", "job", "namespace", "deployment"]
    assert "&lt;topic&gt;" in text


async def test_labels_in_the_address_fill_the_commands(running):
    text = unescape(await shown(running, "alerts/lag?topic=orders&namespace=shop&other=1"))

    assert "kafka-lag --topic orders" in text
    assert "kubectl -n shop rollout restart deploy/" in text
    assert '<input name="topic" value="orders"' in text


@pytest.mark.parametrize("value", ["$(id)", "a b", "'; id #", "-rf", "a\nb", SCRIPT, "x" * 300])
async def test_a_value_never_becomes_more_than_a_word_of_a_command(running, value):
    text = unescape(await shown(running, f"alerts/lag?topic={quote(value)}"))

    code = re.search(r'<pre><code class="language-bash">(.*?)</code>', text, re.DOTALL)[1]
    assert "--topic FILL_IN_topic " in code


async def test_the_page_says_how_old_the_runbook_is(running):
    text = await shown(running, "alerts/lag")

    assert re.search(r"revision [0-9a-f]{8}, file changed 2020-09-13 12:26:40 UTC, \d+ days", text)
    assert "Its review was due on 2020-04-30." in text


async def test_the_contents_lead_to_the_headings(running):
    text = await shown(running, "alerts/lag")

    links = re.findall(r'<a href="#([^"]+)">', text)
    assert links == ["detection", "mitigation", "mitigation-1"]
    assert all(f'id="{link}"' in text for link in links)


async def test_entries_and_received_alerts_that_lead_to_it_are_listed(running):
    await send(running, body(namespace="shop"))

    async def is_listed() -> bool:
        text = unescape(await shown(running, "alerts/high-error-rate"))
        assert '<code>alertname=~"HighErrorRate.*"</code>' in text
        return "<td>HighErrorRate</td>" in text

    await eventually(is_listed, "the alert")
    other = await shown(running, "alerts/lag")
    assert "<td>HighErrorRate</td>" not in other
    assert "No entry of the runbook table does" in other


async def test_what_people_did_is_counted_by_step_and_revision(running):
    id_ = await send(running, alerts("cart-1"))
    async with tab(running, id_, "Ana") as ana:
        await ana.press(ana.button("☐"))
    await send(running, alerts("cart-1", status="resolved"))
    async with tab(running, id_, "Ana") as ana:
        await ana.press(re.search(r'value="(helped [^"]+)"', ana.text)[1])

    text = await shown(running, "alerts/high-error-rate")
    assert re.search(r"\(this one\): steps done 1, helped 1, did not help 0;", text)
    rows = re.findall(r"<tr><td>([^<]+)</td><td[^>]*>(\w+)<span", text.split("Use in the")[1])
    assert [done for _, done in rows] == ["1", "never", "never", "never"]
    assert rows[0][0].startswith("Look at the share")


async def test_nothing_in_a_runbook_is_active(running):
    for path in ("alerts/hostile", f"alerts/hostile?pod={quote(SCRIPT)}"):
        text = await shown(running, path)
        assert len(re.findall("<script", text)) == 1  # ours
        assert "<img" not in text
        assert 'href="javascript' not in text


async def test_the_runbook_is_shown_while_the_store_cannot_be_read(tmp_path, monkeypatch):
    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    config = write_config(tmp_path, [{"type": "console"}])
    async with in_process(config, read_runtime(config)) as router:
        url = "http://{}:{}/runbooks/alerts/high-error-rate".format(*router.addresses[0])
        assert "Nobody has ticked" in (await get(url))[1]
        monkeypatch.setattr(router.outbox, "usage", fail)
        status, text = await get(url)
    assert (status, "The store does not answer" in text) == (200, True)
    assert "kubectl -n" in text


async def test_the_usage_of_the_page_is_that_of_the_api(running):
    _, text = await get(f"{running.url}/api/v1/runbooks/alerts/lag/usage")
    assert json.loads(text)["counts"] == []
    assert "Nobody has ticked a step yet." in await shown(running, "alerts/lag")
