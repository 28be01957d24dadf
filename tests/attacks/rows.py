"""Rows: votes written into the journal by hand, with a chain that verifies."""

from typing import Any

from crisis.domain.decision import Gate
from crisis.engine.booth import Answer
from crisis.engine.votes import cast
from crisis.errors import ProtocolError
from tests.attacks.case import Case, case
from tests.attacks.ground import INCIDENT, OTHER, Ground, Killed, two_ways

__all__ = ["ROWS"]

ROWS: list[Case] = []
SILENCE = "silence: stop (silence)"
FEW = "wanted a decision that holds, saw it has fewer valid votes than the 1 it needs; the question is put again"


@case(ROWS, "a vote without a seal", SILENCE)
def _unsealed(ground: Ground, bad: bool) -> None:
    ground.play(lambda gate: ground.forge("voted", "ada", ground.ballot(gate) if bad else ground.sealed(gate, "ada")))


@case(ROWS, "a vote without a seal, and the decision it would make", FEW)
def _unsealed_and_decided(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.forge("voted", "ada", ground.ballot(gate) if bad else ground.sealed(gate, "ada"))
        ground.decided(gate, by=["ada"])

    ground.play(at_first)


@case(ROWS, "a vote sealed with another key", SILENCE)
def _other_key(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        body = ground.ballot(gate)
        mark = ground.seal_for("vote", "ada", body, b"m" * 32 if bad else b"")
        ground.forge("voted", "ada", {**body, "seal": mark})

    ground.play(at_first)


@case(ROWS, "a vote with a seal made for another purpose", SILENCE)
def _other_purpose(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        body = ground.ballot(gate)
        ground.forge("voted", "ada", {**body, "seal": ground.seal_for("challenge" if bad else "vote", "ada", body)})

    ground.play(at_first)


@case(ROWS, "a vote whose actor was altered", FEW)
def _actor(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.forge("voted", "ada", ground.sealed(gate, "dan" if bad else "ada"))
        ground.decided(gate, by=["ada"])

    ground.play(at_first)


@case(ROWS, "a vote whose answer was altered", FEW)
def _answer(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.forge("voted", "ada", {**ground.sealed(gate, "ada", "other" if bad else "go"), "answer": "go"})
        ground.decided(gate, by=["ada"])

    ground.play(at_first)


@case(ROWS, "a vote whose steps were altered", FEW)
def _steps(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.forge("voted", "ada", {**ground.sealed(gate, "ada", steps=[0] if bad else [0, 1]), "steps": [0, 1]})
        ground.decided(gate, by=["ada"])

    ground.play(at_first)


@case(ROWS, "a vote whose reason was altered", FEW)
def _reason(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        said = ground.sealed(gate, "ada", reason="only if ben agrees" if bad else "do it")
        ground.forge("voted", "ada", {**said, "reason": "do it"})
        ground.decided(gate, by=["ada"])

    ground.play(at_first)


@case(ROWS, "votes that were made to break glass after sealing", FEW)
def _made_glass(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.clock.advance(601)
        for who in ("cleo", "dan"):
            said: dict[str, Any] = {} if bad else {"glass": True}
            body = ground.sealed(gate, who, **said)
            ground.forge("voted", who, {**body, "glass": True})
        ground.decided(gate, by=["cleo", "dan"], glass=True)

    ground.play(at_first)


@case(ROWS, "a vote moved here from another gate", FEW)
def _other_gate(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        there = ground.question(INCIDENT, "elsewhere") if bad else gate
        body = ground.sealed(there, "ada")
        where = {"gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as}
        ground.forge("voted", "ada", {**body, **where})
        ground.decided(gate, by=["ada"])

    ground.play(at_first)


@case(ROWS, "a vote moved here from another incident", FEW)
def _other_incident(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        there = ground.question(OTHER, up_to=gate.asked_as) if bad else gate
        assert (there.asked_as, there.plan.hash) == (gate.asked_as, gate.plan.hash)
        ground.vote(there, "ada")
        voted = next(entry for entry in ground.journal.entries(there.incident) if entry.kind == "voted")
        ground.forge("voted", voted.actor, voted.body)
        ground.decided(gate, by=["ada"])

    ground.play(at_first)


@case(ROWS, "a vote on the same plan, asked an earlier time", FEW)
def _earlier_question(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada")
        raise Killed

    def at_second(gate: Gate) -> None:
        old = ground.entries("voted")[0].body
        ground.forge("voted", "ada", {**old, "asked_as": gate.asked_as} if bad else ground.sealed(gate, "ada"))
        ground.decided(gate, by=["ada"])

    ground.play(at_first)
    ground.clock.advance(3601)  # so that the same plan is put again
    ground.play(at_second)
    assert len(ground.entries("asked")) > 1


@case(ROWS, "a vote on an earlier plan of this gate", FEW)
def _earlier_plan(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        ground.plan = two_ways(title="Touch it, after all?")
        ground.vote(gate, "ada", "change", reason="say it nicer")

    def at_second(gate: Gate) -> None:
        old = next(entry for entry in ground.entries("voted") if entry.actor == "ada")
        where = {"hash": gate.plan.hash, "asked_as": gate.asked_as, "answer": "go"}
        ground.forge("voted", "ada", {**old.body, **where} if bad else ground.sealed(gate, "ada"))
        ground.decided(gate, by=["ada"])

    ground.play(at_first, at_second)


@case(ROWS, "one vote copied to make two", "than the 2 it needs")
def _copied(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways("burn_release")

    def at_first(gate: Gate) -> None:
        body = ground.sealed(gate, "ada")
        ground.forge("voted", "ada", body)
        ground.forge("voted", "ada" if bad else "ben", body if bad else ground.sealed(gate, "ben"))
        ground.decided(gate, by=["ada", "ben"])

    ground.play(at_first)


@case(ROWS, "one vote copied under the other's name", "than the 2 it needs")
def _copied_as(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways("burn_release")

    def at_first(gate: Gate) -> None:
        ground.forge("voted", "ada", ground.sealed(gate, "ada"))
        ground.forge("voted", "ben", ground.sealed(gate, "ada" if bad else "ben"))
        ground.decided(gate, by=["ada", "ben"])

    ground.play(at_first)


@case(ROWS, "a copy of a vote brings an earlier answer back", SILENCE)
def _brought_back(ground: Ground, bad: bool) -> None:
    ground.plan = two_ways("burn_release")

    def at_first(gate: Gate) -> None:
        ground.vote(gate, "ada", "go")
        first = ground.entries("voted")[0]
        ground.vote(gate, "ada", "other")
        if bad:
            ground.forge("voted", first.actor, first.body)
        else:
            ground.vote(gate, "ada", "go")
        ground.vote(gate, "ben", "go")

    ground.play(at_first)


@case(ROWS, "an answer taken by another deployment", "wanted the responder's, saw another")
def _other_deployment(ground: Ground, bad: bool) -> None:
    def at_first(gate: Gate) -> None:
        key = b"another deployment's key, 32 long" if bad else ground.booth.key
        booth = type(ground.booth)(ground.journal, ground.protocol, key)
        try:
            cast(booth, gate, Answer("ada", "go", ground.code("ada")))
        except ProtocolError as error:
            ground.said.append(str(error))

    ground.play(at_first)
