"""Who is asked before a revert, what they may say, and what their silence means."""

from collections.abc import Iterator
from typing import Any

import pytest

from crisis.errors import DeclinedError
from tests.playbooks.conftest import Ground, Nursery, Stage, broken_ground

ADA, BEN = "+15005550101", "+15005550102"


def only_ada_decides(protocol: dict[str, Any]) -> None:
    """Leave one decision maker, whose deputy is ben."""
    protocol["levels"][1]["decision_makers"] = ["ada"]


def test_a_no_leaves_everything_as_it_is(broken: Ground) -> None:
    """A no pushes nothing, and users keep the maintenance page."""
    head = broken.git("rev-parse", "main")
    broken.answers("ben", "no")

    error = broken.run()

    assert broken.git("rev-parse", "main") == head
    assert broken.world.state()["switches"]["mode"] == "maintenance"
    assert broken.done("revert_release") == []
    assert broken.outcomes() == ["DeclinedError"]
    assert isinstance(error, DeclinedError)
    assert error.saw == "declined (ben)"


def test_silence_that_stops_is_recorded_as_silence(broken: Ground) -> None:
    """When nobody answers and silence means stop, nothing is pushed and nobody is said to have said no."""
    head = broken.git("rev-parse", "main")
    broken.change_gate(wait="1s", deputy_after="900ms")

    error = broken.run()

    assert broken.git("rev-parse", "main") == head
    assert broken.world.state()["switches"]["mode"] == "maintenance"
    decided = broken.entries("decided")
    assert [(one.actor, one.body["outcome"], one.body["by"]) for one in decided] == [("silence", "silence: stop", [])]
    assert isinstance(error, DeclinedError)
    assert error.saw == "silence: stop (silence)"


def test_silence_that_proceeds_is_nobodys_yes(broken: Ground) -> None:
    """When nobody answers and silence means proceed, the revert goes out and no name stands under it."""
    broken.change_gate(wait="1s", deputy_after="900ms", proceed_on_silence={"revert_release": [1]})

    error = broken.run()

    good = broken.done("revert_release")[0].body["facts"]["good"]
    assert broken.tree(broken.world.state()["serving"]) == broken.tree(good)
    decided = broken.entries("decided")
    assert [(one.actor, one.body["outcome"], one.body["by"]) for one in decided] == [
        ("silence", "silence: proceed", [])
    ]
    assert broken.entries("voted") == []
    assert error is None


def test_a_deputy_is_told_and_may_answer(broken: Ground) -> None:
    """When the decision maker is silent for a while, their deputy gets the link, and the deputy's answer counts."""
    broken.change(only_ada_decides)
    broken.change_gate(deputy_after="300ms", wait="20s")
    broken.meanwhile(lambda: broken.messages(BEN, "Please decide"), lambda: broken.says("ben", "revert"))

    error = broken.run()

    assert len(broken.messages(BEN, "Please decide")) == 1
    assert [entry.body["people"] for entry in broken.entries("escalated")] == [["ben"]]
    assert [entry.body["by"] for entry in broken.entries("decided")] == [["ben"]]
    assert error is None


@pytest.fixture(scope="module")
def moved(nursery: Nursery, stage: Stage) -> Iterator[Ground]:
    """Let a developer push between the question and the first answer."""
    with broken_ground(nursery, stage) as ground:
        ground.change_gate(wait="30s", deputy_after="29s")
        ground.meanwhile(ground.question, lambda: _push_and_approve(ground))
        ground.meanwhile(lambda: len(ground.messages(ADA, "Please decide")) == 2, lambda: ground.says("ben", "revert"))
        assert ground.run() is None
        yield ground


def _push_and_approve(ground: Ground) -> None:
    ground.world.wait_until(lambda _: ground.messages(ADA, "Please decide"))
    ground.world.push({"shop/words.py": 'TITLE = "Slow Cup"\nWELCOME = "Hello."\nFOOTER = "Bye."\n'}, "Say less")
    ground.says("ada", "revert")


def test_what_was_pushed_meanwhile_is_reverted_too(moved: Ground) -> None:
    """The tree in production is the last known good one, not the one of the moment of the question."""
    good = moved.done("revert_release")[0].body["facts"]["good"]

    assert moved.tree(moved.world.state()["serving"]) == moved.tree(good)
    assert moved.git("log", "--format=%s", "main").splitlines()[1] == "Say less"


def test_a_plan_that_was_overtaken_is_asked_again(moved: Ground) -> None:
    """The second question is another plan, for the head that is there now."""
    first, second = moved.entries("asked")

    assert [entry.body["hash"] for entry in moved.entries("drifted")] == [first.body["hash"]]
    assert second.body["hash"] != first.body["hash"]
    assert second.body["plan"]["choices"][0]["steps"][0]["arguments"]["onto"] == moved.git("rev-parse", "main^")


def test_an_approval_does_not_cover_the_next_plan(moved: Ground) -> None:
    """Both plans have a decision of their own, and nothing was pushed between them."""
    first, second = moved.entries("decided")
    between = [entry for entry in moved.of("revert_release", "intended") if first.seq < entry.seq < second.seq]

    assert [first.body["by"], second.body["by"]] == [["ada"], ["ben"]]
    assert len(between) == 1
    assert moved.of("revert_release", "failed")[0].body["error_kind"] == "DriftError"
    assert len(moved.done("revert_release")) == 1


def test_who_was_asked_before_hears_of_the_new_plan(moved: Ground) -> None:
    """Each plan is told to the decision makers once."""
    first, second = moved.entries("asked")

    assert len(moved.messages(ADA, f"decide revert {first.seq}]")) == 1
    assert len(moved.messages(ADA, f"decide revert {second.seq}]")) == 1
