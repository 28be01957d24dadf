"""A security breach that leaves something to people: what no list has, what crisis works with, a run tried again."""

import json

import pytest

from crisis.clients.aws.principals import CONTAINED
from crisis.domain.entry import Entry
from crisis.engine.closing import Claim, close_task
from crisis.errors import ProtocolError, UnprovenError
from tests.domain.planting import github, mixed
from tests.playbooks.test_security_breach import Company
from tests.playbooks.test_security_breach import company as _company
from tests.playbooks.test_security_breach import served as _served

company, served = _company, _served


@pytest.mark.parametrize("scope", ["principal", "everything"])
def test_what_leaked_and_is_in_no_list_keeps_the_run_open(
    company: Company, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody here can end it: it is a task, and the run does not end green while it is open."""
    monkeypatch.setattr("tasks.checklist._PATIENCE_SECONDS", 0.5)
    error = company.run(leaked=("AKIAQWERTYUIOPASDF23",), scope=scope)

    assert isinstance(error, UnprovenError)
    assert "AKIAQWERTYUIOPASDF23" in str(error)
    assert company.cloud.works(company.victim.keys[0]) == (scope == "principal")


def test_a_narrow_scope_without_a_leak_is_refused(company: Company) -> None:
    """It would end nothing, and look as if it had."""
    error = company.run(leaked=(), scope="reach")

    assert isinstance(error, ProtocolError)
    assert company.cloud.works(company.victim.keys[0])


@pytest.mark.parametrize("secret", [github("ghp_"), mixed(40)], ids=["a known look", "an unknown one"])
def test_a_secret_typed_as_a_name_goes_no_further(
    company: Company, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At three in the morning somebody pastes the token itself into the form: the journal has its fingerprint."""
    monkeypatch.setattr("tasks.checklist._PATIENCE_SECONDS", 0.5)
    company.run(leaked=(secret,))
    kept = json.dumps([entry.body for entry in company.ground.entries()])

    assert "hmac:" in kept
    assert secret not in kept


def test_tried_again_it_goes_on_and_replaces_nothing_once_more(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended because a task was open; once that is closed, Retry ends green, by looking, and with the same keys."""
    monkeypatch.setattr("tasks.checklist._PATIENCE_SECONDS", 0.5)
    unknown, ground = "AKIAQWERTYUIOPASDF23", company.ground
    first = company.run(leaked=(company.victim.keys[0][0], unknown))
    held = [company.cloud.held(name) for user in (company.victim, company.other) for name in user.secrets]
    asked = len(ground.entries("asked"))
    with ground.environment():
        from flows.security_breach import security_breach  # noqa: PLC0415 - loads Prefect
    claim = Claim("dan", "the owner of that account ended it", ground.world.one_time_code("dan"))
    with ground.environment():
        closed = close_task(ground.booth(), ground.incident, f"unlisted/{unknown}", claim)

    second = ground.retry(security_breach)

    assert isinstance(first, UnprovenError)
    assert isinstance(closed, Entry)
    assert second is None
    assert [company.cloud.held(name) for user in (company.victim, company.other) for name in user.secrets] == held
    assert len(ground.entries("asked")) == asked
    assert len(ground.done("contain_aws_principal")) == 1
    left = company.cloud.boto("iam").list_user_policies(UserName=company.victim.name)["PolicyNames"]
    assert CONTAINED not in left


def test_what_crisis_itself_works_with_and_leaked_becomes_a_task(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We cannot cut off the hand that holds the tool: a person does, and the run is not green before."""
    monkeypatch.setattr("tasks.checklist._PATIENCE_SECONDS", 0.5)
    error = company.run(leaked=(company.cloud.admin[0],))

    assert isinstance(error, UnprovenError)
    assert company.cloud.admin[0] in str(error)
    assert company.cloud.works(company.cloud.admin)
