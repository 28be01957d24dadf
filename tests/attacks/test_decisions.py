"""Attacks on a decision: each is refused with a clear reason and touches nothing; its honest twin is accepted."""

import pytest

from tests.attacks.case import Case, attacks_of, honest_of
from tests.attacks.codes import CODES
from tests.attacks.ground import INCIDENT, Ground
from tests.attacks.people import PEOPLE
from tests.attacks.plans import PLANS
from tests.attacks.rows import ROWS
from tests.attacks.summaries import SUMMARIES

CASES = [*ROWS, *SUMMARIES, *CODES, *PEOPLE, *PLANS]


@pytest.mark.parametrize("one", attacks_of(CASES))
def test_attack(ground: Ground, one: Case) -> None:
    """No action runs, no question has two outcomes, and the refusal says why."""
    one.plays(ground, True)

    assert ground.touched == []
    assert one.says in ground.reasons()
    check_the_record(ground)


@pytest.mark.parametrize("one", honest_of(CASES))
def test_honest(ground: Ground, one: Case) -> None:
    """The same without the attacked point is accepted: each step is done, once."""
    one.plays(ground, False)

    assert tuple(ground.touched) == one.touches, ground.reasons()
    check_the_record(ground)


def check_the_record(ground: Ground) -> None:
    """Whatever happened, the chain verifies, no question has two outcomes, and what was done is on record."""
    assert list(ground.journal.verify(INCIDENT)) == []
    questions = [asked_as for asked_as, _ in ground.outcomes()]
    assert len(questions) == len(set(questions))
    assert [entry.body["target"] for entry in ground.entries("done")] == ground.touched
