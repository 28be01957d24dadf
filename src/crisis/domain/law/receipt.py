"""Receipt: a notice that was handed in, when and under which reference. It stops one clock and may start others."""

from collections.abc import Iterable

from pydantic import AwareDatetime

from crisis.domain.clock import parse_time
from crisis.domain.entry import Entry
from crisis.domain.law.fact import WITHDRAWN, is_ours
from crisis.domain.model import Strict, Text

__all__ = ["FILED", "Receipt", "fold_receipts"]

FILED = "notice filed"
"""The kind of the entry by which a person records a receipt."""


class Receipt(Strict):
    """That the notice which a duty asks for was handed in: when, by whom, and what the recipient gave back."""

    number: int
    duty: Text
    at: AwareDatetime
    by: Text
    reference: str


def fold_receipts(entries: Iterable[Entry], key: bytes | None = None) -> dict[str, Receipt]:
    """Read the receipts out of an incident's entries, by duty; the first counts: it is what was in time or late."""
    found = dict[str, Receipt]()
    for entry in entries:
        if entry.kind == FILED and is_ours(entry, key):
            body = entry.body
            about = {"duty": body["duty"], "at": parse_time(body["at"]), "reference": body["reference"]}
            found.setdefault(str(body["duty"]), Receipt(number=entry.seq, by=entry.actor, **about))
        elif entry.kind == WITHDRAWN and is_ours(entry, key):
            found = {duty: one for duty, one in found.items() if one.number != entry.body["number"]}
    return found
