"""`alert-router deliveries`, on a real store."""

import asyncio
import sqlite3
import time
import uuid
from pathlib import Path

import pytest

from alert_router.outbox.model import (
    Destination,
    NewGroup,
    Role,
    Settlement,
    Storage,
    Target,
    Verdict,
)
from alert_router.outbox.opening import migrate, open_outbox
from alert_router.outbox.sqlite import SqliteOutbox
from tests.cli.world import MAIN, alert, body
from tests.outbox.kit import group, put, take
from tests.postgres import server

SCREEN = Destination("pager", "screen")
WEBHOOK = Destination("pager", "webhook")
CONSOLE = Destination("oncall", "console")


async def fill(path: Path, *stories: tuple[Destination, Verdict | None, bytes]) -> None:
    """A group and a delivery for each, of a lane of its own unless identities are equal."""
    outbox = await open_outbox(Storage(path), Role.SERVICE)
    now = time.time() - 300
    for number, (destination, verdict, identity) in enumerate(stories):
        await outbox.accept(
            NewGroup(
                id=str(uuid.UUID(int=number)),
                identity=identity,
                content=b"%d" % number,
                body=body(alert(alertname=f"Alert{number}", note="\x1b]0;owned\x07")),
                targets=(Target(destination, (f"{number:016x}",)),),
                accepted_at=now,
            ),
            0.0,
        )
        if verdict is not None:
            [claim] = await take(outbox, destination, limit=1, now=now)
            settlement = Settlement(
                verdict,
                now + 1,
                due_at=now + 7500 if verdict is Verdict.RETRY else 0.0,  # in two hours
                reason="rejected",
                message="no such channel",
            )
            assert await outbox.settle(claim, settlement)
    await outbox.close()


@pytest.fixture
def store(router):
    path = router.directory / "store.db"

    def make(*stories):
        asyncio.run(fill(path, *stories))
        return path

    return make


def test_a_missing_store_is_an_error_and_is_not_created(router):
    result = router.run("deliveries", "list")

    assert result.exit_code == 1
    assert "there is no store at" in result.stderr
    assert not (router.directory / "store.db").exists()


def test_a_file_that_is_not_a_store_is_an_error(router):
    router.write("store.db", "this is not a database, and long enough to be read as one\n" * 99)

    result = router.run("deliveries", "list")

    assert result.exit_code == 1
    assert "cannot use the store" in result.stderr


def test_the_list_is_filtered_and_newest_first(router, store):
    store((SCREEN, Verdict.DEAD, b"a"), (CONSOLE, Verdict.DELIVERED, b"b"), (SCREEN, None, b"c"))

    def ids(*arguments):
        return [row["id"] for row in router.json("deliveries", "list", *arguments)["deliveries"]]

    assert ids() == [3, 2, 1]
    assert ids("--state", "dead") == [1]
    assert ids("--receiver", "pager") == [3, 1]
    assert ids("--notifier", "console") == [2]
    assert ids("--limit", "1") == [3]


def test_a_row_has_stable_keys(router, store):
    store((SCREEN, Verdict.DEAD, b"a"))

    [row] = router.json("deliveries", "list")["deliveries"]

    assert row.pop("accepted_at").endswith("Z")
    assert row.pop("settled_at").endswith("Z")
    assert row == {
        "id": 1,
        "group": "00000000-0000-0000-0000-000000000000",
        "receiver": "pager",
        "notifier": "screen",
        "state": "dead",
        "due_at": None,
        "attempts": 1,
        "reason": "rejected",
        "message": "no such channel",
        "fingerprints": ["0000000000000000"],
    }


def test_the_text_list_has_reason_and_age(router, store):
    store((SCREEN, Verdict.DEAD, b"a"))

    text = router.run("deliveries", "list").stdout

    assert "rejected: no such channel" in text
    assert "5m ago" in text


def test_the_text_list_says_when_a_waiting_delivery_is_tried_again(router, store):
    store((SCREEN, Verdict.RETRY, b"a"))

    text = router.run("deliveries", "list").stdout

    assert "rejected: no such channel; next attempt in 2h" in text


def test_an_empty_store_has_no_deliveries(router, store):
    store()

    assert router.run("deliveries", "list").stdout == "no deliveries\n"


def test_show_prints_the_row_and_the_body_without_control_characters(router, store):
    store((SCREEN, Verdict.DEAD, b"a"))

    result = router.run("deliveries", "show", "1")
    answer = router.json("deliveries", "show", "1")

    assert result.exit_code == 0
    assert '"alertname": "Alert0"' in result.stdout
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout
    assert answer["body"]["alerts"][0]["labels"]["note"] == "\x1b]0;owned\x07"
    assert router.run("deliveries", "show", "2").exit_code == 1


def test_a_dead_delivery_is_replayed_as_a_new_one(router, store):
    store((SCREEN, Verdict.DEAD, b"a"))

    answer = router.json("deliveries", "replay", "1")

    assert answer == {"deliveries": [{"id": 1, "replayed_as": 2}]}
    [newest, _] = router.json("deliveries", "list")["deliveries"]
    assert (newest["id"], newest["state"], newest["receiver"]) == (2, "waiting", "pager")


def test_replay_can_send_elsewhere(router, store):
    store((SCREEN, Verdict.DEAD, b"a"))

    assert router.run("deliveries", "replay", "1", "--to", "oncall/console").exit_code == 0

    newest = router.json("deliveries", "list")["deliveries"][0]
    assert (newest["receiver"], newest["notifier"]) == ("oncall", "console")


def test_replay_to_an_unknown_notifier_lists_the_configured_ones(router, store):
    store((SCREEN, Verdict.DEAD, b"a"))

    result = router.run("deliveries", "replay", "1", "--to", "oncall/slack")

    assert result.exit_code == 2
    assert "oncall/console, pager/screen, pager/webhook" in result.stderr


def test_replay_refuses_an_ambiguous_name_with_slashes(router, store):
    store((SCREEN, Verdict.DEAD, b"a"))
    config = router.directory / "alert-router.yaml"
    more = """\
  - {name: eu, notifiers: [{type: console, name: db/screen}]}
  - {name: eu/db, notifiers: [{type: console, name: screen}, {type: console, name: other}]}
"""
    config.write_text(config.read_text() + more)

    result = router.run("deliveries", "replay", "1", "--to", "eu/db/screen")

    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert "'db/screen' of receiver 'eu' or 'screen' of receiver 'eu/db'" in said
    assert router.run("deliveries", "replay", "1", "--to", "eu/db/other").exit_code == 0


def test_a_delivery_of_a_removed_notifier_is_replayed_only_elsewhere(router, store):
    store((Destination("gone", "slack"), Verdict.DEAD, b"a"))

    refused = router.run("deliveries", "replay", "--all-dead")

    assert refused.exit_code == 1
    assert "gone/slack is not configured; choose another notifier with --to" in refused.stderr
    assert router.run("deliveries", "replay", "1", "--to", "pager/screen").exit_code == 0


def test_all_dead_deliveries_of_one_group_are_replayed(router, store):
    store((SCREEN, Verdict.DEAD, b"a"), (SCREEN, Verdict.DEAD, b"a"))

    assert router.run("deliveries", "replay", "--all-dead").stdout.endswith(
        "2 replayed, 0 failed\n"
    )
    assert router.run("deliveries", "replay", "--all-dead").stdout == "0 replayed, 0 failed\n"


def test_replaying_an_outdated_notification_requires_force(router, store):
    store((SCREEN, Verdict.DEAD, b"a"), (SCREEN, Verdict.DELIVERED, b"a"))

    refused = router.run("deliveries", "replay", "1")
    assert refused.exit_code == 1
    assert "error: 1: " in refused.stderr

    assert router.run("deliveries", "replay", "1", "--force").exit_code == 0


def test_all_dead_deliveries_are_replayed_oldest_first(router, store):
    store((SCREEN, Verdict.DEAD, b"a"), (WEBHOOK, None, b"b"), (CONSOLE, Verdict.DEAD, b"c"))

    answer = router.json("deliveries", "replay", "--all-dead")

    assert [row["id"] for row in answer["deliveries"]] == [1, 3]


def test_one_failed_replay_does_not_stop_the_others(router, store):
    store((SCREEN, Verdict.DEAD, b"a"))

    answer = router.json("deliveries", "replay", "99", "1", exit_code=1)

    assert answer["deliveries"] == [
        {"id": 99, "error": "there is no delivery 99"},
        {"id": 1, "replayed_as": 2},
    ]


def test_discard_requires_yes_without_a_terminal(router, store):
    store((SCREEN, Verdict.DEAD, b"a"))

    assert router.run("deliveries", "discard", "1").exit_code == 2
    assert len(router.json("deliveries", "list", "--state", "dead")["deliveries"]) == 1

    assert router.json("deliveries", "discard", "1", "--yes") == {
        "deliveries": [{"id": 1, "discarded": True}]
    }
    assert router.json("deliveries", "discard", "1", "--yes", exit_code=1)["deliveries"][0]["error"]


def test_the_commands_work_beside_a_running_router(router, store):
    path = store((SCREEN, Verdict.DEAD, b"a"))
    service = SqliteOutbox.open(path)
    try:
        assert router.run("deliveries", "replay", "1").exit_code == 0
    finally:
        asyncio.run(service.close())

    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    "arguments", [["replay"], ["replay", "1", "--all-dead"], ["replay", "x"], ["discard"], ["show"]]
)
def test_invalid_arguments_are_a_usage_error(router, arguments):
    assert router.run("deliveries", *arguments).exit_code == 2


@pytest.fixture
def spooling(router) -> str:
    """The configuration's database cannot be reached; one delivery is in the spool. Its URL."""

    async def fill() -> None:
        spool = await open_outbox(Storage(router.directory / "spool.db"), Role.SERVICE)
        await put(spool, group("one"))
        await spool.close()

    asyncio.run(fill())
    use_database(router, "postgresql://alert@127.0.0.1:1/alerts")
    return f"sqlite:///{router.directory / 'spool.db'}"


def use_database(router, url: str) -> None:
    router.write("alert-router.yaml", MAIN.replace("sqlite:///store.db", f"{url}?spool=spool.db"))


def test_every_command_works_on_a_spool(router, spooling):
    [row] = router.json("deliveries", "list", "--storage", spooling)["deliveries"]
    assert (row["group"], row["state"]) == ("one", "waiting")
    assert router.json("deliveries", "show", 1, "--storage", spooling)["group"] == "one"
    refused = router.run("deliveries", "replay", 1, "--storage", spooling, "--force")
    assert "still pending" in refused.stderr
    done = router.json("deliveries", "discard", 1, "--yes", "--storage", spooling)
    assert done == {"deliveries": [{"id": 1, "discarded": True}]}
    assert router.json("deliveries", "list", "--storage", spooling)["deliveries"] == []


def test_without_the_database_the_error_says_how_to_read_the_spool(router, spooling):
    result = router.run("deliveries", "list")
    assert result.exit_code == 1
    assert f"add --storage {spooling}" in result.stderr.replace("\n", " ")


def test_a_storage_that_is_no_url_is_refused(router):
    result = router.run("deliveries", "list", "--storage", "spool.db")
    assert result.exit_code == 2
    assert "sqlite:///FILE" in result.stderr


async def test_beside_a_database_the_list_says_what_is_in_the_spool(router, spooling, tmp_path):
    url = await server().database(tmp_path)
    await migrate(Storage(tmp_path / "unused", url=url))
    use_database(router, url)
    result = await asyncio.to_thread(router.run, "deliveries", "list")
    assert result.exit_code == 0
    assert f"1 more in the spool of this router: add --storage {spooling}" in (
        result.stderr.replace("\n", " ")
    )
