"""Whose answer counts: proof of identity at the gate, by a one-time code that is good once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest

from crisis.domain.decision import Decision
from crisis.engine.booth import Answer, RefusedVote
from crisis.engine.votes import cast
from tests.playbooks.conftest import Ground, Nursery, Stage, broken_ground

Said = Decision | RefusedVote | None


@dataclass
class Examined:
    """What became of each answer at a gate that needs two people, in the order in which they came."""

    ground: Ground
    said: dict[str, Said] = field(default_factory=dict)

    def because(self, name: str) -> str:
        """Return why an answer was refused."""
        said = self.said[name]
        return said.because if isinstance(said, RefusedVote) else f"not refused: {said}"

    def answer_all(self) -> None:
        """Let everybody try, wrong ones first."""
        ground, secret = self.ground, self.ground.world.env["CRISIS_SANDBOX_TOTP_ADA"]
        totp = pyotp.TOTP(secret)
        self.said["stranger"] = ground.says("mallory", "revert", "123456")
        self.said["requester"] = ground.says("dan", "revert")
        self.said["wrong"] = ground.says("ben", "revert", self.wrong_code("ben"))
        for _ in range(4):
            ground.says("ben", "revert", self.wrong_code("ben"))
        self.said["sixth"] = ground.says("ben", "revert")
        self.said["outdated"] = ground.says("ada", "revert", totp.at(datetime.now(UTC) - timedelta(minutes=2)))
        self.said["unknown answer"] = ground.says("ada", "reboot")
        self.said["too late"] = self.too_late("ada")
        code = totp.now()
        self.said["first yes"] = ground.says("ada", "revert", code)
        self.said["same code"] = ground.says("ada", "revert", code)
        self.said["second yes"] = ground.says("cleo", "revert")

    def wrong_code(self, who: str) -> str:
        """Return six digits that are not the person's code at any near moment."""
        totp = pyotp.TOTP(self.ground.world.env[f"CRISIS_SANDBOX_TOTP_{who.upper()}"])
        near = {totp.at(datetime.now(UTC) + timedelta(seconds=30 * far)) for far in range(-3, 4)}
        return next(code for code in (f"{number:06}" for number in range(10)) if code not in near)

    def too_late(self, who: str) -> Said:
        """Answer with a good code, a second after the gate has closed."""
        gate = self.ground.question()
        assert gate is not None
        said = Answer(who, "revert", self.ground.world.one_time_code(who), "sorry", "command line")
        late = gate.deadline + timedelta(seconds=1)
        return cast(self.ground.booth(), gate, said, now=late)


def ask_two_of_four(protocol: dict[str, Any]) -> None:
    """Let four people decide, two of them together."""
    protocol["levels"][1]["decision_makers"] = ["ada", "ben", "cleo", "dan"]
    protocol["gates"]["restore"]["ask"] = "two people"


@pytest.fixture(scope="module")
def examined(nursery: Nursery, stage: Stage) -> Iterator[Examined]:
    """Let dan start a run whose gate sees every kind of answer."""
    with broken_ground(nursery, stage) as ground:
        ground.change(ask_two_of_four)
        examined = Examined(ground)
        ground.meanwhile(ground.question, examined.answer_all)
        assert ground.run(requester="dan") is None
        yield examined


def test_an_unknown_person_is_refused(examined: Examined) -> None:
    """Who is not asked has no answer to give."""
    assert examined.because("stranger") == "'mallory' is not asked; asked are: ada, ben, cleo"


def test_the_requester_is_neither_asked_nor_heard(examined: Examined) -> None:
    """Who started the run cannot approve it, not even with a good code."""
    assert examined.because("requester") == "who started the run cannot approve it"
    assert examined.ground.entries("asked")[0].body["people"] == ["ada", "ben", "cleo"]


def test_a_wrong_code_is_refused(examined: Examined) -> None:
    """Six digits from nowhere prove nothing."""
    assert examined.because("wrong") == "wrong or outdated code"


def test_five_wrong_codes_lock(examined: Examined) -> None:
    """After five wrong answers the sixth is refused although its code is right."""
    assert examined.because("sixth").startswith("locked after 5 wrong codes until")


def test_an_outdated_code_is_refused(examined: Examined) -> None:
    """A code of two minutes ago is not good any more."""
    assert examined.because("outdated").startswith("wrong or outdated code; it is ")


def test_an_answer_that_was_not_offered_is_refused(examined: Examined) -> None:
    """Only a choice of the plan, or a no, is an answer; the refusal names them."""
    assert examined.because("unknown answer") == "'reboot' is no answer to this; say one of: revert, change, no"


def test_an_answer_after_the_deadline_is_refused(examined: Examined) -> None:
    """A good code does not open a gate that has closed."""
    assert examined.because("too late") == "the time to answer is over"


def test_a_code_is_good_once(examined: Examined) -> None:
    """The same code again is refused, so that who looked over a shoulder gains nothing."""
    assert examined.because("same code") == "this code was used already; wait for the next one"


def test_two_people_are_two_people(examined: Examined) -> None:
    """One yes waits for a second person's, and both names stand under the decision."""
    assert examined.said["first yes"] is None
    assert [entry.body["by"] for entry in examined.ground.entries("decided")] == [["ada", "cleo"]]


def test_every_refused_answer_is_on_record(examined: Examined) -> None:
    """The journal has why answers did not count, each reason once a minute for each name, and no code."""
    refused = examined.ground.entries("vote refused")

    assert len({(entry.body["who"], entry.body["because"]) for entry in refused}) == 8
    assert all(entry.body["because"] for entry in refused)
    assert not any("code" in entry.body for entry in refused)
