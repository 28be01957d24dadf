"""Votes: one check for every way to decide. The page, the command line and Prefect's form all end here."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from crisis.domain.clock import utc_now
from crisis.domain.decision import Decision, Gate, Outcome, fold_gates
from crisis.domain.incident import ended_runs
from crisis.domain.person import STRIKES, fold_strikes, locked_until, matching_step
from crisis.domain.protocol import Protocol
from crisis.errors import JournalError, ProtocolError
from crisis.journal.store import AlreadyRecordedError, Journal
from crisis.settings import read_reference

__all__ = ["NO", "Answer", "RefusedVote", "cast", "decide_by_protocol", "decide_by_silence", "open_gates", "settle"]

NO = "no"
"""The answer that declines a plan; any other answer is the name of one of its choices."""

_PEOPLE = "PEOPLE"
_REASON_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said at a gate, and by which way. `code` is their one-time code."""

    who: str
    answer: str
    code: str
    reason: str = ""
    how: Literal["page", "command line", "Prefect form"] = "page"


@dataclass(frozen=True, slots=True)
class RefusedVote:
    """Why an answer does not count, in words for the person who gave it."""

    because: str


def open_gates(journal: Journal, incident: str) -> list[Gate]:
    """Return the gates of an incident that still wait for an answer."""
    entries = journal.entries(incident)
    over = ended_runs(entries)
    return [gate for gate in fold_gates(entries).values() if gate.decision is None and gate.run not in over]


def cast(
    journal: Journal,
    protocol: Protocol,
    gate: Gate,
    answer: Answer,
    *,
    now: datetime | None = None,
) -> Decision | RefusedVote | None:
    """
    Record an answer, if it counts, and the decision, if that settles it.

    Returns the decision, None while more people are needed, or why the answer was refused.
    `gate` is the gate as it was shown: an answer to a plan that has changed since is refused.
    """
    moment = now or utc_now()
    entries = journal.entries(gate.incident)
    current = fold_gates(entries).get((gate.run, gate.name))
    if gate.run in ended_runs(entries):
        current = None  # nothing waits for this answer any more
    refusal = _does_not_fit(current, gate, answer, moment) or _unproved(journal, protocol, gate, answer, moment)
    if refusal is not None or current is None:
        because = refusal or "nothing waits for this answer"
        body = {"run": gate.run, "gate": gate.name, "who": answer.who[:60], "because": because, "how": answer.how}
        journal.append(gate.incident, "vote refused", answer.how, body)
        return RefusedVote(because)
    body = {"run": gate.run, "gate": gate.name, "hash": gate.plan.hash, "answer": answer.answer, "how": answer.how}
    journal.append(gate.incident, "voted", answer.who, {**body, "reason": answer.reason[:_REASON_LIMIT]})
    return settle(journal, gate)


def settle(journal: Journal, gate: Gate) -> Decision | None:
    """Record the decision that the votes so far make, once; None while more people are needed."""
    current = fold_gates(journal.entries(gate.incident))[gate.run, gate.name]
    if current.plan.hash != gate.plan.hash or current.decision is not None:
        return current.decision
    votes = current.standing()
    against = [vote for vote in votes.values() if vote.answer == NO]
    if against:
        return _decide(journal, current, "declined", "", [against[0].who], against[0].reason)
    for choice in current.plan.choices:
        agreed = [vote for vote in votes.values() if vote.answer == choice.name]
        if len(agreed) >= max(current.needed, 1):
            return _decide(journal, current, "approved", choice.name, [vote.who for vote in agreed], agreed[-1].reason)
    return None


def decide_by_silence(journal: Journal, gate: Gate) -> Decision:
    """Record the stated outcome of silence, unless somebody answered in the last instant."""
    proceed = gate.silence == "proceed"
    choice = gate.plan.choices[0].name if proceed else ""
    outcome: Outcome = "silence: proceed" if proceed else "silence: stop"
    return _decide(journal, gate, outcome, choice, [], "nobody answered in time")


def decide_by_protocol(journal: Journal, gate: Gate) -> Decision:
    """Record that protocol.yaml asks nobody about plans of this kind."""
    return _decide(journal, gate, "approved", gate.plan.choices[0].name, [], "protocol.yaml asks nobody")


def _decide(journal: Journal, gate: Gate, outcome: Outcome, choice: str, by: list[str], reason: str) -> Decision:
    body: dict[str, Any] = {"run": gate.run, "gate": gate.name, "hash": gate.plan.hash, "outcome": outcome}
    body |= {"choice": choice, "by": by, "reason": reason}
    key = f"decided:{gate.run}:{gate.name}:{gate.plan.hash}:{gate.asked_as}"
    with suppress(AlreadyRecordedError):  # somebody was faster: theirs is the one outcome, read back below
        journal.append(gate.incident, "decided", by[0] if by else _nobody(outcome), body, key=key)
    decision = fold_gates(journal.entries(gate.incident))[gate.run, gate.name].decision
    if decision is None:
        raise JournalError(f"{gate.incident} {gate.name}", wanted="the decision on record", saw="none")
    return decision


def _nobody(outcome: Outcome) -> str:
    return "protocol" if outcome == "approved" else "silence"


def _does_not_fit(current: Gate | None, shown: Gate, answer: Answer, now: datetime) -> str | None:
    if current is None:
        return "nothing waits for this answer"
    known = [choice.name for choice in current.plan.choices] + [NO]
    decided = current.decision.outcome if current.decision is not None else ""
    checks = (
        (bool(decided), f"this was decided already: {decided}"),
        (current.plan.hash != shown.plan.hash, "the plan has changed since you opened it; read it again"),
        (now > current.deadline, "the time to answer is over"),
        (answer.answer not in known, f"{answer.answer[:40]!r} is no answer to this; say one of: {', '.join(known)}"),
        (bool(answer.who) and answer.who == current.requester, "who started the run cannot approve it"),
        (answer.who not in current.people, f"{answer.who[:40]!r} is not asked; asked are: {', '.join(current.people)}"),
    )
    return next((because for fails, because in checks if fails), None)


def _unproved(journal: Journal, protocol: Protocol, gate: Gate, answer: Answer, now: datetime) -> str | None:
    person = protocol.people.get(answer.who)
    if person is None or person.proof is None:
        return f"{answer.who[:40]!r} has no way to prove who they are"
    strikes = fold_strikes(journal.entries(_PEOPLE), answer.who)
    until = locked_until(strikes)
    if until is not None and now < until:
        return f"locked after {STRIKES} wrong codes until {until:%H:%M} UTC"
    step = _step_of(person.proof.totp, answer, now)
    if step is None:
        return _strike(journal, gate, answer, "wrong or outdated code")
    try:
        # One key per person and step: a code is good once, whatever the number of gates, ways and processes.
        key = f"code:{answer.who}:{step}"
        journal.append(_PEOPLE, "code accepted", answer.who, {"incident": gate.incident}, key=key)
    except AlreadyRecordedError as used:
        says = "this code was used already; wait for the next one"
        # A double click is no guess; the same code at another incident may be one.
        return says if used.entry.body.get("incident") == gate.incident else _strike(journal, gate, answer, says)
    return None


def _step_of(reference: str, answer: Answer, now: datetime) -> int | None:
    secret = read_reference(reference).get_secret_value()
    try:
        return matching_step(secret, answer.code.strip(), now)
    except ProtocolError as error:
        raise ProtocolError(f"{answer.who}: {reference}", wanted=error.wanted, saw=error.saw, then=error.then) from None


def _strike(journal: Journal, gate: Gate, answer: Answer, because: str) -> str:
    journal.append(_PEOPLE, "code refused", answer.who, {"because": because, "incident": gate.incident})
    return because
