"""Question: all that a decision page shows, read out of the journal."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote

from crisis.domain.clock import utc_now
from crisis.domain.decision import Gate, Vote, fold_gates
from crisis.domain.entry import Entry
from crisis.domain.incident import Incident, ended_runs, fold_incident
from crisis.domain.mandate import may_vote
from crisis.domain.passkey import fold_passkeys
from crisis.domain.person import PEOPLE, fold_strikes, locked_until
from crisis.domain.plan import CHANGE, NO, Choice
from crisis.domain.timeline import Row, fold_timeline, say_person
from crisis.engine.booth import Booth
from crisis.receiver.context import Context
from crisis.receiver.pages import PageError

__all__ = [
    "INCIDENT_NAME", "Asked", "Question", "Said", "find_incident", "find_question", "link_to", "missing_in",
]  # fmt: skip

INCIDENT_NAME = re.compile(r"INC-[0-9A-Za-z-]{1,60}")
_RECENT = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """
    Somebody who is asked, or who would be: their short name, how to show it, and what they answered.

    `why` says what keeps them from answering, all of it or a part; `passkeys` whether they have enrolled one.
    """

    who: str
    shown: str
    answer: str
    at: datetime | None
    may_answer: bool
    why: str = ""
    passkeys: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody approved: who they are, which way to go, and the numbers of its steps, from 1; none for all."""

    shown: str
    answer: str
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """
    A gate, what it is about, and who has said what.

    `others` would be asked if they were not away or excluded; `glass` may break it, from `glass_from` on. `standing`
    are the last words of each person, as far as we marked them, and `approvals` those of them that approve something.
    """

    incident: Incident
    gate: Gate
    people: tuple[Asked, ...]
    standing: tuple[Vote, ...]
    approvals: tuple[Said, ...]
    others: tuple[Asked, ...]
    glass: tuple[Asked, ...]
    glass_from: datetime | None
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
        """How many more people must agree: with those of whom most want the same step of the same way to go."""
        return missing_in(self.gate, self.standing)

    @property
    def disagreed(self) -> bool:
        """Whether people approved different things, so that not all of their answers add up."""
        return self.open and len(self.approvals) > _agreed(self.gate, self.standing)

    @property
    def glass_open(self) -> bool:
        """Whether glass may be broken now."""
        return self.open and self.glass_from is not None and self.now >= self.glass_from


def link_to(gate: Gate) -> str:
    """Return the path of a gate's decision page."""
    return f"/decide/{quote(gate.incident, safe='')}/{quote(gate.run, safe='')}/{quote(gate.name, safe='')}"


def missing_in(gate: Gate, votes: Iterable[Vote]) -> int:
    """Return how many more people must agree, counted as `tally` counts: for each step of each way to go."""
    return max(max(gate.needed, 1) - _agreed(gate, votes), 0)


def _agreed(gate: Gate, votes: Iterable[Vote]) -> int:
    approvals = _approvals(votes)
    return max((_most(choice, approvals) for choice in gate.plan.choices), default=0)


def _most(choice: Choice, votes: Iterable[Vote]) -> int:
    every = range(len(choice.steps))
    steps = (every if vote.steps is None else set(vote.steps) for vote in votes if vote.answer == choice.name)
    return max(Counter(step for some in steps for step in some).values(), default=0)


def _approvals(votes: Iterable[Vote]) -> list[Vote]:
    # Those who break glass are counted by themselves.
    return [vote for vote in votes if vote.answer not in (NO, CHANGE) and not vote.glass]


def find_incident(context: Context, incident: str) -> list[Entry]:
    """Return an incident's entries; PageError when there is none of that name."""
    entries = context.journal.entries(incident) if INCIDENT_NAME.fullmatch(incident) else []
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
    people, decision, now = context.protocol.people, found.decision, utc_now()
    glass = context.protocol.break_glass if found.needed else None
    known = _People(context, found, now)
    genuine = Booth.of(context.journal, context.protocol, context.settings).votes(found)
    standing = tuple({vote.who: vote for vote in genuine}.values())
    return Question(
        incident=fold_incident(incident, entries),
        gate=found,
        people=tuple(known.shown(who) for who in found.people),
        standing=standing,
        approvals=tuple(
            Said(say_person(vote.who, people), vote.answer, tuple(step + 1 for step in vote.steps or ()))
            for vote in _approvals(standing)
        ),
        others=tuple(known.shown(who) for who in known.not_asked()),
        glass=tuple(known.shown(who, glass=True) for who in glass.people) if glass else (),
        glass_from=found.asked_at + glass.after if glass else None,
        so_far=tuple(row for row in fold_timeline(entries) if row.lane != "people")[-_RECENT:],
        requester=say_person(found.requester, people) if found.requester else "",
        decided_by=" and ".join(say_person(who, people) for who in decision.by) if decision else "",
        now=now,
        run_is_over=run in ended_runs(entries),
    )


class _People:
    """Who may answer a question now, and what keeps the others from it."""

    def __init__(self, context: Context, gate: Gate, now: datetime) -> None:
        self.protocol, self.gate, self.now = context.protocol, gate, now
        self.entries = context.journal.entries(PEOPLE)
        passkeys = fold_passkeys(self.entries, context.settings.signing_key())
        self.have_passkeys = {one.who for one in passkeys.values()}

    def not_asked(self) -> list[str]:
        """Return who decides at this level, or started the run, and is not asked."""
        makers = (who for who in self.protocol.levels[self.gate.level].decision_makers)
        known = [*self.gate.excluded, *makers]
        return [who for who in dict.fromkeys(known) if who in self.protocol.people and who not in self.gate.people]

    def shown(self, who: str, *, glass: bool = False) -> Asked:
        vote = self.gate.standing().get(who)
        refusal = may_vote(self.protocol, self.gate, who, self.now, glass=glass)
        why = self._out(who) or self._locked(who) or self._authored(who)
        person = self.protocol.people.get(who)
        enrolled = who in self.have_passkeys and person is not None and bool(person.proof and person.proof.passkeys)
        answer, at = (vote.answer, vote.time) if vote else ("", None)
        return Asked(who, say_person(who, self.protocol.people), answer, at, refusal is None, why, enrolled)

    def _out(self, who: str) -> str:
        if who in self.gate.excluded:
            started = who == self.gate.requester or len(self.gate.excluded) == 1
            return f"{'started this run' if started else 'started this run or wrote the plan'} and cannot approve it"
        person = self.protocol.people.get(who)
        away = next((one for one in person.away if one.covers(self.now)), None) if person else None
        return f"away until {away.to:%Y-%m-%d %H:%M}" if away else ""

    def _locked(self, who: str) -> str:
        until = locked_until(fold_strikes(self.entries, who))
        return f"codes locked until {until:%H:%M} UTC" if until is not None and self.now < until else ""

    def _authored(self, who: str) -> str:
        names = [
            choice.name
            for choice in self.gate.plan.choices
            if who in {self.protocol.person(name) or name for name in choice.authors}
        ]
        return f"wrote what {' and '.join(names)} carries out, and cannot approve that" if names else ""
