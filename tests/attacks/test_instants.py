"""Attacks that live in an instant or in words: races, the notes that others get, and reasons that are weapons."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crisis.domain.decision import Decision, Gate
from crisis.engine.booth import Answer, RefusedVote
from crisis.engine.notices import news_for
from crisis.engine.votes import cast
from tests.attacks.ground import RUN, Ground, Killed, two_ways
from tests.journal.crowd import crowd


def asked(ground: Ground) -> Gate:
    """Ask, and leave the question open."""

    def leave(_gate: Gate) -> None:
        raise Killed

    ground.play(leave)
    return ground.gate()


def ballot(ground: Ground, gate: Gate, who: str, answer: str = "go") -> Callable[[], object]:
    """Return an answer that is ready to be given."""
    booth, said = ground.booth, Answer(who, answer, ground.code(who))
    return lambda: cast(booth, gate, said)


@pytest.mark.parametrize("answer", ["other", "no", "go"])
@pytest.mark.parametrize("turn", range(3))
def test_two_answers_at_one_instant_have_one_outcome(ground: Ground, answer: str, turn: int) -> None:
    """Whoever is faster, there is one decision, both are told that one, and it alone is carried out."""
    gate = asked(ground)
    works = [ballot(ground, gate, "ada", "go"), ballot(ground, gate, "ben", answer)]
    results = ground.at_once(*works[:: 1 - 2 * (turn % 2)])
    ground.play()

    (outcome,) = ground.outcomes()
    decided = [one for one in results if isinstance(one, Decision)]
    assert {one.outcome for one in decided} == {outcome[1]}
    assert ground.touched in (["a", "b"], ["c"], [])
    assert all(isinstance(one, Decision | RefusedVote) for one in results)


def test_a_double_click_is_one_vote(ground: Ground) -> None:
    """The same answer twice at once is one voter with one vote, where two are needed."""
    ground.plan = two_ways("burn_release")
    gate = asked(ground)
    results = ground.at_once(*[ballot(ground, gate, "ada")] * 2)

    assert len(ground.entries("voted")) == 1
    assert results.count(None) == 1
    assert ground.outcomes() == []
    ground.play()
    assert ground.touched == []


def test_two_people_at_one_instant_are_two(ground: Ground) -> None:
    """The honest twin of the double click: both votes are kept, and each step is done once."""
    ground.plan = two_ways("burn_release")
    gate = asked(ground)
    ground.at_once(ballot(ground, gate, "ada"), ballot(ground, gate, "ben"))
    ground.play()

    assert ground.touched == ["a", "b"]


def test_one_code_in_two_processes_serves_once(ground: Ground, project: Path, tmp_path: Path) -> None:
    """The same code for two answers at the same instant, in two processes, counts once."""
    ground.plan = two_ways("burn_release")
    gate = asked(ground)
    now, key = ground.clock.now.isoformat(), ground.booth.key.decode()
    url, rules = f"sqlite:///{tmp_path / 'journal.db'}", str(project / "protocol.yaml")
    voters = [("vote", key, url, rules, gate.incident, "ada", way, ground.code("ada"), now) for way in ("go", "other")]
    said = crowd(*voters)

    assert sorted(said) == [["more needed"], ["refused: this code was used already; wait for the next one"]]
    assert len(ground.entries("voted")) == 1


def test_a_lock_is_noted_for_the_others(ground: Ground) -> None:
    """Five wrong codes for ada: ben hears that somebody may be guessing; ada, whose phone may be stolen, does not."""

    def at_first(gate: Gate) -> None:
        for _ in range(5):
            ground.vote(gate, "ada", code="000000x")

    ground.play(at_first)

    told = {who for who, _, says in ground.told if "Codes of Ada Okafor are locked" in says}
    assert told == {"ben"}


def test_a_forged_vote_is_no_news(ground: Ground) -> None:
    """Nobody hears that ada said yes because a row without a seal says so."""
    ground.plan = two_ways("burn_release")
    ground.play(lambda gate: ground.forge("voted", "ada", ground.ballot(gate)))

    assert [says for _, _, says in ground.told if "said yes" in says] == []


def test_a_genuine_vote_is_news(ground: Ground) -> None:
    """The honest twin: ben hears that ada said yes."""
    ground.plan = two_ways("burn_release")
    ground.play(lambda gate: ground.forge("voted", "ada", ground.sealed(gate, "ada")))

    assert {who for who, _, says in ground.told if "Ada Okafor said yes" in says} == {"ben"}


def test_glass_broken_while_the_run_is_down_is_loud(ground: Ground) -> None:
    """Whoever breaks glass while the run is dead or put aside is named to everybody before anything is done."""
    gate = asked(ground)
    ground.clock.advance(601)
    for who in ("cleo", "dan"):
        ground.vote(gate, who, glass=True)
    ground.play()

    assert ground.touched == ["a", "b"]
    assert {who for who, mark, _ in ground.told if mark == "glass"} == {"ada", "ben", "cleo", "dan"}


def test_glass_broken_while_the_run_waits_is_loud(ground: Ground) -> None:
    """The honest twin: with a process everybody hears of it."""

    def at_first(gate: Gate) -> None:
        ground.clock.advance(601)
        for who in ("cleo", "dan"):
            ground.vote(gate, who, glass=True)

    ground.play(at_first)

    assert {who for who, mark, _ in ground.told if mark == "glass"} == {"ada", "ben", "cleo", "dan"}


@pytest.mark.parametrize(
    "reason",
    [
        "<script>alert(1)</script>",
        "\x00\x1b[2J\x07 control \x7f signs",
        "x" * 2_000_000,
        "\u202egpj.exe turned round",
        "'); DROP TABLE entries; --",
        '{"seal": "0"}',
    ],
    ids=["script", "control", "2 MB", "turned round", "SQL", "JSON"],
)
def test_a_reason_is_words_alone(ground: Ground, reason: str) -> None:
    """Whatever a reason holds, the vote counts once, at most 2000 signs are kept, and the record stays sound."""
    ground.play(lambda gate: ground.vote(gate, "ada", reason=reason))

    (voted,) = ground.entries("voted")
    assert voted.body["reason"] == reason.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:2000]
    assert ground.touched == ["a", "b"]
    assert list(ground.journal.verify(voted.incident)) == []


def test_a_reason_that_no_utf_8_can_hold(ground: Ground) -> None:
    """Half a surrogate pair, which JSON can carry, is recorded as a question mark or refused: no error."""
    ground.play(lambda gate: ground.vote(gate, "ada", reason="half \ud800"))

    assert ground.touched == ["a", "b"]


def test_a_rung_with_somebody_unknown_stops_nothing(ground: Ground) -> None:
    """A name that protocol.yaml does not know is told nothing, and those who are asked still decide."""
    from tasks.notify import ask_decision_maker  # noqa: PLC0415 - loads Prefect

    def at_first(gate: Gate) -> None:
        body = {"run": RUN, "gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as}
        ground.forge("escalated", "responder", {**body, "people": ["mallory"], "because": "", "rung": "mallory"})
        raise Killed

    ground.play(at_first)
    with ground.run() as run:
        for who, news in news_for(run, ground.gate()):
            if who == "mallory":
                ask_decision_maker(who, "", "", ground.gate().asked_as, news.mark, news.says)


def test_a_no_stands_through_a_restart_with_another_wording(ground: Ground) -> None:
    """Killed after the no, the run finds it again, although the plan would be worded anew by now."""

    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada", "no")
        raise Killed

    ground.play(at_first)
    ground.plan = two_ways(title="Touch it now?")
    ground.play(lambda gate: ground.vote(gate, "ben", "go"))

    assert "saw declined (ada)" in ground.reasons()
    assert list(ground.touched) == []


def test_a_yes_stands_through_a_restart_with_another_wording(ground: Ground) -> None:
    """What was approved while no process ran is carried out, and not asked again in other words."""

    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada", "go")
        raise Killed

    ground.play(at_first)
    ground.plan = two_ways(title="Touch it now?")
    ground.play(lambda gate: ground.vote(gate, "ben", "no"))

    assert list(ground.touched) == ["a", "b"]
    assert len(ground.entries("asked")) == 1
