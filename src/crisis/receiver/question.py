"""Question: all that a decision page shows, read out of the journal."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote

from crisis.domain.clock import utc_now
from crisis.domain.decision import Gate, fold_gates
from crisis.domain.entry import Entry
from crisis.domain.incident import Incident, ended_runs, fold_incident
from crisis.domain.timeline import Row, fold_timeline, say_person
from crisis.receiver.context import Context
from crisis.receiver.pages import PageError

__all__ = ["Asked", "Question", "find_incident", "find_question", "link_to"]

_INCIDENT = re.compile(r"INC-[0-9A-Za-z-]{1,60}")
_RECENT = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who is asked: their short name, how to show it, and what they answered."""

    who: str
    shown: str
    answer: str
    at: datetime | None
    may_answer: bool


@dataclass(frozen=True, slots=True)
class Question:
    """A gate, what it is about, and who has said what."""

    incident: Incident
    gate: Gate
    people: tuple[Asked, ...]
    so_far: tuple[Row, ...]
    requester: str
    decided_by: str
    now: datetime
    run_is_over: bool

    @property
    def left(self) -> timedelta:
        """How long an answer still counts."""
        return self.gate.deadline - self.now

    @property
    def open(self) -> bool:
        """Whether an answer can still count."""
        return self.gate.decision is None and self.left > timedelta() and not self.run_is_over

    @property
    def address(self) -> str:
        """The path of the page."""
        return link_to(self.gate)

    @property
    def missing(self) -> int:
        """How many more people must agree."""
        agreed = [vote for vote in self.gate.standing().values() if vote.answer != "no"]
        return max(self.gate.needed - len(agreed), 0)


def link_to(gate: Gate) -> str:
    """Return the path of a gate's decision page."""
    return f"/decide/{quote(gate.incident, safe='')}/{quote(gate.run, safe='')}/{quote(gate.name, safe='')}"


def find_incident(context: Context, incident: str) -> list[Entry]:
    """Return an incident's entries; PageError when there is none of that name."""
    entries = context.journal.entries(incident) if _INCIDENT.fullmatch(incident) else []
    if not entries:
        says = "Check the link, or look for the incident in the list of incidents."
        raise PageError(HTTPStatus.NOT_FOUND, "There is no such incident", says)
    return entries


def find_question(context: Context, incident: str, run: str, gate: str) -> Question:
    """Read a question; PageError when nothing of that name was asked."""
    entries = find_incident(context, incident)
    found = fold_gates(entries).get((run, gate))
    if found is None:
        says = f"Nothing of that name was asked. Open the page of {incident} to see what waits for an answer."
        raise PageError(HTTPStatus.NOT_FOUND, "There is no such question", says)
    people = context.protocol.people
    decision = found.decision
    return Question(
        incident=fold_incident(incident, entries),
        gate=found,
        people=tuple(_asked(context, found, who) for who in found.people),
        so_far=tuple(row for row in fold_timeline(entries) if row.lane != "people")[-_RECENT:],
        requester=say_person(found.requester, people) if found.requester else "",
        decided_by=" and ".join(say_person(who, people) for who in decision.by) if decision else "",
        now=utc_now(),
        run_is_over=run in ended_runs(entries),
    )


def _asked(context: Context, gate: Gate, who: str) -> Asked:
    vote = gate.standing().get(who)
    shown = say_person(who, context.protocol.people)
    at = datetime.fromisoformat(vote.at) if vote else None
    return Asked(who, shown, vote.answer if vote else "", at, who != gate.requester)
