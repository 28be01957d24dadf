"""The Prefect UI's Resume form as a way to decide: the same check as every other."""

from typing import Any

import httpx

from tests.stack.conftest import Site


def _resume(site: Site, run: str, **fields: Any) -> dict[str, Any]:
    body = {"run_input": fields}
    answer = httpx.post(f"{site.stack.prefect}/api/flow_runs/{run}/resume", json=body, trust_env=False)
    return dict(answer.json())


def _state(site: Site, run: str) -> str:
    answer = httpx.get(f"{site.stack.prefect}/api/flow_runs/{run}", trust_env=False)
    return str(answer.json()["state"]["type"])


def test_resume_with_a_right_code_decides(site: Site) -> None:
    """Name, decision and one-time code in the form are a vote, and the run goes on."""
    site.break_shop()
    run = site.wait_for("asked").run
    site.wait(lambda: _state(site, run) == "PAUSED")
    _resume(site, run, decision="revert", who="ada", code=site.world.one_time_code("ada"), reason="from the UI")

    ended = site.wait_for("ended")

    assert ended.body["outcome"] == "recovered"
    voted = site.wait_for("voted")
    assert (voted.actor, voted.body["how"]) == ("ada", "Prefect form")


def test_resume_with_a_wrong_code_only_shows_the_question_again(site: Site) -> None:
    """Whoever reaches Prefect's API can press Resume; without proof of identity nothing is decided."""
    site.break_shop()
    run = site.wait_for("asked").run
    site.wait(lambda: _state(site, run) == "PAUSED")
    _resume(site, run, decision="revert", who="ada", code="000000", reason="")
    site.wait_for("vote refused", "wrong or outdated code")
    site.wait(lambda: _state(site, run) == "PAUSED")

    assert site.open()
    assert site.world.state()["switches"]["mode"] == "maintenance"


def test_the_form_is_empty_of_codes_afterwards(site: Site) -> None:
    """A one-time code that was typed into the form does not stay in Prefect's database."""
    site.break_shop()
    run = site.wait_for("asked").run
    site.wait(lambda: _state(site, run) == "PAUSED")
    _resume(site, run, decision="revert", who="ada", code=site.world.one_time_code("ada"), reason="")
    site.wait_for("decided")
    where = f"{site.stack.prefect}/api/flow_runs/{run}/input/filter"

    def left() -> list[str]:
        wanted = {"prefix": "paused", "limit": 50, "exclude_keys": []}
        inputs = httpx.post(where, json=wanted, trust_env=False).raise_for_status().json()
        return [one["key"] for one in inputs if one["key"].endswith("-response")]

    site.wait(lambda: left() == [], seconds=10)


def test_a_bare_resume_is_rejected_by_prefect_itself(site: Site) -> None:
    """The form's fields are required: Resume without them leaves the run paused."""
    site.break_shop()
    run = site.wait_for("asked").run
    site.wait(lambda: _state(site, run) == "PAUSED")

    answer = httpx.post(f"{site.stack.prefect}/api/flow_runs/{run}/resume", json={}, trust_env=False).json()

    assert answer["status"] == "REJECT"
    assert _state(site, run) == "PAUSED"
