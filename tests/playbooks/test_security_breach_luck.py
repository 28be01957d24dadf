"""A breach with bad luck: runs that end too early, an intruder at work meanwhile, and what nobody expects to leak."""

from typing import Any

import pytest

from crisis.clients import aws
from crisis.clients.aws import baseline
from crisis.clients.aws.principals import CONTAINED
from crisis.domain.checklist import open_tasks
from crisis.domain.plan import Plan
from crisis.errors import UnprovenError
from tests.aws.account import Death
from tests.playbooks.test_security_breach import Company
from tests.playbooks.test_security_breach import company as _company
from tests.playbooks.test_security_breach import served as _served

company, served = _company, _served


def denied(company: Company) -> bool:
    """Whether the holder of the leaked key is still stopped."""
    found = company.cloud.boto("iam").list_user_policies(UserName=company.victim.name)["PolicyNames"]
    return CONTAINED in found


@pytest.mark.parametrize("luck", ["ended", "killed"])
def test_whom_an_earlier_run_stopped_is_given_back(
    company: Company, luck: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended unproved, or died before it could say that the deny stands: the next run finds it, and lifts it."""
    from tasks import contain, contain_aws, evidence  # noqa: PLC0415 - loads Prefect

    names, deny = (company.victim.keys[0][0],), contain_aws._deny_until_it_stays

    def deny_and_die(*about: Any) -> int:
        monkeypatch.setattr(contain_aws, "_deny_until_it_stays", deny)
        times = deny(*about)
        if luck == "killed":
            raise Death
        return times

    def stop(service: str) -> list[contain.Contained]:
        return contain.contain_leaked(
            evidence.read_evidence(evidence.snapshot_leaked(service, names)), names, "principal"
        )

    def stop_and_end(service: str) -> None:
        stop(service)
        raise UnprovenError("something", wanted="proof", saw="none")

    def stop_and_lift(service: str) -> None:
        contain.lift_containment(stop(service))

    monkeypatch.setattr(contain_aws, "_deny_until_it_stays", deny_and_die)
    try:
        company.ground.play_body(stop_and_end)
    except Death:
        assert luck == "killed"
    between = denied(company)
    error = company.ground.play_body(stop_and_lift)

    assert between
    assert error is None
    assert not denied(company)
    assert not company.cloud.works(company.victim.keys[0])


def test_an_intruder_at_work_meanwhile_is_ended_too(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key made while people are asked, one switched on again, our own, a session: each ends or is a task."""
    monkeypatch.setattr("tasks.checklist._PATIENCE_SECONDS", 0.5)
    with company.ground.environment():
        from flows import security_breach as flow  # noqa: PLC0415 - loads Prefect
        from tasks.hole import plan_hole  # noqa: PLC0415
        from tasks.kill import plan_kill  # noqa: PLC0415

    ground, iam, sleeper = company.ground, company.cloud.boto("iam"), company.cloud.user()
    about, made = {"UserName": sleeper.name, "AccessKeyId": sleeper.keys[0][0]}, list[tuple[str, str]]()
    iam.update_access_key(**about, Status="Inactive")
    with aws.connect(company.cloud.system()) as account:
        baseline.write(account, baseline.file_of(ground.home, "cloud"))

    def plan_and_mint(*given: Any) -> Plan:
        plan = plan_kill(*given)
        if not made:
            key = iam.create_access_key(UserName=company.other.name)["AccessKey"]
            made.append((key["AccessKeyId"], key["SecretAccessKey"]))
        return plan

    def wake_and_plan(service: str) -> Plan:
        iam.update_access_key(**about, Status="Active")
        return plan_hole(service)

    def present() -> None:
        while not ground.of("find_stragglers", "seen") and not ground.over.wait(0.05):
            company.cloud.works(company.other.keys[0])

    monkeypatch.setattr(flow, "plan_kill", plan_and_mint)
    monkeypatch.setattr(flow, "plan_hole", wake_and_plan)
    ground.meanwhile(lambda: len(ground.entries("asked")) > 1, present)
    ours, session = company.cloud.admin[0], "ASIAQWERTYUIOPASDF23"
    error = company.run(leaked=(company.victim.keys[0][0], ours, session))

    assert isinstance(error, UnprovenError)
    tasks = {task.name: task.how for task in open_tasks(ground.entries())}
    assert set(tasks) == {f"cloud/{ours}", f"unlisted/{session}", f"cloud/changed: keys.{about['AccessKeyId']}.active"}
    assert "replace it by hand" in tasks[f"cloud/{ours}"]
    assert "CloudTrail says by this id whose" in tasks[f"unlisted/{session}"]
    assert [company.cloud.works(key) for key in (*made, *sleeper.keys, company.cloud.admin)] == [False, False, True]
    line = ground.of("find_stragglers", "seen")[0].body["says"]
    assert f"{company.other.name}/{company.other.keys[0][0]} was presented at" in line


def test_killed_after_the_second_rotation_it_takes_its_own_keys_for_nobody_elses(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was made after the hunt was in no hunt: the run goes on with what it found then, and ends green."""
    from flows import security_breach as flow  # noqa: PLC0415 - loads Prefect
    from tasks.prove import prove_dead  # noqa: PLC0415

    times = list[int]()

    def prove_or_die(*about: Any) -> None:
        times.append(1)
        if len(times) == 2:
            raise Death
        prove_dead(*about)

    monkeypatch.setattr(flow, "prove_dead", prove_or_die)
    with pytest.raises(Death):
        company.run()
    rotated = len(company.ground.done("rotate_aws_keys"))
    error = company.ground.retry(flow.security_breach)

    assert error is None
    assert rotated == len(company.ground.done("rotate_aws_keys")) == 2
    assert len(company.ground.done("hunt")) == 1
    held = [company.cloud.held(name) for user in (company.victim, company.other) for name in user.secrets]
    assert all(key is not None and company.cloud.works(key) for key in held)
