"""Closing: a person puts on record that a task is done, and what shows it."""

from crisis.domain.checklist import HandTask, closing, fold_tasks
from crisis.domain.entry import Entry
from crisis.domain.protocol import Protocol
from crisis.domain.redaction import Mask
from crisis.errors import ProtocolError, UnauthorisedError
from crisis.journal.store import Journal

__all__ = ["close_task"]

_SHORTEST = 8


def close_task(
    journal: Journal, protocol: Protocol, key: bytes, *, incident: str, task: str, who: str, evidence: str
) -> Entry | None:
    """
    Close a task in somebody's name, with a text or a link as evidence; None when it is closed already.

    The evidence is masked before it is written. ProtocolError for a task that is none or evidence that says nothing;
    UnauthorisedError for somebody who is not one of protocol.yaml's people.
    """
    person = protocol.person(who) or (who if who in protocol.people else None)
    if person is None:
        then = "close it as one of protocol.yaml's people"
        raise UnauthorisedError(task, wanted="a named person", saw=who or "nobody", then=then)
    found: HandTask | None = fold_tasks(journal.entries(incident), key).get(task)
    if found is None:
        raise ProtocolError(task, wanted="a task of this incident", saw="none", then="look which are open")
    if found.closed is not None:
        return None
    said = Mask()(" ".join(evidence.split()))
    if len(said) < _SHORTEST:
        raise ProtocolError(task, wanted=f"evidence: {found.wanted}", saw="nothing", then="say what you saw, or a link")
    return journal.append(incident, "task closed", person, closing(incident, task, person, said, key))
