"""Summaries: decisions, questions and other entries that somebody wrote into the journal past the engine."""

import hashlib
from datetime import timedelta
from typing import Any

from crisis.domain.clock import write_time
from crisis.domain.decision import Gate
from crisis.domain.entry import canonical
from tests.attacks.case import Case, Play, case
from tests.attacks.ground import RUN, Ground, Killed, two_ways

__all__ = ["SUMMARIES"]

SUMMARIES: list[Case] = []
SILENCE = "silence: stop (silence)"
FEW = "it has fewer valid votes than the 1 it needs; the question is put again"


@case(SUMMARIES, "a decision without votes", FEW)
def _no_votes(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.decided(gate, by=["ada"]) if bad else ground.vote(gate, "ada"))


@case(SUMMARIES, "a decision with one vote of two", "than the 2 it needs")
def _one_of_two(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways("burn_release")

    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada")
        if not bad:
            ground.vote(gate, "ben")
        else:
            ground.decided(gate, by=["ada", "ben"])

    ground.play(at_first)


@case(SUMMARIES, "a decision by people who never voted", FEW)
def _strangers(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        if not bad:
            ground.forge("voted", "ada", ground.sealed(gate, "ada"))
        ground.decided(gate, by=["cleo", "dan", "ada"])

    ground.play(at_first)


@case(SUMMARIES, "a decision that says that glass was broken", "fewer valid votes")
def _glass(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.clock.advance(601)
        if not bad:
            for who in ("cleo", "dan"):
                ground.forge("voted", who, ground.sealed(gate, who, glass=True))
        ground.decided(gate, by=["cleo", "dan"], glass=True)

    ground.play(at_first)


@case(SUMMARIES, "a decision that says that somebody unknown broke glass", "fewer valid votes")
def _unknown_glass(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.clock.advance(601)
        for who in ("cleo", "dan"):
            body = ground.sealed(gate, who, glass=True)
            ground.forge("voted", who, {**body, "seal": "0"} if bad else body)
        ground.decided(gate, by=["cleo", "mallory" if bad else "dan"], glass=True)

    ground.play(at_first)


@case(SUMMARIES, "a decision that drops the mark of broken glass to last longer", "the valid votes say something else")
def _no_glass(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.clock.advance(601)
        for who in ("cleo", "dan"):
            ground.forge("voted", who, ground.sealed(gate, who, glass=True))
        ground.decided(gate, by=["cleo", "dan"], glass=not bad)

    ground.play(at_first)


@case(SUMMARIES, "silence that proceeds before the deadline", "the time to answer was not over")
def _early_silence(ground: Ground, bad: bool) -> None:
    ground.silence_proceeds()

    def at_first(gate: Gate) -> None:
        ground.clock.advance(0 if bad else 901)
        ground.decided(gate, "silence: proceed")

    def at_second(gate: Gate) -> None:
        ground.vote(gate, "ada", "no")

    ground.play(at_first, at_second)


@case(SUMMARIES, "silence that proceeds, dated after the deadline", "the time to answer was not over")
def _future_silence(ground: Ground, bad: bool) -> None:
    ground.silence_proceeds()

    def at_first(gate: Gate) -> None:
        ground.clock.advance(0 if bad else 901)
        with ground.clock.at(gate.deadline + timedelta(seconds=1)):
            ground.decided(gate, "silence: proceed")

    ground.play(at_first, lambda gate: ground.vote(gate, "ada", "no"))


def _dormant(later: float) -> Play:
    """Write a silence while the run is down: nobody can answer any more, and when it is back the time is over."""

    def plays(ground: Ground, bad: bool) -> None:
        ground.silence_proceeds()

        def at_first(gate: Gate) -> None:
            if bad:
                with ground.clock.at(ground.clock.now + timedelta(seconds=later)):
                    ground.decided(gate, "silence: proceed", seal="")
            raise Killed

        ground.play(at_first)
        if bad:
            ground.vote(ground.gate(), "ada", "no")
        ground.clock.advance(950)
        ground.play(lambda gate: ground.vote(gate, "ada", "no"))

    return plays


for _later, _dated in ((0.0, "at once"), (920.0, "for after the deadline")):
    case(SUMMARIES, f"silence written {_dated} while the run is down", "saw declined (ada)")(_dormant(_later))


@case(SUMMARIES, "silence that proceeds where protocol.yaml lets nothing proceed", "silence lets nothing of this")
def _no_silence(ground: Ground, bad: bool) -> None:
    if not bad:
        ground.silence_proceeds()

    def at_first(gate: Gate) -> None:
        ground.clock.advance(901)
        ground.decided(gate, "silence: proceed")

    ground.play(at_first)


@case(SUMMARIES, "silence that proceeds another way", "silence carries only the recommended way")
def _other_silence(ground: Ground, bad: bool) -> None:
    ground.silence_proceeds()

    def at_first(gate: Gate) -> None:
        ground.clock.advance(901)
        ground.decided(gate, "silence: proceed", "other" if bad else "go")

    ground.play(at_first, lambda gate: ground.vote(gate, "ada", "no"))


@case(SUMMARIES, "silence that proceeds although somebody said no", "somebody answered")
def _silenced_no(ground: Ground, bad: bool) -> None:
    ground.silence_proceeds()

    def at_first(gate: Gate) -> None:
        if bad:
            ground.forge("voted", "ada", ground.sealed(gate, "ada", "no"))
        ground.clock.advance(901)
        ground.decided(gate, "silence: proceed")

    ground.play(at_first, lambda gate: ground.vote(gate, "ada", "no"))


@case(SUMMARIES, "a decision for all steps where one was approved", "say something else", touches="a")
def _whole(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.forge("voted", "ada", ground.sealed(gate, "ada", steps=[0]))
        part: dict[str, Any] = {} if bad else {"steps": [0]}
        ground.decided(gate, by=["ada"], **part)

    ground.play(at_first)


@case(SUMMARIES, "a decision for another step than was approved", "say something else", touches="a")
def _other_step(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.forge("voted", "ada", ground.sealed(gate, "ada", steps=[0]))
        ground.decided(gate, by=["ada"], steps=[1 if bad else 0])

    ground.play(at_first)


@case(SUMMARIES, "a decision for another way than was approved", "say something else")
def _other_way(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.forge("voted", "ada", ground.sealed(gate, "ada"))
        ground.decided(gate, "approved", "other" if bad else "go", by=["ada"])

    ground.play(at_first)


@case(SUMMARIES, "a yes written after a no", "saw declined (ben)")
def _after_no(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        if bad:
            ground.vote(gate, "ben", "no")
        ground.forge("voted", "ada", ground.sealed(gate, "ada"))
        ground.decided(gate, by=["ada"])

    ground.play(at_first)


@case(SUMMARIES, "a question that asks fewer people", SILENCE)
def _needs_one(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways("burn_release")

    def at_first(gate: Gate) -> None:
        now = ground.asked_again(gate, needed=1) if bad else gate
        for who in ("ada", "ben"):
            if ground.gate().decision is None:
                ground.vote(now, who)

    ground.play(at_first)


@case(SUMMARIES, "a question put to somebody off the ladder", "protocol.yaml lets dan decide nothing")
def _asks_stranger(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.vote(ground.asked_again(gate, people=["dan"]) if bad else gate, "dan" if bad else "ada")

    ground.play(at_first)


@case(SUMMARIES, "a rung of the ladder with somebody off it", "protocol.yaml lets dan decide nothing")
def _escalates_to_stranger(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        if bad:
            body = {"run": RUN, "gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as}
            ground.forge("escalated", "responder", {**body, "people": ["dan"], "because": "no answer", "rung": "dan"})
        ground.vote(gate, "dan" if bad else "ben")

    ground.play(at_first)


@case(SUMMARIES, "a question that excludes nobody any more", SILENCE)
def _excludes_nobody(ground: Ground, bad: bool) -> None:
    ground.requester = "ada"

    def at_first(gate: Gate) -> None:
        changed: dict[str, Any] = {"excluded": [], "requester": "", "people": ["ada", "ben"]}
        ground.vote(ground.asked_again(gate, **changed) if bad else gate, "ada" if bad else "ben")

    ground.play(at_first)


@case(SUMMARIES, "an incident opened anew without its requester", "who started the run")
def _opened_again(ground: Ground, bad: bool) -> None:
    ground.incident_requester = "ada"
    ground.run()
    if bad:
        opened = ground.entries("opened")[0]
        ground.forge("opened", "cli", {**opened.body, "requester": ""})
    ground.play(lambda gate: ground.vote(gate, "ada" if bad else "ben"))


@case(SUMMARIES, "a level that hands the decision to others", "is not asked")
def _other_level(ground: Ground, bad: bool) -> None:
    ground.run()
    if bad:
        ground.forge("level", "responder", {"level": 2, "because": "it is not so bad"})
    ground.play(lambda gate: ground.vote(gate, "cleo" if bad else "ada"))


@case(SUMMARIES, "a question with less time", "saw declined (ada)")
def _less_time(ground: Ground, bad: bool) -> None:
    ground.silence_proceeds()

    def at_first(gate: Gate) -> None:
        if bad:
            ground.asked_again(gate, deadline=write_time(ground.clock.now))
            ground.clock.advance(1)
            ground.moments.append(lambda gate: ground.vote(gate, "ada", "no"))

    ground.play(at_first)


@case(SUMMARIES, "a question dated back to break glass", "glass may be broken from")
def _dated_back(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        if bad:
            with ground.clock.at(ground.clock.now - timedelta(seconds=700)):
                gate = ground.asked_again(gate)
        else:
            ground.clock.advance(700)
        for who in ("cleo", "dan"):
            ground.vote(gate, who, glass=True)

    ground.play(at_first)


@case(SUMMARIES, "a question with the same words and other arguments", SILENCE)
def _other_arguments(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        if bad:
            told = gate.plan.model_dump(mode="json")
            told["choices"][0]["steps"][0]["arguments"] = {"what": "everything"}
            forged = type(gate.plan).model_validate(told)
            gate = ground.asked_again(gate, plan=told, hash=forged.hash)
        ground.vote(gate, "ada")

    ground.play(at_first)


@case(SUMMARIES, "a decision dated anew after it ran out", "has run out")
def _redated(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada")
        raise Killed

    def edit(fields: dict[str, Any]) -> None:
        if fields["kind"] == "decided":
            fields["at"] = write_time(ground.clock.now)

    ground.play(at_first)
    ground.clock.advance(3700 if bad else 60)
    ground.rewrite(edit)
    ground.play(lambda gate: ground.vote(gate, "ben", "no"))


def _begin(ground: Ground) -> None:
    """Write by hand that both steps have begun; how a call is named can be worked out."""
    with ground.run() as run:
        for what in ("a", "b"):
            digest = hashlib.sha256(canonical({"what": what}).encode()).hexdigest()
            call = run.next_call("touch_release", digest)
            body = {"run": RUN, "action": "touch_release", "target": what, "call": call}
            ground.forge("intended", "responder", body)


@case(SUMMARIES, "a beginning written by hand after the decision ran out", "has run out")
def _begun(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada")
        raise Killed

    ground.play(at_first)
    ground.clock.advance(3700 if bad else 60)
    _begin(ground)
    ground.play(lambda gate: ground.vote(gate, "ben", "no"))


@case(SUMMARIES, "silence before the deadline, begun by hand", "the time to answer was not over")
def _begun_silence(ground: Ground, bad: bool) -> None:
    ground.silence_proceeds()

    def at_first(gate: Gate) -> None:
        ground.clock.advance(0 if bad else 901)
        ground.decided(gate, "silence: proceed")
        _begin(ground)

    ground.play(at_first, lambda gate: ground.vote(gate, "ada", "no"))


@case(SUMMARIES, "other arguments, asked while the run was down", "")
def _adopted(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        if bad:
            told = gate.plan.model_dump(mode="json")
            told["choices"][0]["steps"][0]["arguments"] = {"what": "everything"}
            ground.asked_again(gate, plan=told, hash=type(gate.plan).model_validate(told).hash)
        raise Killed

    def at_next(gate: Gate) -> None:
        untouched = gate.plan.choices == ground.plan.choices
        ground.vote(gate, "ada", "no" if bad and untouched else "go")

    ground.play(at_first)
    ground.play(at_next, at_next)


@case(SUMMARIES, "a decision that another run asked for", "saw none; ask for it at a gate")
def _another_run(ground: Ground, bad: bool) -> None:
    ground.driver = "4d1f0b5e-another-run" if bad else RUN
    ground.approve(lambda gate: ground.vote(gate, "ada"), then=lambda _: None)
    ground.driver = RUN
    ground.act("a", "b")


@case(SUMMARIES, "a decision for no step at all", "")
def _no_step(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.forge("voted", "ada", ground.sealed(gate, "ada"))
        part: dict[str, Any] = {"steps": []} if bad else {}
        ground.decided(gate, by=["ada"], **part)

    ground.play(at_first)
    assert ground.reasons() or ground.touched, "the gate let the playbook go on without a word"


@case(SUMMARIES, "a row without the fields of a vote", FEW)
def _malformed(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        body = ground.sealed(gate, "ada")
        ground.forge("voted", "ada", {name: said for name, said in body.items() if not bad or name != "answer"})
        ground.decided(gate, by=["ada"])

    ground.play(at_first)
