"""The Prefect UI's Resume form as a way to decide: the same check as every other. One question, from wrong to right."""

from typing import Any

import httpx
import pytest

from tests.stack.conftest import Site


@pytest.fixture(scope="module")
def asking(lasting_site: Site) -> Site:
    """A stack whose run waits at its gate."""
    lasting_site.break_shop()
    lasting_site.wait(lambda: _state(lasting_site) == "PAUSED")
    return lasting_site


def _run(site: Site) -> str:
    return site.wait_for("asked").run


def _resume(site: Site, **fields: Any) -> dict[str, Any]:
    """Press Resume, again where Prefect's database was locked."""
    where = f"{site.stack.prefect}/api/flow_runs/{_run(site)}/resume"
    body = {"run_input": fields} if fields else {}

    def press() -> httpx.Response | None:
        said = httpx.post(where, json=body, trust_env=False)
        return said if said.is_success else None

    return dict(site.wait(press).json())


def _state(site: Site) -> str:
    answer = httpx.get(f"{site.stack.prefect}/api/flow_runs/{_run(site)}", trust_env=False)
    return str(answer.raise_for_status().json()["state"]["type"])


def test_a_bare_resume_is_rejected_by_prefect_itself(asking: Site) -> None:
    """The form's fields are required: Resume without them leaves the run paused."""
    answer = _resume(asking)

    assert answer["status"] == "REJECT"
    assert _state(asking) == "PAUSED"


def test_resume_with_a_wrong_code_only_shows_the_question_again(asking: Site) -> None:
    """Whoever reaches Prefect's API can press Resume; without proof of identity nothing is decided."""
    answer = _resume(asking, decision="revert", who="ada", code="000000", reason="")
    assert answer["status"] == "ACCEPT", answer
    asking.wait_for("vote refused", "wrong or outdated code")
    asking.wait(lambda: _state(asking) == "PAUSED")

    assert asking.open()
    assert asking.world.state()["switches"]["mode"] == "maintenance"


def test_resume_with_a_right_code_decides(asking: Site) -> None:
    """Name, decision and one-time code in the form are a vote, and the run goes on."""
    code = asking.world.one_time_code("ada")
    answer = _resume(asking, decision="revert", who="ada", code=code, reason="from the UI")
    assert answer["status"] == "ACCEPT", answer

    ended = asking.wait_for("ended")

    assert ended.body["outcome"] == "recovered"
    voted = asking.wait_for("voted")
    assert (voted.actor, voted.body["how"]) == ("ada", "Prefect form")


def test_the_form_is_empty_of_codes_afterwards(asking: Site) -> None:
    """A one-time code that was typed into the form does not stay in Prefect's database."""
    where = f"{asking.stack.prefect}/api/flow_runs/{_run(asking)}/input/filter"
    wanted = {"prefix": "paused", "limit": 50, "exclude_keys": []}
    inputs = httpx.post(where, json=wanted, trust_env=False).raise_for_status().json()

    assert asking.wait_for("voted").body["how"] == "Prefect form"
    assert [one["key"] for one in inputs if one["key"].endswith("-response")] == []
