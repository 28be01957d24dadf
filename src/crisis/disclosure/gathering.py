"""Gathering: the dossier of an incident, from its journal and the law's reading of it."""

from collections.abc import Sequence

from crisis.disclosure.tongue import words_of
from crisis.domain.disclosure.dossier import Dossier, measures_of
from crisis.domain.entry import Entry
from crisis.domain.incident import fold_incident
from crisis.domain.law.fact import STATED, WITHDRAWN
from crisis.domain.law.receipt import FILED
from crisis.domain.protocol import Protocol
from crisis.law import Reading

__all__ = ["gather"]


def gather(incident: str, entries: Sequence[Entry], reading: Reading, protocol: Protocol) -> Dossier:
    """
    Return all that a notice may say.

    Its time is that of the last fact, measure or receipt: the same facts are the same text, whenever it is drawn up.
    """
    allowed = words_of("en").measures
    telling = [
        entry.time
        for entry in entries
        if entry.kind in (STATED, WITHDRAWN, FILED) or (entry.kind == "done" and entry.body.get("action") in allowed)
    ]
    return Dossier(
        incident=incident,
        company=protocol.company,
        law=protocol.law,
        facts=reading.facts,
        measures=measures_of(entries, allowed),
        receipts=tuple(reading.case.receipts.values()),
        opened=reading.case.opened,
        now=max(telling, default=reading.case.opened),
        drill=fold_incident(incident, entries).drill,
    )
