"""Health and readiness: what monitoring is told is true, costs the store little, and says nothing to strangers."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from crisis.domain.clock import utc_now, write_time
from crisis.journal.inbox import Delivery
from crisis.receiver.context import Context
from crisis.receiver.health import Readiness
from tests.receiver.conftest import Browser, damage, served
from tests.receiver.test_metrics import label, scrape


def ready(browser: Browser) -> tuple[int, str, dict[str, Any]]:
    """Ask whether the receiver is ready: the status of the answer, the word, and each check."""
    answer = browser.send("GET", "/readyz")
    assert answer.headers["Content-Type"] == "application/health+json"
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.json()
    return answer.status_code, said["status"], {name: one for name, (one,) in said["checks"].items()}


def test_everything_well(browser: Browser, context: Context) -> None:
    """A receiver that can write, whose loops come round, passes; and the write is a real one."""
    status, word, checks = ready(browser)

    assert (status, word) == (200, "pass")
    assert set(checks) == {"journal:write", "inbox:oldest-new", "inbox:round", "prefect:answer"}
    assert {one["status"] for one in checks.values()} == {"pass"}
    assert not [one for one in checks.values() if "output" in one]
    beat = context.pulses.last("receiver")
    assert beat is not None
    assert utc_now() - beat < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("beats", "status", "word", "failing"),
    [
        ({"inbox": 0, "prefect": 0}, 200, "pass", {}),
        ({"inbox": 9, "prefect": 29}, 200, "pass", {}),
        ({"inbox": 11, "prefect": 0}, 503, "fail", {"inbox:round": "fail"}),
        ({"prefect": 0}, 503, "fail", {"inbox:round": "fail"}),
        ({"inbox": 0, "prefect": 31}, 200, "warn", {"prefect:answer": "warn"}),
        ({"inbox": 0}, 200, "warn", {"prefect:answer": "warn"}),
        ({}, 503, "fail", {"inbox:round": "fail", "prefect:answer": "warn"}),
    ],
)
def test_loops_that_stand_still(
    browser: Browser, context: Context, beats: dict[str, float], status: int, word: str, failing: dict[str, str]
) -> None:
    """Without the inbox's loop nothing starts: fail. Without Prefect alerts are kept all the same: warn."""
    context.beats.clear()
    context.beats.update({name: time.monotonic() - ago for name, ago in beats.items()})
    found, said, checks = ready(browser)

    assert (found, said) == (status, word)
    assert {name: one["status"] for name, one in checks.items() if one["status"] != "pass"} == failing
    assert all(checks[name]["output"] for name in failing)
    assert ("starting" in str(checks)) == (set(beats) != {"inbox", "prefect"})


@pytest.mark.parametrize("table", ["pulses", "heads", "inbox"])
def test_journal_that_cannot_be_used(
    browser: Browser, context: Context, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It fails, and the answer names neither the store nor where it is; the log does."""
    damage(context, f"ALTER TABLE {table} RENAME TO elsewhere")
    answer = browser.send("GET", "/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["journal:write"][0]["output"] == "it cannot be written; the log says why"
    assert not [word for word in ("sqlite", "journal.db", str(context.settings.home), "no such") if word in answer.text]
    assert "journal sqlite" in caplog.text


@pytest.mark.parametrize(("age", "word"), [(5, "pass"), (45, "warn")])
def test_delivery_that_lies_about(browser: Browser, context: Context, age: float, word: str) -> None:
    """A delivery that nobody has looked at for half a minute is a warning, with its age."""
    context.inbox.put_all([Delivery("d1", "alertmanager", write_time(utc_now() - timedelta(seconds=age)), b"{}")])
    status, said, checks = ready(browser)

    assert (status, said) == (200, word)
    assert checks["inbox:oldest-new"]["status"] == word
    assert age <= checks["inbox:oldest-new"]["observedValue"] < age + 20
    assert checks["inbox:oldest-new"]["observedUnit"] == "s"


def test_delivery_whose_time_is_damaged_is_a_warning(browser: Browser, context: Context) -> None:
    """One row that somebody changed makes neither this answer nor a scrape an error."""
    context.inbox.put("d1", "alertmanager", b"{}")
    with context.journal.database.writing() as connection:
        connection.exec_driver_sql("UPDATE inbox SET received = 'soon'")
    status, said, checks = ready(browser)

    assert (status, said) == (200, "warn")
    assert "damaged" in checks["inbox:oldest-new"]["output"]
    assert scrape(context)[label("crisis_inbox", state="new")] == 1


def test_one_look_serves_all_who_ask(context: Context) -> None:
    """However many ask, the store is written to once a second at most."""
    commits: list[object] = []
    event.listen(context.journal.database.engine, "commit", commits.append)

    async def crowd() -> set[int]:
        async with served(context) as client:
            at_once = await asyncio.gather(*(client.get("/readyz") for _ in range(50)))
            return {answer.status_code for answer in [*at_once, await client.get("/readyz")]}

    assert asyncio.run(crowd()) == {200}
    assert len(commits) == 1


def test_a_second_later_it_looks_again(context: Context) -> None:
    """What was seen is not told for ever."""
    now = [100.0]

    async def twice() -> list[str]:
        readiness, found = Readiness(context, clock=lambda: now[0]), []
        for later in (0.0, 0.5, 1.5):
            now[0] = 100.0 + later
            found.append((await readiness.checks())[0].status)
            if later == 0.0:
                damage(context, "ALTER TABLE pulses RENAME TO elsewhere")
        return found

    assert asyncio.run(twice()) == ["pass", "pass", "fail"]


@pytest.fixture
def hold(context: Context) -> Iterator[sqlite3.Connection]:
    """Keep the store locked by somebody else."""
    connection = sqlite3.connect(str(context.journal.database.url.database), check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def test_store_that_hangs_is_told_in_time(context: Context, hold: sqlite3.Connection) -> None:
    """Nobody waits longer than the bound, and however many ask, one thread alone hangs; then it passes again."""

    async def ask() -> tuple[list[str], int, str]:
        readiness, before = Readiness(context, patience=0.05), set(threading.enumerate())
        hanging = [await readiness.checks() for _ in range(5)]
        threads = len(set(threading.enumerate()) - before)
        hold.rollback()
        readiness.patience = 30
        return [one[0].output for one in hanging], threads, (await readiness.checks())[0].status

    outputs, threads, after = asyncio.run(ask())

    assert outputs == ["no answer within 0.05 s"] * 5
    assert threads == 1
    assert after == "pass"


def test_process_that_answers_is_healthy(browser: Browser, context: Context) -> None:
    """Liveness asks nobody: neither the store nor the loops."""
    context.beats.clear()
    damage(context, "DROP TABLE pulses")
    answer: httpx.Response = browser.send("GET", "/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "pass"})
    assert answer.headers["Content-Type"] == "application/health+json"
