"""Bad luck on the way back: vendors that fail, lie or lose their answers. Each run ends in a stated outcome."""

from collections import Counter
from collections.abc import Iterator

import pytest

from crisis.errors import TransientError, UnprovenError
from tests.playbooks.conftest import Ground, Nursery, Stage, broken_ground

ADA, BEN, DAN = "+15005550101", "+15005550102", "+15005550104"
NOT_HEALTHY = "shop is NOT proved healthy and needs you"


@pytest.fixture(scope="module")
def no_origin(nursery: Nursery, stage: Stage) -> Iterator[tuple[Ground, object]]:
    """Run without the git origin; return the error it ended with, too."""
    with broken_ground(nursery, stage) as ground:
        ground.world.fault("git_down")
        error = ground.run()
        yield ground, error


def test_an_origin_that_stays_away_ends_the_run(no_origin: tuple[Ground, object]) -> None:
    """Without the code there is no plan: the run ends as a transient error, with users still protected."""
    ground, error = no_origin
    state = ground.world.state()

    assert state["switches"]["mode"] == "maintenance"
    assert state["freeze"] == {"incident": ground.incident, "allow": []}
    assert ground.outcomes() == ["TransientError"]
    assert [entry.body["ok"] for entry in ground.of("plan_revert", "seen")] == [False]
    assert isinstance(error, TransientError)


def test_an_origin_that_stays_away_calls_people(no_origin: tuple[Ground, object]) -> None:
    """Decision makers and stakeholders are told that a human must take over, and what is in force."""
    ground, _ = no_origin

    for number in (ADA, BEN, DAN):
        assert len(ground.messages(number, NOT_HEALTHY)) == 1
    assert "In force: freeze_deployments, start_maintenance" in ground.messages(ADA, NOT_HEALTHY)[0]
    assert len(ground.done("call_for_help")) == 1


def test_people_are_called_again_to_take_over(no_origin: tuple[Ground, object]) -> None:
    """The call of the beginning does not stand for the call that asks for help."""
    ground, _ = no_origin
    calls = Counter(call["to"] for call in ground.world.state()["calls"])

    assert calls == {ADA: 2, DAN: 2}


def test_a_short_outage_of_the_origin_is_waited_out(broken: Ground) -> None:
    """An origin that is back after a second costs that second and nothing else."""
    broken.world.fault("git_down")
    broken.meanwhile(lambda: _closed_for(broken, 1.5), lambda: broken.world.fault("git_down", False))
    broken.answers("ada", "revert")

    error = broken.run()

    assert broken.world.state()["switches"]["mode"] == "normal"
    assert broken.outcomes() == ["recovered"]
    assert broken.of("plan_revert", "seen")[0].body["seconds"] > 0.5
    assert error is None


def _closed_for(ground: Ground, seconds: float) -> bool:
    state = ground.world.state()
    seen = state["prober"]["maintenance_seen"]
    return bool(seen) and state["unix"] - seen[0]["unix"] > seconds


@pytest.fixture(scope="module")
def ill(nursery: Nursery, stage: Stage) -> Iterator[tuple[Ground, object]]:
    """Run where the checkout still fails after the revert; return the error it ended with, too."""
    with broken_ground(nursery, stage) as ground:
        ground.world.fault("never_healthy")
        ground.answers("ada", "revert")
        error = ground.run()
        yield ground, error


def test_a_shop_that_stays_ill_is_never_called_recovered(ill: tuple[Ground, object]) -> None:
    """When the good release is back and the journeys still fail, users stay protected."""
    ground, error = ill

    assert ground.world.state()["switches"]["mode"] == "maintenance"
    assert ground.outcomes() == ["UnprovenError"]
    assert len(ground.done("revert_release")) == 1
    assert isinstance(error, UnprovenError)
    assert error.target == "shop health"


def test_a_shop_that_stays_ill_calls_people(ill: tuple[Ground, object]) -> None:
    """Decision makers are told what failed, once."""
    ground, error = ill

    assert len(ground.messages(BEN, f"{NOT_HEALTHY}. {error}")) == 1


def test_a_lying_pipeline_is_caught(broken: Ground) -> None:
    """Production's own word counts: the error names what it serves, and what the pipeline says."""
    bad = broken.world.state()["serving"]
    broken.change(lambda protocol: protocol["services"]["shop"]["verify"].update(give_up_after="4s"))
    broken.world.fault("lying_deployer")
    broken.answers("ada", "revert")

    error = broken.run()

    assert broken.world.state()["serving"] == bad
    assert broken.world.state()["switches"]["mode"] == "maintenance"
    assert broken.outcomes() == ["UnprovenError"]
    assert isinstance(error, UnprovenError)
    assert error.saw == bad[:10]
    assert error.then.endswith("(it says success)")


@pytest.fixture(scope="module")
def stuck(nursery: Nursery, stage: Stage) -> Iterator[tuple[Ground, str, object]]:
    """Run where the maintenance page never appears; return the head before it and the error it ended with, too."""
    with broken_ground(nursery, stage) as ground:
        head = ground.git("rev-parse", "main")
        ground.change(lambda protocol: protocol["services"]["shop"]["verify"].update(give_up_after="1s"))
        ground.world.fault("stuck_switch")
        error = ground.run()
        yield ground, head, error


def test_a_stuck_switch_stops_the_run(stuck: tuple[Ground, str, object]) -> None:
    """A maintenance page that does not appear is said aloud: nothing is asked or pushed behind users' backs."""
    ground, head, error = stuck

    assert ground.git("rev-parse", "main") == head
    assert ground.world.state()["freeze"] == {"incident": ground.incident, "allow": []}
    assert ground.outcomes() == ["UnprovenError"]
    assert ground.entries("asked") == []
    assert str(error) == "shop front page: wanted the maintenance page, saw status 200; switch to maintenance by hand"


def test_a_stuck_switch_calls_people(stuck: tuple[Ground, str, object]) -> None:
    """Somebody has to switch by hand, and is told so; what did not come into force is not said to be."""
    ground, _, _ = stuck

    (message,) = ground.messages(ADA, "switch to maintenance by hand")
    assert message.partition(" http")[0].endswith("In force: freeze_deployments.")


@pytest.fixture(scope="module")
def bad_day(nursery: Nursery, stage: Stage) -> Iterator[Ground]:
    """Run while every vendor answers its first two requests with an error."""
    with broken_ground(nursery, stage) as ground:
        twice, twice_each = {"times": 2, "status": 500}, {"times": 4, "status": 500}  # two people are told
        ground.world.fault("vendor_errors", {"github": twice, "switchboard": twice, "twilio": twice_each})
        ground.answers("ada", "revert")
        assert ground.run() is None
        yield ground


@pytest.mark.parametrize("action", ["freeze_deployments", "start_maintenance", "notify_stakeholders"])
def test_a_vendors_errors_are_waited_out(bad_day: Ground, action: str) -> None:
    """GitHub, switchboard and Twilio in turn: each failed try is on record, and the work is done once."""
    kinds = [entry.kind for entry in bad_day.of(action) if "recovered" not in entry.body.get("note", "")]

    assert kinds[:6] == ["intended", "retrying", "intended", "retrying", "intended", "done"]
    assert bad_day.of(action, "failed") == []
    assert bad_day.outcomes() == ["recovered"]


def test_a_vendors_errors_send_nothing_twice(bad_day: Ground) -> None:
    """Who was told by the first try is not told again by the next."""
    messages = Counter(one["to"] for one in bad_day.world.state()["messages"] if " down] " in one["body"])

    assert messages == {ADA: 1, DAN: 1}


@pytest.fixture(scope="module")
def lost_replies(nursery: Nursery, stage: Stage) -> Iterator[Ground]:
    """Run while each vendor does the first thing it is asked for, and then times out."""
    with broken_ground(nursery, stage) as ground:
        once = {"times": 1}
        ground.world.fault("vendor_lost_reply", {"github": once, "switchboard": once, "twilio": once})
        ground.answers("ada", "revert")
        assert ground.run() is None
        yield ground


@pytest.mark.parametrize("action", ["freeze_deployments", "start_maintenance"])
def test_what_a_lost_reply_hid_is_found(lost_replies: Ground, action: str) -> None:
    """The second try finds the work done, changes nothing, and the measure stands."""
    kinds = [entry.kind for entry in lost_replies.of(action)]

    assert kinds == ["intended", "retrying", "intended", "none"]


def test_a_lost_reply_makes_no_second_freeze(lost_replies: Ground) -> None:
    """GitHub took the variable once."""
    writes = [one["summary"] for one in lost_replies.world.state()["writes"] if one["vendor"] == "github"]

    assert writes.count("add DEPLOY_FREEZE") == 1


def test_a_lost_reply_turns_the_switch_once(lost_replies: Ground) -> None:
    """The switchboard was written once each way."""
    writes = [one["summary"] for one in lost_replies.world.state()["writes"] if one["vendor"] == "switchboard"]

    assert [summary.partition(": ")[2] for summary in writes] == ["mode maintenance", "mode normal"]


def test_a_lost_reply_sends_no_second_message(lost_replies: Ground) -> None:
    """Everybody has each message and each call once, also whose answer was lost."""
    state = lost_replies.world.state()
    told = Counter((one["to"], one["body"].partition("]")[0]) for one in state["messages"])

    assert set(told.values()) == {1}
    assert {number for number, mark in told if mark.endswith("down")} == {ADA, DAN}
    calls = Counter(call["to"] for call in state["calls"])
    # Ada's second call is the question. After a lost reply only Twilio's list is left, which does not say what a call
    # was about: one in the same second may be taken for it, and then the SMS alone asks.
    assert calls[DAN] == 1
    assert calls[ADA] in (1, 2)


def test_a_lost_reply_loses_nobody(lost_replies: Ground) -> None:
    """Whose message could not be confirmed is tried again, although others were reached."""
    notes = [entry.body["note"] for entry in lost_replies.of("notify_stakeholders", "done")]

    assert len(notes) == 2
    assert not any("could not reach" in note for note in notes)


def test_a_lost_reply_files_no_second_ticket(broken: Ground) -> None:
    """GitHub filed the ticket and lost its answer: the next try finds it by the incident's mark."""

    def ticket_only(service: str) -> None:
        from tasks.ticket import file_ticket  # noqa: PLC0415 - loads Prefect

        file_ticket(service, "checkout broke", "a report")

    broken.world.fault("vendor_lost_reply", {"github": {"times": 1}})

    error = broken.play_body(ticket_only)

    assert len(broken.world.state()["tickets"]) == 1
    assert [entry.kind for entry in broken.of("file_ticket")] == ["intended", "retrying", "intended", "none"]
    assert error is None


def test_messages_are_best_effort(broken: Ground) -> None:
    """A Twilio that is down for good costs messages, not the recovery, and each failure is on record."""
    broken.world.fault("vendor_errors", {"twilio": {"times": 10_000, "status": 503}})
    broken.answers("ada", "revert")

    error = broken.run()

    assert broken.world.state()["messages"] == []
    assert broken.world.state()["switches"]["mode"] == "normal"
    assert broken.outcomes() == ["recovered"]
    assert [entry.body["error_kind"] for entry in broken.of("notify_stakeholders", "failed")] == ["TransientError"] * 2
    assert len(broken.of("ask_decision_maker", "failed")) >= 1
    assert error is None
