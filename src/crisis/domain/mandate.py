"""Mandate: who may decide on a plan, what their votes make, and whether a decision still covers a step. No I/O."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crisis.domain.decision import Decision, Gate, Outcome, Vote
from crisis.domain.level import Level
from crisis.domain.plan import CHANGE, NO, Choice
from crisis.domain.protocol import Gate as Rule
from crisis.domain.protocol import Protocol

__all__ = ["GLASS", "Ladder", "Ruling", "ladder", "may_vote", "tally", "why_void"]

GLASS = 2
"""How many people break glass together."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Who is asked: at once, then rung by rung. Nobody stands on two rungs."""

    first: tuple[str, ...]
    deputies: tuple[tuple[str, ...], ...]
    above: tuple[str, ...]

    @property
    def everybody(self) -> frozenset[str]:
        """Whoever may be asked."""
        return frozenset((*self.first, *(who for rung in self.deputies for who in rung), *self.above))


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the votes so far make of a gate."""

    outcome: Outcome
    choice: str
    only: tuple[int, ...] | None
    by: tuple[str, ...]
    reason: str
    glass: bool = False


def ladder(protocol: Protocol, level: Level, needed: int, moment: datetime, excluded: Iterable[str]) -> Ladder:
    """
    Return who is asked at a level, in order.

    A decision maker who is away, or who may not decide on this plan, is replaced by their deputy at once. Where that
    leaves fewer people than must agree, the next rungs are asked at once too.
    """
    out = set(excluded)
    rule = protocol.levels[level]

    def can(who: str) -> bool:
        return who not in out and not protocol.people[who].is_away(moment)

    first: list[str] = []
    for maker in rule.decision_makers:
        stand_in = next((who for who in _chain(protocol, maker) if can(who)), None)
        if stand_in is not None and stand_in not in first:
            first.append(stand_in)
    rungs: list[tuple[str, ...]] = []
    known = set(first)
    last = tuple(first)
    while last:
        deputies = [protocol.people[who].deputy for who in last]
        last = tuple(dict.fromkeys(who for who in deputies if who and who not in known))
        known.update(last)
        if any(can(who) for who in last):
            rungs.append(tuple(who for who in last if can(who)))
    above = tuple(who for who in _above(protocol, level) if who not in known and can(who))
    while len(first) < max(needed, 1) and (rungs or above):
        first += rungs.pop(0) if rungs else above
        above = () if set(above) <= set(first) else above
    return Ladder(tuple(first), tuple(rungs), above)


def _chain(protocol: Protocol, who: str) -> Iterable[str]:
    found: str | None = who
    while found is not None:
        yield found
        found = protocol.people[found].deputy


def _above(protocol: Protocol, level: Level) -> tuple[str, ...]:
    named = protocol.levels[level].above
    if named or level is Level.CRITICAL:
        return named
    return protocol.levels[Level(level - 1)].decision_makers


def may_vote(
    protocol: Protocol, gate: Gate, who: str, moment: datetime, *, answer: str = "", glass: bool = False
) -> str | None:
    """Say why somebody cannot give an answer at a gate now, or None."""
    if who in gate.excluded:
        return "who started the run cannot approve it"
    if who in _authors(protocol, gate, answer):
        return f"who wrote what {answer} carries out cannot approve it; the other answers are open to you"
    person = protocol.people.get(who)
    away = next((one for one in person.away if one.covers(moment)), None) if person is not None else None
    if away is not None:
        return f"protocol.yaml says that {who} is away until {away.to:%Y-%m-%d %H:%M}"
    if glass:
        only_yes = "glass is broken to go ahead; to stop a plan, or to change it, is for those who are asked"
        return only_yes if answer in (NO, CHANGE) else _no_glass(protocol, gate, who, moment)
    if who not in gate.people:
        return f"{who[:40]!r} is not asked; asked are: {', '.join(gate.people)}"
    known = ladder(protocol, gate.level, gate.needed, gate.asked_at, gate.excluded).everybody
    return None if who in known or person is None else f"protocol.yaml lets {who} decide nothing at {gate.level.title}"


def _no_glass(protocol: Protocol, gate: Gate, who: str, moment: datetime) -> str | None:
    rule = protocol.break_glass
    if rule is None:
        return "protocol.yaml lets nobody break glass"
    if who not in rule.people:
        return f"{who[:40]!r} may not break glass; those who may: {', '.join(rule.people)}"
    opens = gate.asked_at + rule.after
    return f"glass may be broken from {opens:%H:%M:%S} UTC on, when the ladder stays silent" if moment < opens else None


def _authors(protocol: Protocol, gate: Gate, answer: str) -> set[str]:
    choice = gate.plan.choice(answer)
    return {protocol.person(name) or name for name in choice.authors} if choice is not None else set()


def tally(gate: Gate, votes: Iterable[Vote] | None = None) -> Ruling | None:
    """
    Say what the votes so far make, or None while more people are needed.

    One no stops the plan, and one wish for a change ends the question. A step goes ahead when as many distinct people
    as are needed approved it in the same way to go; two who break glass are enough by themselves.
    """
    standing = list(({vote.who: vote for vote in votes} if votes is not None else gate.standing()).values())
    for answer, outcome in ((NO, "declined"), (CHANGE, "change asked")):
        said = next((vote for vote in standing if vote.answer == answer and not vote.glass), None)
        if said is not None:
            return Ruling("declined" if outcome == "declined" else "change asked", "", None, (said.who,), said.reason)
    for choice in gate.plan.choices:
        agreed = [vote for vote in standing if vote.answer == choice.name]
        for glass, needed in ((False, max(gate.needed, 1)), (True, GLASS)):
            found = _agreed(choice, [vote for vote in agreed if vote.glass is glass], needed)
            if found is not None:
                by = tuple(vote.who for vote in agreed if vote.glass is glass)
                only = None if len(found) == len(choice.steps) else found
                return Ruling("approved", choice.name, only, by, agreed[-1].reason, glass)
    return None


def _agreed(choice: Choice, votes: list[Vote], needed: int) -> tuple[int, ...] | None:
    if len(votes) < needed:
        return None
    steps = range(len(choice.steps))
    counts = Counter(step for vote in votes for step in (steps if vote.steps is None else set(vote.steps)))
    found = tuple(step for step in steps if counts[step] >= needed)
    return found or None


def why_void(
    protocol: Protocol,
    rule: Rule,
    gate: Gate,
    decision: Decision,
    *,
    level: Level,
    excluded: Iterable[str],
    votes: Iterable[Vote],
    now: datetime,
    begun: bool,
) -> str | None:
    """
    Say why a decision does not carry its steps (any more), or None when it does.

    Everything is worked out again from the votes and from protocol.yaml: what the journal's own summary says counts
    for nothing. `rule` is the strictest of the gates that the plan's steps need, `now` the moment at which a step
    would begin; one that had `begun` before a crash may go on however late it is.
    """
    if level != gate.level:
        return f"it was taken at {gate.level.title}, and now it is {level.title}"
    votes = list(votes)
    before = [vote for vote in votes if vote.seq < decision.seq]
    if decision.outcome == "silence: proceed":
        # An answer in time counts however late it was written down.
        in_time = [vote for vote in votes if vote.time <= gate.deadline]
        return _why_no_silence(rule, gate, decision, in_time, now) or _why_stale(
            gate.deadline, rule.good_for, now, begun
        )
    if rule.needed == 0:
        recommended = (decision.outcome, decision.choice, decision.only) == (
            "approved",
            gate.plan.choices[0].name,
            None,
        )
        return None if recommended else "where nobody is asked, only the recommended way goes ahead"
    counted = [vote for vote in before if _counts(protocol, gate, vote, level, set(excluded))]
    ruling = tally(replace(gate, needed=rule.needed), counted)
    if ruling is None:
        return f"it has fewer valid votes than the {rule.needed} it needs"
    same = (ruling.choice, ruling.only, ruling.glass) == (decision.choice, decision.only, decision.glass)
    if ruling.outcome != "approved" or not same:
        return "the valid votes say something else"
    glass = protocol.break_glass.good_for if ruling.glass and protocol.break_glass else rule.good_for
    return _why_stale(max(vote.time for vote in counted), glass, now, begun)


def _why_stale(since: datetime, good_for: timedelta, now: datetime, begun: bool) -> str | None:  # noqa: FBT001
    late = not begun and now > since + good_for
    return f"it was taken at {since:%H:%M:%S} UTC and has run out" if late else None


def _counts(
    protocol: Protocol,
    gate: Gate,
    vote: Vote,
    level: Level,
    excluded: set[str],
) -> bool:
    if vote.who in excluded or vote.who in _authors(protocol, gate, vote.answer):
        return False
    if vote.who not in protocol.people or protocol.people[vote.who].is_away(vote.time):
        return False
    if vote.time > gate.deadline:
        return False
    if vote.glass:
        rule = protocol.break_glass
        return rule is not None and vote.who in rule.people and vote.time >= gate.asked_at + rule.after
    return vote.who in ladder(protocol, level, gate.needed, gate.asked_at, excluded).everybody


def _why_no_silence(rule: Rule, gate: Gate, decision: Decision, votes: list[Vote], now: datetime) -> str | None:
    first = gate.plan.choices[0]
    if decision.choice != first.name or decision.only is not None:
        return "silence carries only the recommended way"
    if not rule.proceeds(frozenset(step.action for step in first.steps), gate.level):
        return f"silence lets nothing of this go ahead at {gate.level.title}"
    if now < gate.deadline:
        return "the time to answer was not over"
    return "somebody answered" if any(vote.answer in (NO, CHANGE) for vote in votes) else None
