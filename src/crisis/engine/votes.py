"""Votes: one check for every way to decide. The page, the command line, Prefect's form and messages all end here."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import Decision, Gate, fold_gates
from crisis.domain.entry import as_stored
from crisis.domain.incident import ended_runs
from crisis.domain.mandate import Ruling, may_vote, tally
from crisis.domain.person import without_codes
from crisis.domain.plan import CHANGE, NO
from crisis.engine.booth import Answer, Booth, RefusedVote
from crisis.engine.codes import Showing, unproved_by_code
from crisis.engine.passkeys import evidence, unproved_by_passkey
from crisis.errors import JournalError
from crisis.journal.store import AlreadyRecordedError, Journal, MovedOnError

__all__ = ["cast", "decide_by_protocol", "decide_by_silence", "known_answers", "open_gates", "settle"]

_REASON_LIMIT = 2000


def open_gates(journal: Journal, incident: str) -> list[Gate]:
    """Return the gates of an incident that still wait for an answer."""
    entries = journal.entries(incident)
    over = ended_runs(entries)
    return [gate for gate in fold_gates(entries).values() if gate.decision is None and gate.run not in over]


def known_answers(gate: Gate) -> list[str]:
    """Return what may be answered: the ways to go, the recommended one first, then `change` and `no`."""
    return [*(choice.name for choice in gate.plan.choices), CHANGE, NO]


def cast(booth: Booth, gate: Gate, answer: Answer, *, now: datetime | None = None) -> Decision | RefusedVote | None:
    """
    Record an answer, if it counts, and the decision, if that settles it.

    Returns the decision, None while more people are needed, or why the answer was refused.
    `gate` is the gate as it was shown: an answer to a plan that has changed since is refused.
    """
    moment = now or utc_now()
    booth.expect(gate)
    # One human is one voter, by whatever name, spelling or account they come.
    # Half a surrogate pair, which no UTF-8 can hold, becomes a question mark before it costs them their code.
    reason = answer.reason.encode("utf-8", "replace").decode()
    said = replace(answer, who=booth.protocol.person(answer.who) or answer.who, reason=without_codes(reason))
    current, last = _standing(booth, gate)
    refusal = _does_not_fit(booth, current, gate, said, moment) or _unproved(booth, gate, said, moment)
    while refusal is None:
        try:
            booth.journal.append(gate.incident, "voted", said.who, _sealed(booth, gate, said, moment), after=last)
        except MovedOnError:
            # What was written meanwhile may have settled it: nobody's vote stands behind a decision.
            current, last = _standing(booth, gate)
            refusal = _does_not_fit(booth, current, gate, said, moment)
        else:
            return settle(booth, gate)
    return _refuse(booth, gate, said, refusal, moment)


def _standing(booth: Booth, gate: Gate) -> tuple[Gate | None, int]:
    """Return the question as it stands, or None when nothing waits for an answer any more; and the last entry."""
    entries = booth.journal.entries(gate.incident)
    current = fold_gates(entries).get((gate.run, gate.name))
    return None if gate.run in ended_runs(entries) else current, entries[-1].seq if entries else 0


def _sealed(booth: Booth, gate: Gate, said: Answer, moment: datetime) -> dict[str, Any]:
    body: dict[str, Any] = {"run": gate.run, "gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as}
    body |= {"answer": said.answer, "how": said.how, "reason": said.reason[:_REASON_LIMIT]}
    body |= {"proof": "passkey" if said.passkey else "one-time code", "proved_at": write_time(moment)}
    body |= {"steps": sorted(set(said.steps))} if said.steps is not None else {}
    body |= {"glass": True} if said.glass else {}
    body |= evidence(gate, said)
    return {**body, "seal": booth.mark(gate.incident, said.who, body)}


def _refuse(booth: Booth, gate: Gate, said: Answer, because: str, moment: datetime) -> RefusedVote:
    body = {"run": gate.run, "gate": gate.name, "who": said.who[:60], "because": because, "how": said.how}
    # Whoever reaches the page can be refused without end: each reason stands once a minute for each name.
    digest = hashlib.sha256(as_stored(body).encode()).hexdigest()[:16]
    with suppress(AlreadyRecordedError):
        key = f"refused:{digest}:{int(moment.timestamp()) // 60}"
        booth.journal.append(gate.incident, "vote refused", said.how, body, key=key)
    return RefusedVote(because)


def settle(booth: Booth, gate: Gate) -> Decision | None:
    """Record the decision that the genuine votes so far make, once; None while more people are needed."""
    while True:
        current, last = _question(booth, gate)
        if current.asked_as != gate.asked_as or current.decision is not None:
            return current.decision
        ruling = tally(current, booth.votes(current))
        if ruling is None:
            return None
        with suppress(MovedOnError):  # another vote came in: it may make another decision
            return _decide(booth.journal, current, ruling, after=last)


def decide_by_silence(booth: Booth, gate: Gate) -> Decision:
    """Record the stated outcome of silence, unless somebody answered in the last instant."""
    while True:
        current, last = _question(booth, gate)
        ruling = tally(current, booth.votes(current)) or _silence(current, disagreed=bool(booth.votes(current)))
        if current.decision is not None:
            return current.decision
        with suppress(MovedOnError):
            return _decide(booth.journal, current, ruling, after=last, mark=booth.mark_silence(current))


def _question(booth: Booth, gate: Gate) -> tuple[Gate, int]:
    entries = booth.journal.entries(gate.incident)
    return fold_gates(entries)[gate.run, gate.name], entries[-1].seq


def _silence(gate: Gate, *, disagreed: bool) -> Ruling:
    proceed = gate.silence == "proceed"
    choice = gate.plan.choices[0].name if proceed else ""
    reason = "too few people agreed in time" if disagreed else "nobody answered in time"
    return Ruling("silence: proceed" if proceed else "silence: stop", choice, None, (), reason)


def decide_by_protocol(journal: Journal, gate: Gate) -> Decision:
    """Record that protocol.yaml asks nobody about plans of this kind."""
    ruling = Ruling("approved", gate.plan.choices[0].name, None, (), "protocol.yaml asks nobody")
    return _decide(journal, gate, ruling)


def _decide(journal: Journal, gate: Gate, ruling: Ruling, *, after: int | None = None, mark: str = "") -> Decision:
    body: dict[str, Any] = {"run": gate.run, "gate": gate.name, "hash": gate.plan.hash, "asked_as": gate.asked_as}
    body |= {"outcome": ruling.outcome, "choice": ruling.choice, "by": list(ruling.by), "reason": ruling.reason}
    body |= {"steps": list(ruling.only)} if ruling.only is not None else {}
    body |= {"glass": True} if ruling.glass else {}
    body |= {"seal": mark} if mark else {}
    key = f"decided:{gate.run}:{gate.name}:{gate.plan.hash}:{gate.asked_as}"
    with suppress(AlreadyRecordedError):  # somebody was faster: theirs is the one outcome, read back below
        journal.append(
            gate.incident, "decided", ruling.by[0] if ruling.by else _nobody(ruling), body, key=key, after=after
        )
    decision = fold_gates(journal.entries(gate.incident))[gate.run, gate.name].decision
    if decision is None:
        raise JournalError(f"{gate.incident} {gate.name}", wanted="the decision on record", saw="none")
    return decision


def _nobody(ruling: Ruling) -> str:
    return "protocol" if ruling.outcome == "approved" else "silence"


def _does_not_fit(booth: Booth, current: Gate | None, shown: Gate, answer: Answer, now: datetime) -> str | None:
    if current is None:
        return "nothing waits for this answer"
    known = known_answers(current)
    decided = current.decision.outcome if current.decision is not None else ""
    checks = (
        (bool(decided), f"this was decided already: {decided}"),
        (current.asked_as != shown.asked_as, "the plan has changed since you opened it; read it again"),
        (now > current.deadline, "the time to answer is over"),
        (answer.answer not in known, f"{answer.answer[:40]!r} is no answer to this; say one of: {', '.join(known)}"),
        (answer.answer == CHANGE and not answer.reason.strip(), "say in the reason what should be different"),
    )
    found = next((because for fails, because in checks if fails), None)
    found = found or may_vote(booth.protocol, current, answer.who, now, answer=answer.answer, glass=answer.glass)
    return found or _no_part(current, answer)


def _no_part(gate: Gate, answer: Answer) -> str | None:
    """Say why a part cannot be approved, or None."""
    choice = gate.plan.choice(answer.answer)
    if answer.steps is None or choice is None:
        return None
    every = set(range(len(choice.steps)))
    if not answer.steps:
        return "choose at least one step, or say no"
    if not set(answer.steps) <= every:
        return f"{choice.name} has {len(every)} steps, and you named another"
    if set(answer.steps) != every and not choice.severable:
        return f"the steps of {choice.name} belong together: approve all, or ask for a change"
    return None


def _unproved(booth: Booth, gate: Gate, answer: Answer, now: datetime) -> str | None:
    person = booth.protocol.people.get(answer.who)
    if person is None or person.proof is None:
        return f"{answer.who[:40]!r} has no way to prove who they are"
    if answer.passkey:
        # No lock: a signature cannot be guessed, and who guesses codes must not keep the person out.
        says = "protocol.yaml admits no passkey for them"
        return unproved_by_passkey(booth, gate, answer, now) if person.proof.passkeys else says
    if person.proof.totp is None:
        return f"{answer.who} proves who they are by passkey alone"
    shown = Showing(answer.who, answer.code, person.proof.totp, gate.incident, gate.name)
    return unproved_by_code(booth.journal, shown, now)
