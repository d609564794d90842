"""Reload: by signal, by request and by watching; a bad state keeps the old one and says why."""

import json
import signal
from pathlib import Path

import pytest

from tests.http import metric, post
from tests.programs import Recorder, body, eventually, recorder, router, write_config

pytestmark = pytest.mark.story

SUCCESSFUL = "alert_router_config_last_reload_successful"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def message(destination: Recorder, name: str) -> dict[str, object]:
    return await eventually(
        lambda: next((r.json for r in destination.requests if name in r.json["groupKey"]), None),
        f"the message of {name}",
    )


async def test_a_mended_runbook_is_used_without_any_reload_by_hand(tmp_path: Path) -> None:
    async with recorder() as destination:
        config = write_config(tmp_path, [{"type": "webhook", "url": destination.url}])
        async with router(config) as process:
            edit(
                tmp_path / "runbooks/alerts/high-error-rate.md",
                "delete pod $pod",
                "rollout restart deploy/api",
            )

            async def mended() -> bool:
                return "reloaded" in process.text()

            await eventually(mended, "the watch to notice")
            await post(f"{process.url}/webhook", body(namespace="prod"))
            text = json.dumps(await message(destination, "HighErrorRate"))
            assert "kubectl -n prod rollout restart deploy/api" in text


async def test_a_config_map_swap_is_noticed(tmp_path: Path) -> None:
    """A mounted ConfigMap: files are links to `..data/file`, and `..data` is swapped."""
    config = write_config(tmp_path, [{"type": "console"}])
    mount = tmp_path / "runbooks" / "mounted"
    (mount / "..v1").mkdir(parents=True)
    (mount / "..v1" / "one.md").write_text("# One\n")
    (mount / "..data").symlink_to("..v1")
    (mount / "one.md").symlink_to("..data/one.md")
    async with router(config) as process:
        assert await metric(process, "alert_router_runbooks_loaded") == 2
        (mount / "..v2").mkdir()
        (mount / "..v2" / "one.md").write_text("# One, mended\n")
        (mount / "..v2" / "two.md").write_text("# Two\n")
        (mount / "..new").symlink_to("..v2")
        (mount / "..new").replace(mount / "..data")
        (mount / "two.md").symlink_to("..data/two.md")

        async def three() -> bool:
            return await metric(process, "alert_router_runbooks_loaded") == 3

        await eventually(three, "the new runbook")


async def test_git_sync_s_first_and_later_checkouts_are_noticed(tmp_path: Path) -> None:
    """As the chart mounts it: `current` is missing at first, then a link that is swapped."""
    root = tmp_path / "git"
    root.mkdir()
    path = {"path": str(root / "current" / "docs" / "runbooks")}
    config = write_config(tmp_path, [{"type": "console"}], runbooks=path)
    (tmp_path / "routing.yaml").write_text("route: {receiver: oncall}")

    def check_out(commit: str, *names: str) -> None:
        runbooks = root / ".worktrees" / commit / "docs" / "runbooks"
        runbooks.mkdir(parents=True)
        for name in names:
            (runbooks / name).write_text("# Title\n")
        (root / "tmp-link").symlink_to(f".worktrees/{commit}")
        (root / "tmp-link").replace(root / "current")

    async with router(config) as process:

        async def loaded(count: int) -> bool:
            return await metric(process, "alert_router_runbooks_loaded") == count

        assert await loaded(0)
        check_out("a1", "one.md")
        await eventually(lambda: loaded(1), "the first checkout")
        check_out("b2", "one.md", "two.md", "three.md")
        await eventually(lambda: loaded(3), "the second checkout")


async def test_a_bad_state_keeps_the_old_one_and_says_why_everywhere(tmp_path: Path) -> None:
    async with recorder() as destination:
        config = write_config(tmp_path, [{"type": "webhook", "url": destination.url}])
        async with router(config) as process:
            routing = tmp_path / "routing.yaml"
            good = routing.read_text()
            routing.write_text(good.replace('"receiver": "oncall"', '"receiver": "nobody"'))
            status, answer = await post(f"{process.url}/-/reload")
            assert (status, answer["status"]) == (500, "kept the old configuration")
            (problem,) = answer["problems"]
            assert problem["file"].endswith("routing.yaml")
            assert "nobody" in problem["message"]
            assert "nobody" in process.text()
            assert await metric(process, SUCCESSFUL) == 0
            await post(f"{process.url}/webhook", body())
            await message(destination, "HighErrorRate")
            routing.write_text(good)
            status, answer = await post(f"{process.url}/-/reload", method="PUT")
            assert status == 200
            assert await metric(process, SUCCESSFUL) == 1


async def test_while_the_runbook_directory_is_gone_alerts_keep_their_runbooks(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:
        config = write_config(tmp_path, [{"type": "webhook", "url": destination.url}])
        async with router(config) as process:
            assert await metric(process, SUCCESSFUL) == 1
            (tmp_path / "runbooks").rename(tmp_path / "elsewhere")

            async def is_noticed() -> bool:
                return await metric(process, SUCCESSFUL) == 0

            await eventually(is_noticed, "the watch to notice")
            # The rest of the configuration goes on being read.
            edit(config, '"oncall"', '"pager"')
            edit(tmp_path / "routing.yaml", '"oncall"', '"pager"')
            status, answer = await post(f"{process.url}/-/reload")
            assert (status, answer["status"]) == (500, "reloaded, but kept the old runbooks")
            (problem,) = [it for it in answer["problems"] if it["severity"] == "error"]
            assert problem["file"] == str(tmp_path / "runbooks")
            assert '["pager"]' in process.text()
            assert await metric(process, "alert_router_runbooks_loaded") == 1
            await post(f"{process.url}/webhook", body(namespace="prod"))
            text = json.dumps(await message(destination, "HighErrorRate"))
            assert "kubectl -n prod delete pod" in text
            (tmp_path / "elsewhere").rename(tmp_path / "runbooks")

            async def is_back() -> bool:
                return await metric(process, SUCCESSFUL) == 1

            await eventually(is_back, "the watch to notice its return")


async def test_sighup_reloads_and_a_new_receiver_is_served(tmp_path: Path) -> None:
    async with recorder() as destination:
        config = write_config(tmp_path, [{"type": "console"}])
        async with router(config) as process:
            settings = json.loads(config.read_text())
            webhook = {"type": "webhook", "url": destination.url}
            settings["receivers"].append({"name": "second", "notifiers": [webhook]})
            config.write_text(json.dumps(settings))
            process.popen.send_signal(signal.SIGHUP)
            await eventually(lambda: '["oncall", "second"]' in process.text(), "the reload")
            await post(f"{process.url}/webhook/second", body())
            await message(destination, "HighErrorRate")


async def test_deliveries_of_a_receiver_that_went_wait_and_come_back_with_it(
    tmp_path: Path,
) -> None:
    async with recorder() as destination:
        webhook = {"type": "webhook", "url": "http://127.0.0.1:9/"}
        config = write_config(
            tmp_path, [webhook], delivery={"min_backoff": "100ms", "max_backoff": "100ms"}
        )
        async with router(config) as process:
            await post(f"{process.url}/webhook", body())
            settings = json.loads(config.read_text())
            settings["receivers"][0]["notifiers"] = [{"type": "console"}]
            config.write_text(json.dumps(settings))
            await post(f"{process.url}/-/reload")
            settings["receivers"][0]["notifiers"] = [webhook | {"url": destination.url}]
            config.write_text(json.dumps(settings))
            await post(f"{process.url}/-/reload")
            await message(destination, "HighErrorRate")


async def test_after_a_reload_the_new_runbook_directory_is_watched(tmp_path: Path) -> None:
    config = write_config(tmp_path, [{"type": "console"}])
    other = tmp_path / "other"
    other.mkdir()
    async with router(config) as process:
        settings = json.loads(config.read_text())
        settings["runbooks"] = {"path": "other"}
        config.write_text(json.dumps(settings))

        async def loaded(count: int) -> bool:
            return await metric(process, "alert_router_runbooks_loaded") == count

        await eventually(lambda: loaded(0), "the other directory")
        (other / "new.md").write_text("# New\n")
        await eventually(lambda: loaded(1), "the new runbook")
