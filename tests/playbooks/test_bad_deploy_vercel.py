"""The bad-deploy playbook where Vercel releases: the good deployment is put back in front of the users."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.playbooks.conftest import Ground, Nursery, Stage, broken_ground

RELEASES = {
    "by": "vercel",
    "url": "env:CRISIS_SANDBOX_VERCEL_URL",
    "project": "prj_shop",
    "token": "env:CRISIS_SANDBOX_VERCEL_TOKEN",
}


def release_by_vercel(protocol: dict[str, Any]) -> None:
    """Say that Vercel releases the shop; tickets and commit statuses stay at GitHub."""
    protocol["services"]["shop"]["releases"] = RELEASES


@pytest.fixture(scope="module")
def on_vercel(nursery: Nursery, stage: Stage) -> Iterator[Ground]:
    """Run against a project on Vercel."""
    with broken_ground(nursery, stage) as ground:
        ground.change(release_by_vercel)
        ground.answers("ada", "roll-back")
        assert ground.run() is None
        yield ground


def test_the_good_deployment_is_put_back(on_vercel: Ground) -> None:
    """Production serves the good commit, users are let in, and the run recovered."""
    state = on_vercel.world.state()
    facts = on_vercel.done("roll_back_release")[0].body["facts"]

    assert state["serving"] == facts["good"]
    assert state["switches"]["mode"] == "normal"
    assert [one["summary"] for one in state["writes"] if one["vendor"] == "vercel"] == [
        f"roll back to {facts['good'][:7]}"
    ]
    assert on_vercel.outcomes() == ["recovered"]


def test_a_release_that_came_after_the_plan_is_asked_about(broken: Ground) -> None:
    """A rollback replaces the deployment that was named in its plan; for another one people are asked again."""
    broken.change(release_by_vercel)
    pushed: list[str] = []

    def overtake() -> None:
        pushed.append(broken.world.push({"README.md": "Hello\n"}, "Say hello"))
        broken.world.wait_until(lambda state: state["serving"] == pushed[0], seconds=30)
        broken.says("ada", "roll-back")

    broken.meanwhile(lambda: broken.question("ada"), overtake)
    broken.answers("ben", "roll-back", plan=2)

    error = broken.run()

    facts = broken.done("roll_back_release")[0].body["facts"]
    assert facts["bad"] == pushed[0]
    assert broken.world.state()["serving"] == facts["good"]
    assert len(broken.entries("drifted")) == 1
    assert error is None


def test_main_stays_as_it_is(on_vercel: Ground) -> None:
    """A rollback pushes nothing: the broken commit is still the head, and the facts name it."""
    assert on_vercel.done("roll_back_release")[0].body["facts"]["bad"] == on_vercel.git("rev-parse", "main")


def test_the_plan_offers_the_rollback_alone(on_vercel: Ground) -> None:
    """One choice, with the deployment's id as its target of record."""
    (choice,) = on_vercel.entries("asked")[0].body["plan"]["choices"]

    assert choice["name"] == "roll-back"
    assert choice["steps"][0]["arguments"]["deployment"].startswith("dpl_")


def test_there_is_no_freeze_and_the_journal_says_why(on_vercel: Ground) -> None:
    """Vercel has no pipeline to freeze; the record says what takes its place."""
    (frozen,) = on_vercel.of("freeze_deployments", "none")

    assert on_vercel.world.state()["variables"] == {}
    assert frozen.body["note"] == "no pipeline to freeze: rolling back on Vercel stops automatic promotion"


def test_what_was_not_frozen_is_no_open_measure(on_vercel: Ground) -> None:
    """Nothing is said to be in force that was never done."""
    assert [measure.action for measure in on_vercel.state().measures] == []
