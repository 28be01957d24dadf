"""Asking people: by SMS, on Slack and by a call, once each, and none of them waits for another to work."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from crisis.domain.decision import fold_gates
from crisis.errors import DeclinedError
from tests.domain.story import a_plan
from tests.playbooks.conftest import Ground, calm, calm_world, stage

__all__ = ["calm", "calm_world", "stage"]

ADA, BEN = "+15005550101", "+15005550102"


def ask(number: int = 1, repeat: int = 1) -> Any:
    """Return a body that asks for a plan, and asks each person as often as said."""

    def playbook(service: str) -> None:  # noqa: ARG001 - what every playbook is given
        """Ask ada and ben."""
        import tasks.revert  # noqa: F401, PLC0415 - the actions that the plan names
        from crisis.engine.gate import approve  # noqa: PLC0415 - loads Prefect
        from tasks.notify import ask_decision_maker  # noqa: PLC0415

        def tell(*said: Any) -> Any:
            return [ask_decision_maker(*said) for _ in range(repeat)][-1]

        approve(a_plan(f"Take release {number} back?"), tell)

    playbook.__name__ = f"ask_{number}"
    return playbook


@pytest.fixture
def ground(calm: Ground) -> Iterator[Ground]:
    """Set up a ground where silence is short."""
    calm.change_gate(wait="4s", deputy_after="3s", above_after="3500ms", remind_every="1h")
    yield calm
    calm.world.fault("slack", False)


def asked(ground: Ground) -> dict[str, list[str]]:
    """Return what reached whom, by way: the marks of messages, and who was called to answer."""
    state, marker = ground.world.state(), f"[{ground.incident} decide"
    return {
        "SMS": [one["to"] for one in state["messages"] if one["body"].startswith(marker)],
        "Slack": [one["channel"] for one in state["slack"]["messages"] if one["text"].startswith(marker)],
        "call": [one["to"] for one in state["calls"] if ground.incident in one.get("url", "")],
    }


def test_people_are_asked_every_way_once(ground: Ground) -> None:
    """Asked again and again, each has one SMS and one message with buttons, and Ada, who can be called, one call."""
    ground.play_body(ask(1, repeat=2))
    found = asked(ground)
    text = next(one for one in ground.messages(BEN, "Reply") if ground.incident in one)
    question = ground.entries("asked")[0].seq

    assert Counter(found["SMS"]) == {ADA: 1, BEN: 1}
    assert sorted(Counter(found["Slack"]).values()) == [1, 1]
    assert found["call"] == [ADA]
    assert text.startswith(f"[{ground.incident} decide revert {question}] Take release 1 back?. Please decide: http")
    assert text.endswith(f" Reply: Q{question} revert CODE (or roll-back, change, no)")
    assert len(text) < 320


def test_slack_away_keeps_no_sms_from_going_out(ground: Ground) -> None:
    """Slack refuses everything: people have their SMS and call, and the failure stands in the record."""
    ground.world.fault("slack", {"error": "invalid_auth"})
    ground.play_body(ask(2))
    found = asked(ground)

    assert (Counter(found["SMS"]), found["Slack"], found["call"]) == ({ADA: 1, BEN: 1}, [], [ADA])
    assert len(ground.of("ask_on_slack", "failed")) == 2
    assert ground.of("ask_decision_maker", "failed") == []


def test_no_sms_keeps_no_message_from_slack(ground: Ground) -> None:
    """The provider of messages is away: everybody is asked on Slack all the same."""
    ground.change(lambda protocol: protocol["messages"].update(url="http://127.0.0.1:1"))
    ground.change_gate(wait="20s", deputy_after="18s", above_after="19s", remind_every="1h")
    ground.meanwhile(lambda: len(ground.done("ask_on_slack")) == 2, lambda: ground.says("ben", "no"))
    error = ground.play_body(ask(3))
    found = asked(ground)

    assert isinstance(error, DeclinedError)
    assert (found["SMS"], found["call"]) == ([], [])
    assert sorted(Counter(found["Slack"]).values()) == [1, 1]


def test_below_defcon_1_nobody_is_called(ground: Ground) -> None:
    """A question that can wait calls nobody out of bed."""

    def calmer(protocol: dict[str, Any]) -> None:
        protocol["levels"][2]["decision_makers"] = ["ada"]

    ground.change(calmer)
    ground.play_body(ask(4), level=2)
    found = asked(ground)

    assert (found["SMS"][:1], found["call"]) == ([ADA], [])


def test_without_slack_nothing_changes(ground: Ground) -> None:
    """A protocol that names no Slack asks by SMS and call, and tries nothing else."""
    ground.change(lambda protocol: protocol.pop("slack"))
    ground.play_body(ask(5))

    assert asked(ground)["Slack"] == []
    assert ground.of("ask_on_slack") == []


def test_who_has_only_slack_is_asked_there(ground: Ground) -> None:
    """No number is no failure where there is another way."""
    ground.change(lambda protocol: protocol["people"]["ben"].pop("sms"))
    ground.play_body(ask(6))

    assert Counter(asked(ground)["SMS"]) == {ADA: 1}
    assert len(asked(ground)["Slack"]) == 2
    assert ground.of("ask_decision_maker", "failed") == []


def test_a_reply_decides_the_question_that_was_asked(ground: Ground) -> None:
    """The number in the SMS is the question's own, as the gate knows it."""
    with suppress(DeclinedError):
        ground.play_body(ask(7))
    [gate] = fold_gates(ground.entries()).values()

    assert f"Reply: Q{gate.asked_as} revert CODE" in ground.messages(ADA, f"{ground.incident} decide")[0]
