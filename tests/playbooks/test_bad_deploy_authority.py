"""What a level, a plan and a decision cover, and that nothing else is done."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from crisis.domain.change import Change
from crisis.domain.entry import canonical
from crisis.domain.plan import Choice, Plan
from crisis.errors import CrisisError, ProtocolError, UnauthorisedError
from crisis.journal.lease import Leases
from crisis.protocol_file import load_protocol
from tests.playbooks.conftest import Ground

Act = Callable[[str, str], Change]


@pytest.fixture
def touch() -> Iterator[Act]:
    """Make an action that needs a decision and does nothing, known for one test only."""
    from crisis.engine.action import ACTIONS, action  # noqa: PLC0415 - loads Prefect

    @action(kind="restore", needs=(), undo="none")
    def touch_release(service: str, commit: str) -> Change:
        return Change.done(service, f"touched {commit}")

    yield touch_release
    del ACTIONS["touch_release"]


@pytest.fixture
def fall_over() -> Iterator[Callable[[str], Change]]:
    """Make an action with a fault in it, known for one test only."""
    from crisis.engine.action import ACTIONS, action  # noqa: PLC0415 - loads Prefect

    @action(kind="contain", needs=(), undo="none")
    def fall_over(service: str) -> Change:
        return Change.done(service, f"{1 // 0}")

    yield fall_over
    del ACTIONS["fall_over"]


def authorise(*names: str) -> Callable[[dict[str, Any]], None]:
    """Let level 1 do these too."""
    return lambda protocol: protocol["levels"][1]["authorised"].extend(names)


def plan_for(act: Act, commit: str, *, gate: str = "touch") -> Plan:
    """Return a plan of one step."""
    from crisis.engine.action import step  # noqa: PLC0415 - loads Prefect

    touched = step(act, now="as it is", wanted="touched", service="shop", commit=commit)
    way = Choice(name="go", summary="Touch it.", steps=(touched,))
    return Plan(gate=gate, title="Touch the shop", choices=(way,), takes="1s", on_no="nothing")


def tell_nobody(who: str, title: str, page: str, question: int, mark: str, says: str) -> Change:
    """Leave it to the test to answer."""
    return Change.none(who, because=f"{title} {page} {question} {mark} {says}")


def test_a_minor_incident_cannot_freeze(calm: Ground) -> None:
    """At Defcon 3 the playbook stops at its first step, and the refusal names the level that would do."""
    error = calm.run(level=3)

    assert calm.world.state()["variables"] == {}
    assert calm.world.state()["switches"]["mode"] == "normal"
    assert calm.outcomes() == ["UnauthorisedError"]
    assert str(error) == (
        "freeze_deployments shop: wanted an authorised action, saw Defcon 3 (minor);"
        " Defcon 2 (degraded) would authorise it"
    )


def test_a_minor_incident_cannot_close_the_shop(calm: Ground) -> None:
    """Maintenance mode is for Defcon 1 alone."""

    def close_the_shop(service: str) -> None:
        from tasks.switch import start_maintenance  # noqa: PLC0415 - loads Prefect

        start_maintenance(service)

    error = calm.play_body(close_the_shop, level=3)

    assert calm.world.state()["switches"]["mode"] == "normal"
    assert isinstance(error, UnauthorisedError)
    assert error.then == "Defcon 1 (critical) would authorise it"


def test_a_refused_action_is_on_record(calm: Ground) -> None:
    """The journal says which action was refused and why, not only that the run ended."""
    calm.run(level=3)

    assert [entry.body["error_kind"] for entry in calm.of("freeze_deployments", "failed")] == ["UnauthorisedError"]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_level_may_call_for_help(calm: Ground, level: int) -> None:
    """A playbook that gives up tells people at any level; the protocol we ship does not forbid it."""
    protocol = load_protocol(calm.protocol_file)

    assert "call_for_help" in protocol.levels[level].authorised  # type: ignore[index]


def test_the_level_is_checked_when_an_action_runs(broken: Ground) -> None:
    """A decision does not lend the level an action it has not: the revert is refused although ada approved it."""
    head = broken.git("rev-parse", "main")
    broken.change(lambda protocol: protocol["levels"][1]["authorised"].remove("revert_release"))
    broken.answers("ada", "revert")

    error = broken.run()

    assert broken.git("rev-parse", "main") == head
    assert broken.world.state()["freeze"] == {"incident": broken.incident, "allow": []}
    assert [entry.body["outcome"] for entry in broken.entries("decided")] == ["approved"]
    assert isinstance(error, UnauthorisedError)
    assert error.then == "Defcon 2 (degraded) would authorise it"


def test_a_revert_without_a_decision_is_refused(broken: Ground) -> None:
    """A playbook that forgets its gate pushes nothing."""
    head = broken.git("rev-parse", "main")

    def forgetful(service: str) -> None:
        from tasks.revert import revert_release  # noqa: PLC0415 - loads Prefect

        revert_release(service, head, head, head)

    error = broken.play_body(forgetful)

    assert broken.git("rev-parse", "main") == head
    assert broken.of("revert_release", "intended", "done") == []
    assert isinstance(error, UnauthorisedError)
    assert error.wanted == "a decision that covers exactly this"


def test_a_decision_covers_one_target(calm: Ground, touch: Act) -> None:
    """Approved for one commit, the same action is refused for another."""
    calm.change(authorise("touch_release"))
    calm.answers("ada", "go")

    def greedy(service: str) -> None:
        from crisis.engine.gate import approve  # noqa: PLC0415 - loads Prefect

        approve(plan_for(touch, "aaa"), tell_nobody)
        touch(service, "aaa")
        touch(service, "bbb")

    error = calm.play_body(greedy)

    assert [entry.body["note"] for entry in calm.done("touch_release")] == ["touched aaa"]
    assert isinstance(error, UnauthorisedError)


def test_a_plan_that_was_tampered_with_has_no_decision(calm: Ground, touch: Act) -> None:
    """Who rewrites the journal between decision and action gets neither the action nor an intact chain."""
    calm.change(authorise("touch_release"))
    calm.answers("ada", "go")

    def attacked(service: str) -> None:
        from crisis.engine.gate import approve  # noqa: PLC0415 - loads Prefect

        approve(plan_for(touch, "aaa"), tell_nobody)
        rewrite_plan(calm, "aaa", "bbb")
        touch(service, "bbb")

    error = calm.play_body(attacked)

    assert calm.done("touch_release") == []
    assert isinstance(error, UnauthorisedError)
    assert [fault.says for fault in calm.journal.verify(calm.incident)] == ["entry 4 (asked) was changed"]


def rewrite_plan(ground: Ground, before: str, after: str) -> None:
    """Change the plan of the open question in the database itself, past its triggers."""
    asked = ground.entries("asked")[0]
    body = canonical(asked.body).replace(f'"{before}"', f'"{after}"')
    engine = create_engine(f"sqlite:///{ground.home / 'journal.db'}")
    with engine.begin() as connection:
        triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in triggers:
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        where = {"body": body, "incident": asked.incident, "seq": asked.seq}
        connection.execute(text("UPDATE entries SET body = :body WHERE incident = :incident AND seq = :seq"), where)
    engine.dispose()


def test_a_code_opens_one_gate(calm: Ground, touch: Act) -> None:
    """The code that approved one plan is refused at the next gate."""
    calm.change(authorise("touch_release"))
    code = calm.world.one_time_code("ada")
    calm.meanwhile(calm.question, lambda: calm.says("ada", "go", code))
    calm.meanwhile(lambda: calm.question(plan=2), lambda: (calm.says("ada", "go", code), calm.says("ben", "no")))

    def twice(service: str) -> None:
        from crisis.engine.gate import approve  # noqa: PLC0415 - loads Prefect

        approve(plan_for(touch, "aaa"), tell_nobody)
        approve(plan_for(touch, "bbb", gate="again"), tell_nobody)
        touch(service, "bbb")

    error = calm.play_body(twice)

    refused = [(entry.body["gate"], entry.body["because"]) for entry in calm.entries("vote refused")]
    assert refused == [("again", "this code was used already; wait for the next one")]
    assert [entry.body["by"] for entry in calm.entries("decided")] == [["ada"], ["ben"]]
    assert isinstance(error, CrisisError)


def test_who_starts_a_later_run_cannot_approve_it(calm: Ground, touch: Act) -> None:
    """An incident that an alert opened has no requester; a run that ada starts in it has one all the same."""
    calm.change(authorise("touch_release"))

    def earlier(service: str) -> None:
        """Open the incident."""

    def later(service: str) -> None:  # noqa: ARG001
        from crisis.engine.gate import approve  # noqa: PLC0415 - loads Prefect

        approve(plan_for(touch, "aaa"), tell_nobody)

    calm.play_body(earlier)
    calm.meanwhile(calm.question, lambda: calm.says("ada", "go"))
    calm.meanwhile(lambda: calm.entries("vote refused"), lambda: calm.says("ben", "no"))
    calm.play_body(later, requester="ada")

    assert [entry.body["by"] for entry in calm.entries("decided")] == [["ben"]]


def test_a_requester_nobody_knows_is_refused(calm: Ground) -> None:
    """Somebody without an entry cannot be told from those who decide: the run does not open."""
    error = calm.run(requester="Eve", level=3)

    assert isinstance(error, ProtocolError)
    assert "ada, ben, cleo, dan" in str(error)
    assert calm.entries() == []


@pytest.mark.parametrize("account", ["Ada Okafor", "ADA.OKAFOR", "ada@shop.example", "ada-admin", "+15005550101"])
def test_a_requester_is_the_human_behind_any_account(calm: Ground, touch: Act, account: str) -> None:
    """Who starts a run as her other account, or in another spelling, still cannot approve it."""
    calm.change(authorise("touch_release"))

    def own(service: str) -> None:  # noqa: ARG001
        from crisis.engine.gate import approve  # noqa: PLC0415 - loads Prefect

        approve(plan_for(touch, "aaa"), tell_nobody)

    calm.meanwhile(calm.question, lambda: calm.says("ada", "go"))
    calm.meanwhile(lambda: calm.entries("vote refused"), lambda: calm.says("ben", "no"))
    calm.play_body(own, requester=account)

    assert [entry.body["because"] for entry in calm.entries("vote refused")] == [
        "who started the run cannot approve it"
    ]
    assert [entry.body["by"] for entry in calm.entries("decided")] == [["ben"]]


def test_a_fault_in_a_playbook_ends_it(calm: Ground, fall_over: Callable[[str], Change]) -> None:
    """A fault would come again: the run ends as a fault, and nobody starts it over."""
    calm.change(authorise("fall_over"))

    def faulty(service: str) -> None:
        fall_over(service)

    with pytest.raises(ZeroDivisionError):
        calm.play_body(faulty)

    (ended,) = calm.entries("ended")
    leases = Leases(calm.journal.database, 6.0)
    assert ended.body["outcome"] == "fault"
    assert ended.body["says"] == "ZeroDivisionError in the playbook; its log has the traceback"
    assert leases.open() == []
    assert leases.take(ended.run, calm.incident, "faulty", "somebody", 1) is None


def test_a_fault_in_a_playbook_calls_people(calm: Ground, fall_over: Callable[[str], Change]) -> None:
    """Whatever ends a run without recovery, people are told that they must take over."""
    calm.change(authorise("fall_over", "call_for_help"))

    def faulty(service: str) -> None:
        fall_over(service)

    with pytest.raises(ZeroDivisionError):
        calm.play_body(faulty)

    assert len(calm.messages("+15005550101", calm.incident)) == 1
