"""A run whose process dies, freezes or is cancelled, in a stack that stays up."""

import os
import signal

import httpx
import pytest

from crisis.drill.people import answer_page
from tests.stack.conftest import Site


@pytest.fixture
def embedded(request: pytest.FixtureRequest) -> bool:
    """One of these kills Prefect with all the rest."""
    return request.function is test_a_fresh_stack_goes_on_where_the_killed_one_was


def _driver(site: Site) -> int:
    run = site.wait_for("started").run
    lease = site.leases.find(run)
    assert lease is not None
    return lease.pid


def test_a_killed_run_starts_again_and_finishes(site: Site) -> None:
    """Its process killed with -9 while it waits for a decision, the run goes on from the journal."""
    site.break_shop()
    site.wait_for("asked")
    os.kill(_driver(site), signal.SIGKILL)
    site.wait_for("started", "'start': 2")
    site.decide()

    ended = site.wait_for("ended")

    assert ended.body["outcome"] == "recovered"
    kinds = [entry.kind for entry in site.journal.entries(ended.incident)]
    assert kinds.count("asked") == 1
    assert list(site.journal.verify(ended.incident)) == []


def test_a_frozen_run_is_replaced_before_it_acts_again(site: Site) -> None:
    """A stopped process loses its lease within seconds, is killed, and another one goes on."""
    site.break_shop()
    site.wait_for("asked")
    frozen = _driver(site)
    os.kill(frozen, signal.SIGSTOP)
    site.wait_for("started", "'start': 2", seconds=20)
    site.decide()

    ended = site.wait_for("ended")

    assert ended.body["outcome"] == "recovered"
    assert _driver(site) != frozen
    assert not os.path.exists(f"/proc/{frozen}")  # noqa: PTH110 - a process, not a file


def test_a_cancelled_run_stops_and_says_so(site: Site) -> None:
    """Cancel in the Prefect UI ends the process; what is in force stays in force and on record."""
    site.break_shop()
    run = site.wait_for("asked").run
    site.wait(lambda: _state(site, run) == "PAUSED")
    cancelling = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": True}
    httpx.post(f"{site.stack.prefect}/api/flow_runs/{run}/set_state", json=cancelling, trust_env=False)

    ended = site.wait_for("ended", seconds=20)

    assert ended.body["outcome"] == "cancelled"
    assert site.world.state()["switches"]["mode"] == "maintenance"
    site.wait(lambda: _state(site, run) == "CANCELLED")


def test_a_fresh_stack_goes_on_where_the_killed_one_was(site: Site) -> None:
    """Receiver, responder, Prefect and the run killed at once: the next `crisis up` finishes the incident."""
    site.break_shop()
    site.wait_for("asked")
    site.stack.kill()
    site.stack.start()
    site.stack.wait()
    site.wait_for("started", "'start': 2")
    site.decide()

    ended = site.wait_for("ended")

    assert ended.body["outcome"] == "recovered"
    site.wait(lambda: _state(site, ended.run) == "COMPLETED")


def _state(site: Site, run: str) -> str:
    answer = httpx.get(f"{site.stack.prefect}/api/flow_runs/{run}", trust_env=False)
    return str(answer.json()["state"]["type"])


def test_a_retry_in_prefect_asks_again_after_a_no(site: Site) -> None:
    """A run that ended on a no starts again under the same flow run, and the question is put anew."""
    site.break_shop()
    asked = site.wait_for("asked")
    page = f"{site.stack.receiver}/decide/{asked.incident}/{asked.run}/revert"
    answer_page(page, "ben", "no", lambda: site.world.one_time_code("ben"), reads=0, reason="let me look first")
    site.wait_for("ended", "DeclinedError")
    site.wait(lambda: _state(site, asked.run) == "FAILED")
    retry = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
    httpx.post(f"{site.stack.prefect}/api/flow_runs/{asked.run}/set_state", json=retry, trust_env=False)
    site.wait_for("started", "'start': 2")
    site.wait(site.open)
    site.wait(lambda: len([1 for one in site.world.state()["messages"] if "Please decide" in one["body"]]) >= 4)
    answer_page(page, "ada", "revert", lambda: site.world.one_time_code("ada"), reads=0, reason="now")

    ended = site.wait_for("ended", "recovered")

    assert ended.run == asked.run
    told = [one for one in site.world.state()["messages"] if "Please decide" in one["body"]]
    assert sorted(one["to"] for one in told) == ["+15005550101", "+15005550101", "+15005550102", "+15005550102"]
    assert site.world.state()["switches"]["mode"] == "normal"


def test_a_suspended_run_stops_and_resumes(site: Site) -> None:
    """Suspend in Prefect stops the process; Resume there starts it again, and it asks nobody twice."""
    site.break_shop()
    run = site.wait_for("asked").run
    site.wait(lambda: _state(site, run) == "PAUSED")
    where = f"{site.stack.prefect}/api/flow_runs/{run}/set_state"
    httpx.post(where, json={"state": {"type": "PAUSED", "name": "Suspended"}, "force": True}, trust_env=False)
    site.wait_for("ended", "suspended")
    httpx.post(where, json={"state": {"type": "SCHEDULED", "name": "Resuming"}, "force": True}, trust_env=False)
    site.wait_for("started", "'start': 2")
    site.decide()

    site.wait_for("ended", "recovered")

    assert [entry.kind for entry in site.journal.entries(site.incident())].count("asked") == 1
