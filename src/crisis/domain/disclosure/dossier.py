"""Dossier: what a notice may say of an incident. Only what stands here goes out; nothing else of the record does."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime

from crisis.domain.entry import Entry
from crisis.domain.law.fact import Facts, Statement
from crisis.domain.law.instrument import Item
from crisis.domain.law.receipt import Receipt
from crisis.domain.model import Strict, Text
from crisis.domain.protocol import Law

__all__ = ["TEXT", "Dossier", "Measure", "Passage", "State", "fact_of", "measures_of"]

TEXT = "text_"
"""How the name of a fact begins that is a passage of a notice, written by a person."""

State = Literal["stated", "derived", "unknown"]


class Measure(Strict):
    """What was done about it, by the name of its action, when it was first done, and how often."""

    action: Text
    first: AwareDatetime
    times: int


class Passage(Strict):
    """
    One thing that a notice must contain: what the law wants and where it says so, and the text, with its basis.

    stated    a person wrote it
    derived   it follows from facts that people stated, or from what was done
    unknown   nobody knows it yet; the text says so, and by when it is expected where somebody has said that
    """

    item: Text
    says: Text
    where: str = ""
    text: str
    basis: str = ""
    state: State


class Dossier(Strict):
    """All that a notice draws from."""

    incident: Text
    company: Text
    law: Law
    facts: Facts
    measures: tuple[Measure, ...]
    receipts: tuple[Receipt, ...] = ()
    opened: AwareDatetime
    now: AwareDatetime
    drill: bool = False

    def stated(self, fact: str) -> Statement | None:
        """Return the newest statement of a fact about which nobody contradicts; None where there is none."""
        said = self.facts.of(fact)
        return said[-1] if said and self.facts.value(fact) is not None else None


def measures_of(entries: Iterable[Entry], allowed: Mapping[str, object]) -> tuple[Measure, ...]:
    """Return what was done, in order, of the actions that a notice may name, and no other word of them."""
    first, times = dict[str, datetime](), dict[str, int]()
    for entry in entries:
        action = str(entry.body.get("action", ""))
        if entry.kind == "done" and action in allowed:
            first.setdefault(action, entry.time)
            times[action] = times.get(action, 0) + 1
    return tuple(Measure(action=action, first=at, times=times[action]) for action, at in first.items())


def fact_of(item: Item) -> str:
    """Return the name of the fact by which a person writes the passage for an item."""
    return TEXT + item.id.replace("-", "_")
