"""Decision: what people, or their silence, said to a plan."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from crisis.domain.clock import parse_time
from crisis.domain.entry import Entry
from crisis.domain.plan import Plan, Step

__all__ = ["Decision", "Gate", "Outcome", "Vote", "fold_gates"]

Outcome = Literal["approved", "declined", "silence: proceed", "silence: stop"]


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's answer, by which way, and when."""

    who: str
    answer: str
    reason: str
    how: str
    at: str


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

    @property
    def goes_ahead(self) -> bool:
        """Whether the plan may be carried out."""
        return self.outcome in ("approved", "silence: proceed")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the chosen way; none when nothing may be done."""
        choice = self.plan.choice(self.choice) if self.goes_ahead else None
        return choice.steps if choice is not None else ()


@dataclass
class Gate:
    """
    A question that was asked: the plan in force, who may answer, until when, and what they said.

    `asked_as` is the entry that asked it: the same plan asked again is another question. `asked_last` is when the
    last people were added to those who may answer.
    """

    incident: str
    run: str
    name: str
    plan: Plan
    asked_at: datetime
    asked_last: datetime
    deadline: datetime
    needed: int
    people: list[str]
    silence: str
    requester: str
    asked_as: int
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
    for entry in entries:
        body = entry.body
        where = (str(body.get("run", "")), str(body.get("gate", "")))
        if entry.kind == "asked":
            gates[where] = _gate_from(entry, where)
        elif where not in gates or body.get("hash") != gates[where].plan.hash:
            continue
        elif entry.kind == "escalated":
            gates[where].people += [who for who in body["people"] if who not in gates[where].people]
            gates[where].asked_last = entry.time
        elif entry.kind == "voted":
            vote = Vote(entry.actor, body["answer"], body.get("reason", ""), body["how"], entry.at)
            gates[where].votes.append(vote)
        elif entry.kind == "decided":
            gates[where].decision = Decision(
                gates[where].plan,
                body["outcome"],
                body.get("choice", ""),
                tuple(body["by"]),
                body["reason"],
                entry.at,
                entry.seq,
            )
    return gates


def _gate_from(entry: Entry, where: tuple[str, str]) -> Gate:
    body = entry.body
    return Gate(
        incident=entry.incident,
        run=where[0],
        name=where[1],
        plan=Plan.model_validate(body["plan"]),
        asked_at=entry.time,
        asked_last=entry.time,
        deadline=parse_time(body["deadline"]),
        needed=int(body["needed"]),
        people=list(body["people"]),
        silence=str(body["silence"]),
        requester=str(body.get("requester") or ""),
        asked_as=entry.seq,
    )
