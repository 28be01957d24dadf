"""Decision: what people, or their silence, said to a plan."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from crisis.domain.clock import parse_time
from crisis.domain.entry import Entry
from crisis.domain.level import Level
from crisis.domain.plan import Plan, Step

__all__ = ["Decision", "Gate", "Outcome", "Vote", "fold_gates"]

Outcome = Literal["approved", "declined", "change asked", "silence: proceed", "silence: stop"]
_OUTCOMES: dict[str, Outcome] = {one: one for one in get_args(Outcome)}


@dataclass(frozen=True, slots=True)
class Vote:
    """
    One person's answer, by which way, and when.

    `steps` are the numbers of the steps it is good for, from 0, or None for all. `glass` says that it broke glass.
    `seal` is our mark under the rest, made once the proof of identity was found good.
    """

    who: str
    answer: str
    reason: str
    how: str
    at: str
    seq: int
    steps: tuple[int, ...] | None = None
    glass: bool = False
    seal: str = ""
    said: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def time(self) -> datetime:
        """When its proof of identity was found good; that stands under the seal, unlike when it was recorded."""
        return parse_time(str(self.said.get("proved_at") or self.at))


@dataclass(frozen=True, slots=True)
class Decision:
    """The one outcome of a gate, bound to a plan by its hash."""

    plan: Plan
    outcome: Outcome
    choice: str
    by: tuple[str, ...]
    reason: str
    at: str
    seq: int
    only: tuple[int, ...] | None = None
    glass: bool = False
    seal: str = ""

    @property
    def goes_ahead(self) -> bool:
        """Whether the plan may be carried out."""
        return self.outcome in ("approved", "silence: proceed")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The approved steps of the chosen way; none when nothing may be done."""
        choice = self.plan.choice(self.choice) if self.goes_ahead else None
        if choice is None:
            return ()
        return tuple(step for number, step in enumerate(choice.steps) if self.only is None or number in self.only)

    @property
    def time(self) -> datetime:
        """When it was recorded."""
        return parse_time(self.at)


@dataclass
class Gate:
    """
    A question that was asked: the plan in force, who may answer, until when, and what they said.

    `asked_as` is the entry that asked it: the same plan asked again is another question. `excluded` started the
    run. `rungs` are the rungs of the ladder that have been asked, `reminded` the number of the last reminder,
    counted as if each had gone out; `joined` that number when somebody was asked later. `locks_after` is the last
    entry about people when it was asked, and `signed_by` the fingerprint of the key that its votes are marked with.
    """

    incident: str
    run: str
    name: str
    plan: Plan
    asked_at: datetime
    deadline: datetime
    needed: int
    people: list[str]
    silence: str
    requester: str
    asked_as: int
    level: Level = Level.CRITICAL
    excluded: tuple[str, ...] = ()
    rungs: list[str] = field(default_factory=list)
    joined: dict[str, int] = field(default_factory=dict)
    reminded: int = 0
    locks_after: int = 0
    signed_by: str = ""
    seal: str = ""
    said: dict[str, Any] = field(default_factory=dict, compare=False)
    votes: list[Vote] = field(default_factory=list)
    decision: Decision | None = None

    def standing(self) -> dict[str, Vote]:
        """Return each person's last vote."""
        return {vote.who: vote for vote in self.votes}


def fold_gates(entries: Iterable[Entry]) -> dict[tuple[str, str], Gate]:
    """
    Read the gates of an incident out of its entries, by (run, gate name).

    A plan asked again replaces the one before it together with its votes; an older decision does not count for it.
    """
    gates: dict[tuple[str, str], Gate] = {}
    seen: set[str] = set()
    for entry in entries:
        where = (str(entry.body.get("run", "")), str(entry.body.get("gate", "")))
        # A row that somebody wrote past us may lack anything: then it says nothing.
        with suppress(KeyError, TypeError, ValueError):
            if entry.kind == "asked":
                nonce = str(entry.body.get("nonce") or entry.seq)
                if nonce not in seen:  # else it is a copy of a question that was asked before
                    seen.add(nonce)
                    gates[where] = _gate_from(entry, where)
            elif where in gates and entry.body.get("hash") == gates[where].plan.hash:
                _follow(gates[where], entry)
    return gates


def _follow(gate: Gate, entry: Entry) -> None:
    body = entry.body
    if body.get("asked_as", gate.asked_as) != gate.asked_as:
        return  # about the same plan, asked another time
    if entry.kind == "escalated":
        for who in body["people"]:
            if who not in gate.people:
                gate.people.append(who)
                gate.joined[who] = gate.reminded
        gate.rungs.append(str(body.get("rung", "deputies")))
    elif entry.kind == "reminded":
        gate.reminded = max(gate.reminded + 1, int(body.get("number", 0)))
    elif entry.kind == "voted":
        gate.votes.append(_vote_from(entry))
    elif entry.kind == "decided" and gate.decision is None:
        only = body.get("steps")
        gate.decision = Decision(
            plan=gate.plan,
            outcome=_OUTCOMES[body["outcome"]],
            choice=body.get("choice", ""),
            by=tuple(body["by"]),
            reason=body["reason"],
            at=entry.at,
            seq=entry.seq,
            only=None if only is None else tuple(only),
            glass=bool(body.get("glass")),
            seal=str(body.get("seal", "")),
        )


def _vote_from(entry: Entry) -> Vote:
    body = entry.body
    steps = body.get("steps")
    return Vote(
        who=entry.actor,
        answer=body["answer"],
        reason=body.get("reason", ""),
        how=body["how"],
        at=entry.at,
        seq=entry.seq,
        steps=None if steps is None else tuple(steps),
        glass=bool(body.get("glass")),
        seal=str(body.get("seal", "")),
        said={name: value for name, value in body.items() if name != "seal"},
    )


def _gate_from(entry: Entry, where: tuple[str, str]) -> Gate:
    body = entry.body
    requester = str(body.get("requester") or "")
    return Gate(
        incident=entry.incident,
        run=where[0],
        name=where[1],
        plan=Plan.model_validate(body["plan"]),
        asked_at=parse_time(str(body.get("asked_at") or entry.at)),
        deadline=parse_time(body["deadline"]),
        needed=int(body["needed"]),
        people=list(body["people"]),
        silence=str(body["silence"]),
        requester=requester,
        asked_as=entry.seq,
        level=Level(int(body.get("level", Level.CRITICAL))),
        seal=str(body.get("seal", "")),
        said={name: value for name, value in body.items() if name != "seal"},
        signed_by=str(body.get("signed_by", "")),
        locks_after=int(body.get("locks_after", 0)),
        excluded=tuple(body.get("excluded") or ([requester] if requester else [])),
    )
