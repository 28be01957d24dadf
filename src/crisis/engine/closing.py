"""Closing: a person puts on record that a task is done, and what shows it; a one-time code proves who it is."""

from dataclasses import dataclass, field
from datetime import datetime

from crisis.domain.checklist import HandTask, Proof, closing, fold_tasks
from crisis.domain.clock import utc_now, write_time
from crisis.domain.decision import fold_gates
from crisis.domain.entry import Entry
from crisis.domain.redaction import Mask
from crisis.engine.booth import Booth, RefusedVote, Way
from crisis.engine.codes import Showing, unproved_by_code
from crisis.errors import ProtocolError
from crisis.journal.store import MovedOnError

__all__ = ["SHORTEST", "Claim", "close_task"]

SHORTEST = 8
"""Characters that evidence has at least."""


@dataclass(frozen=True, slots=True)
class Claim:
    """That a task is done: who says so, what shows it, and the code that proves who they are."""

    who: str
    evidence: str
    code: str = field(default="", repr=False)
    how: Way = "page"


def close_task(
    booth: Booth, incident: str, task: str, claim: Claim, *, now: datetime | None = None
) -> Entry | RefusedVote | None:
    """
    Close a task in somebody's name, once they have proved it; None when it is closed already.

    Returns why it does not count where they have not. The evidence is masked before it is written. ProtocolError for a
    task that is none or evidence that says nothing: these cost no code.
    """
    moment = now or utc_now()
    who = booth.protocol.person(claim.who) or claim.who
    # Half a surrogate pair, which no UTF-8 can hold, becomes a question mark.
    evidence = Mask()(" ".join(claim.evidence.encode("utf-8", "replace").decode().split()))
    refusal, proved = None, False
    while True:
        found, last = _standing(booth, incident, task)
        if found.closed is not None:
            return None
        if len(evidence) < SHORTEST:
            then = "say what you saw, or a link"
            raise ProtocolError(task, wanted=f"evidence: {found.wanted}", saw="nothing", then=then)
        if not proved:
            refusal, proved = _unproved(booth, incident, task, who, claim.code, moment), True
        if refusal is not None:
            return RefusedVote(refusal)
        proof = Proof(how=claim.how, proved_at=write_time(moment))
        try:
            body = closing(incident, task, who, evidence, proof, booth.key)
            return booth.journal.append(incident, "task closed", who, body, after=last)
        except MovedOnError:
            continue  # somebody may have closed it meanwhile


def _standing(booth: Booth, incident: str, task: str) -> tuple[HandTask, int]:
    entries = booth.journal.entries(incident)
    found = fold_tasks(entries, booth.key).get(task)
    if found is None:
        raise ProtocolError(task, wanted="a task of this incident", saw="none", then="look which are open")
    for gate in fold_gates(entries).values():
        booth.expect(gate)
    return found, entries[-1].seq


def _unproved(booth: Booth, incident: str, task: str, who: str, code: str, now: datetime) -> str | None:
    person = booth.protocol.people.get(who)
    if person is None or person.proof is None:
        return f"{who[:40]!r} has no way to prove who they are"
    if person.proof.totp is None:
        return f"{who} proves who they are by passkey alone, and a task is closed with a one-time code"
    return unproved_by_code(booth.journal, Showing(who, code, person.proof.totp, incident, f"task {task}"), now)
