"""The pure rules of deciding, for any company and any votes: the ladder, the tally, and the spelling of names."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from crisis.domain.decision import Gate, Vote
from crisis.domain.level import Level
from crisis.domain.mandate import Ladder, ladder, tally
from crisis.domain.protocol import Protocol, spelling
from tests.attacks.ground import two_ways

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEOPLE = ("p0", "p1", "p2", "p3", "p4", "p5")
PROTOCOL = Protocol.model_validate(
    YAML(typ="safe").load((Path(__file__).parents[2] / "protocol.yaml").read_text(encoding="utf-8"))
)
STEADY = settings(max_examples=150, deadline=None, derandomize=True, database=None)

some_people = st.lists(st.sampled_from(PEOPLE), unique=True, max_size=4)
companies = st.fixed_dictionaries(
    {
        # A deputy comes later in the list: protocol.yaml admits no loops.
        "deputies": st.tuples(*(st.sampled_from([None, *PEOPLE[at + 1 :]]) for at in range(len(PEOPLE)))),
        "away": st.sets(st.sampled_from(PEOPLE)),
        "out": st.sets(st.sampled_from(PEOPLE)),
        "makers": st.lists(st.sampled_from(PEOPLE), unique=True, min_size=1, max_size=4),
        "higher": st.lists(st.sampled_from(PEOPLE), unique=True, min_size=1, max_size=4),
        "above": some_people,
        "level": st.sampled_from([1, 2]),
        "needed": st.integers(0, 3),
    }
)


def protocol_of(company: dict[str, Any]) -> Protocol:
    """Return the protocol of a company."""
    gone = [{"from": NOW - timedelta(days=1), "to": NOW + timedelta(days=1)}]
    people = {
        who: {"name": who, "role": "any", "deputy": deputy, "away": gone if who in company["away"] else []}
        for who, deputy in zip(PEOPLE, company["deputies"], strict=True)
    }
    level, data = company["level"], PROTOCOL.model_dump(mode="json", by_alias=True)
    data["people"], data["stakeholders"], data["break_glass"] = people, [], None
    for one, rule in data["levels"].items():
        rule["decision_makers"] = company["makers"] if int(one) == level else company["higher"]
        rule["above"] = company["above"] if int(one) == level else []
    return Protocol.model_validate(data)


def asked_of(company: dict[str, Any]) -> Ladder:
    """Return its ladder."""
    return ladder(protocol_of(company), Level(company["level"]), company["needed"], NOW, company["out"])


def may_decide(company: dict[str, Any]) -> set[str]:
    """Say who may decide: decision makers, their deputies and theirs, and the level above; who is here and not out."""
    deputies = dict(zip(PEOPLE, company["deputies"], strict=True))
    above = company["above"] or (company["higher"] if company["level"] > 1 else [])
    known: set[str] = set(above)
    for who in company["makers"]:
        one = who
        while one is not None:
            known.add(one)
            one = deputies[one]
    gone: set[str] = company["away"] | company["out"]
    return known - gone


@STEADY
@given(companies)
def test_a_ladder_asks_whoever_may_decide_and_each_once(company: dict[str, Any]) -> None:
    """Nobody stands on it twice, nobody who is away or out stands on it, and nobody who may decide is left out."""
    found = asked_of(company)
    rungs = [*found.first, *(who for rung in found.deputies for who in rung), *found.above]

    assert len(rungs) == len(set(rungs))
    assert set(rungs) == may_decide(company)
    assert all(found.deputies), "an empty rung"


@STEADY
@given(companies)
def test_a_ladder_begins_with_enough_people(company: dict[str, Any]) -> None:
    """Somebody is asked at once where anybody may decide; and as many as must agree, where there are so many."""
    found = asked_of(company)

    assert len(found.first) >= min(max(company["needed"], 1), len(may_decide(company)))


@STEADY
@given(companies)
def test_a_ladder_asks_makers_in_their_order(company: dict[str, Any]) -> None:
    """Decision makers who are here stand on the first rung, in the order of protocol.yaml."""
    found = asked_of(company)
    here = [who for who in company["makers"] if who not in company["away"] | company["out"]]

    assert [who for who in found.first if who in here] == here or set(here) <= set(found.first)


ballots = st.lists(
    st.tuples(
        st.sampled_from(["ada", "ben", "cleo", "dan"]),
        st.sampled_from(["go", "go", "other", "no", "change"]),
        st.sampled_from([None, (0,), (1,), (0, 1)]),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda one: one[0],
)


def asked(needed: int) -> Gate:
    """Return a question for so many people."""
    return Gate("INC-1", "run", "touch", two_ways(), NOW, NOW, needed, [], "stop", "", 1)


def votes_of(said: Any) -> list[Vote]:
    """Return votes in the order in which they were cast."""
    at = NOW.isoformat()
    return [
        Vote(who, answer, "", "page", at, seq, steps if answer == "go" else None, glass)
        for seq, (who, answer, steps, glass) in enumerate(said, 2)
    ]


@STEADY
@given(ballots, st.integers(1, 3))
def test_the_order_of_votes_does_not_matter(said: list[Any], needed: int) -> None:
    """Whoever speaks first, the outcome is the same; only who said the no that counts depends on it."""
    gate, outcomes, first = asked(needed), set(), set()
    for turn in permutations(said):
        ruling = tally(gate, votes_of(turn))
        by = frozenset(ruling.by) if ruling is not None and ruling.outcome == "approved" else None
        outcomes.add(ruling and (ruling.outcome, ruling.choice, ruling.only, by, ruling.glass))
        if ruling is not None and by is None:
            wanted = "no" if ruling.outcome == "declined" else "change"
            first.add(ruling.by == (next(who for who, answer, _, glass in turn if answer == wanted and not glass),))

    assert len(outcomes) == 1
    assert first <= {True}


@STEADY
@given(ballots, st.integers(1, 3))
def test_a_tally_counts_distinct_people_for_each_step(said: list[Any], needed: int) -> None:
    """What it approves, enough people approved; what it leaves open, too few did; and one no stops all."""
    ruling = tally(asked(needed), votes_of(said))
    answers = [answer for _, answer, _, glass in said if not glass]  # glass is broken to go ahead, and for nothing else

    def approved(way: str, step: int, glass: bool) -> int:
        return sum(
            (one, breaks) == (way, glass) and (steps is None or step in steps or way == "other")
            for _, one, steps, breaks in said
        )

    enough = {
        (way, step, glass)
        for way, count in (("go", 2), ("other", 1))
        for step in range(count)
        for glass in (False, True)
        if approved(way, step, glass) >= (2 if glass else needed)
    }
    if "no" in answers:
        assert ruling is not None
        assert ruling.outcome == "declined"
    elif "change" in answers:
        assert ruling is not None
        assert ruling.outcome == "change asked"
    elif ruling is None:
        assert not enough
    else:
        count = 2 if ruling.choice == "go" else 1
        carried = set(range(count)) if ruling.only is None else set(ruling.only)
        assert {(ruling.choice, step, ruling.glass) for step in carried} <= enough
        assert {step for way, step, glass in enough if (way, glass) == (ruling.choice, ruling.glass)} == carried


@STEADY
@given(ballots, st.integers(1, 3))
def test_the_last_word_of_a_person_counts(said: list[Any], needed: int) -> None:
    """Whatever somebody had said before changes nothing."""
    before = [(who, "other" if answer == "go" else "go", None, glass) for who, answer, _, glass in said]

    assert tally(asked(needed), votes_of([*before, *said])) == tally(asked(needed), votes_of(said))


letters = st.text(
    # Without the dotless i, whose capital is the capital of another letter.
    st.characters(categories=("Lu", "Ll", "Lt", "Nd"), exclude_characters="\u0131").filter(
        lambda sign: sign.upper().casefold() == sign.casefold()
    ),
    max_size=12,
)
separators = st.text(st.sampled_from(" ._-\u00ad\u200b\u200c\u200d\u2060\ufeff\u00a0"), max_size=3)


@STEADY
@given(letters)
def test_a_spelling_has_no_case(name: str) -> None:
    """Capitals, small letters and both are one name."""
    assert spelling(name.upper()) == spelling(name.lower()) == spelling(name.swapcase()) == spelling(name)


@STEADY
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12))
def test_a_spelling_has_no_width(name: str) -> None:
    """Full-width letters are the letters."""
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in name)

    assert spelling(wide) == spelling(name)


@STEADY
@given(letters, separators, st.integers(0, 12))
def test_a_spelling_has_no_separators(name: str, between: str, at: int) -> None:
    """Spaces, dots, hyphens and invisible signs tell nobody apart."""
    assert spelling(name[:at] + between + name[at:]) == spelling(name)


@STEADY
@given(st.text(max_size=12))
@example("a\u200b\u0301")
def test_a_spelling_is_its_own_spelling(name: str) -> None:
    """To spell what was spelt changes nothing."""
    assert spelling(spelling(name)) == spelling(name)
