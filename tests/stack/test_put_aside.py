"""A gate that may wait for days: its run is put aside without a process, and comes back after anything."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from crisis.engine.run import PARKED
from tests.stack.conftest import Site


@pytest.fixture
def edit() -> Callable[[dict[str, Any]], None]:
    """Wait for two days, and hold a process for half a second of them."""

    def patient(protocol: dict[str, Any]) -> None:
        rule = {"ask": "decision maker", "deputy_after": "1h", "remind_every": "1h", "wait": "2d", "hold": "500ms"}
        protocol["gates"]["restore"] = rule

    return patient


@pytest.fixture
def embedded(request: pytest.FixtureRequest) -> bool:
    """One of these kills Prefect with all the rest."""
    return request.function is test_everything_restarted_it_still_waits_and_goes_on


def _aside(site: Site) -> str:
    """Break the shop and wait until the run is put aside; return the run."""
    site.break_shop()
    run = site.wait_for("put aside", seconds=90).run
    site.wait(lambda: (lease := site.leases.find(run)) is not None and lease.ended == PARKED)
    return run


def _state(site: Site, run: str) -> dict[str, Any]:
    found = httpx.get(f"{site.stack.prefect}/api/flow_runs/{run}", trust_env=False).json()["state"]
    assert isinstance(found, dict)
    return found


def test_an_answer_brings_a_run_back(site: Site) -> None:
    """While people think nothing runs; their answer starts the run again, and it goes on."""
    run = _aside(site)
    site.wait(lambda: _state(site, run)["name"] == "Put aside")
    assert [entry.kind for entry in site.journal.entries(site.incident())].count("started") == 1
    site.decide()

    ended = site.wait_for("ended")

    assert ended.body["outcome"] == "recovered"
    entries = site.journal.entries(ended.incident)
    assert [entry.kind for entry in entries].count("asked") == 1
    assert [entry.kind for entry in entries].count("started") == 2
    site.wait(lambda: _state(site, run)["type"] == "COMPLETED")


def test_everything_restarted_it_still_waits_and_goes_on(site: Site) -> None:
    """Receiver, responder and Prefect killed while a run is put aside: the question stands, and its answer counts."""
    run = _aside(site)
    site.stack.kill()
    site.stack.start()
    site.stack.wait()
    time.sleep(1.5)
    assert [entry.kind for entry in site.journal.entries(site.incident())].count("started") == 1
    site.decide()

    ended = site.wait_for("ended")

    assert (ended.body["outcome"], ended.run) == ("recovered", run)
    assert list(site.journal.verify(ended.incident)) == []


def test_resume_in_prefect_shows_the_question_again(site: Site) -> None:
    """Resume by anyone with API access proves nothing: the run looks, asks again, and is put aside again."""
    run = _aside(site)
    site.wait(lambda: _state(site, run)["name"] == "Put aside")
    guess = {"run_input": {"decision": "revert", "who": "ada", "code": "000000", "reason": ""}}
    where = f"{site.stack.prefect}/api/flow_runs/{run}/resume"

    def press() -> httpx.Response | None:  # again where Prefect's database was locked
        said = httpx.post(where, json=guess, trust_env=False)
        return said if said.is_success else None

    answer = site.wait(press)
    assert answer.json()["status"] == "ACCEPT", answer.text
    site.wait_for("started", "'start': 2")
    site.wait(lambda: [one.kind for one in site.journal.entries(site.incident())].count("put aside") == 2 or None)

    assert site.open()
    assert site.world.state()["switches"]["mode"] == "maintenance"
    kinds = [entry.kind for entry in site.journal.entries(site.incident())]
    assert (kinds.count("asked"), kinds.count("vote refused"), kinds.count("decided")) == (1, 1, 0)
