"""Conditions: three-valued, so that what is not known decides nothing."""

from itertools import product

import pytest
from pydantic import TypeAdapter

from crisis.domain.law.condition import AllOf, AnyOf, Claim, Condition, Judgement, NoneOf, Verdict, judge, names_in

VERDICTS: tuple[Verdict, ...] = ("yes", "no", "unclear")
ONE, TWO = Claim(fact="one", **{"is": True}), Claim(fact="two", **{"is": True})


@pytest.mark.parametrize(("one", "two"), list(product(VERDICTS, VERDICTS)))
def test_the_tables_are_those_of_kleene(one: Verdict, two: Verdict) -> None:
    """Strong logic of indeterminacy: and is the lesser, or the greater, not turns around."""
    order: dict[Verdict, int] = {"no": 0, "unclear": 1, "yes": 2}
    known = {"one": one, "two": two}

    def holds(claim: Claim) -> Judgement:
        return Judgement(verdict=known[claim.fact], missing=(claim.fact,) if known[claim.fact] == "unclear" else ())

    both, either = judge(AllOf(all_of=(ONE, TWO)), holds), judge(AnyOf(any_of=(ONE, TWO)), holds)
    neither = judge(NoneOf(none_of=(ONE, TWO)), holds)

    assert both.verdict == min(one, two, key=order.__getitem__)
    assert either.verdict == max(one, two, key=order.__getitem__)
    assert order[neither.verdict] == 2 - order[either.verdict]
    for found in (both, either, neither):
        assert (found.verdict == "unclear") == bool(found.missing)


def test_every_fact_that_is_asked_for_is_named() -> None:
    """However deep it stands."""
    condition = NoneOf(none_of=(AllOf(all_of=(ONE, AnyOf(any_of=(TWO,)))),))

    assert names_in(condition) == {"one", "two"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"fact": "risk"}, "a claim about risk has one of"),
        ({"fact": "risk", "is": "high", "at_least": 3}, "a claim about risk has one of"),
        ({"maybe": []}, "a condition begins with one of"),
        ({"all_of": []}, "at least 1"),
    ],
)
def test_what_is_no_condition_is_named(wrong: object, says: str) -> None:
    """The message is about the form that was meant."""
    with pytest.raises(ValueError, match=says):
        TypeAdapter(Condition).validate_python(wrong)
