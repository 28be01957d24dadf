"""Filling: each thing that a notice must contain, from what people wrote, from facts, or marked as unknown."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crisis.disclosure.tongue import Words
from crisis.domain.clock import parse_time
from crisis.domain.disclosure.dossier import Dossier, Passage, fact_of
from crisis.domain.law.duties import Ruling
from crisis.domain.law.fact import NEVER, Number, Statement
from crisis.domain.law.instrument import Item

__all__ = ["fill", "say_moment"]

_UNTIL = re.compile(r"(?i)unknown until (\d{4}-\d{2}-\d{2})\.?")
_DERIVED = frozenset({
    "nature", "happened", "when", "times", "discovery", "people", "records", "data", "malicious", "cross-border",
    "reasons", "police", "told-number",
})  # fmt: skip
"""Items that facts alone can say. Of any other, a fact only decides whether it is needed: a person writes it."""

_BY_FACT = frozenset({"breach_of", "data_kinds", "risk", "harm"})
"""Facts whose choices each language says in its own words."""


def fill(ruling: Ruling, dossier: Dossier, words: Words) -> tuple[Passage, ...]:
    """Return a passage for each item that a duty's notice must contain, in its order."""
    filler = _Filler(dossier, words, ruling)
    return tuple(filler.passage(item) for item in ruling.duty.must_contain)


def say_moment(moment: datetime, zone: ZoneInfo) -> str:
    """Say a moment in UTC and as the recipient's clock shows it."""
    local = moment.astimezone(zone)
    utc = f"{moment:%Y-%m-%d %H:%M} UTC"
    return utc if local.utcoffset() == moment.utcoffset() else f"{utc} ({local:%Y-%m-%d %H:%M} {local.tzname()})"


class _Filler:
    def __init__(self, dossier: Dossier, words: Words, ruling: Ruling) -> None:
        self.dossier, self.words, self.ruling = dossier, words, ruling
        self.zone = ZoneInfo(ruling.instrument.zone)

    def passage(self, item: Item) -> Passage:
        about = {"item": item.id, "says": item.says, "where": item.where}
        written = self.dossier.stated(fact_of(item))
        if written is not None:
            until = _UNTIL.fullmatch(str(written.value))
            if until is None:
                return Passage(**about, text=str(written.value), basis=written.evidence, state="stated")
            text = self.words.labels["expected"].format(date=date.fromisoformat(until[1]))
            return Passage(**about, text=text, state="unknown")
        lines, basis = self._derived(item)
        if lines:
            return Passage(**about, text="\n\n".join(lines), basis="; ".join(basis), state="derived")
        return Passage(**about, text=self.words.labels["open"], state="unknown")

    def _derived(self, item: Item) -> tuple[list[str], list[str]]:
        if item.id == "measures" and self.dossier.measures:
            return [self._measures()], []
        own = self._own(item)
        if own is not None:
            return ([own] if own else []), []
        if item.id not in _DERIVED:
            return [], []
        found = [(name, said) for name in item.from_facts if (said := self.dossier.stated(name)) is not None]
        lines = [line for name, said in found if (line := self._fact(name, said))]
        return lines, list(dict.fromkeys(said.evidence for _, said in found if said.evidence))

    def _own(self, item: Item) -> str | None:
        """Say what protocol.yaml and the day say; None for an item that is neither."""
        if item.id == "title":
            return self.ruling.duty.title
        if item.id == "contact":
            return self._contact()
        if item.id == "sender":
            return self._sender()
        return f"{self.dossier.now.astimezone(self.zone):%Y-%m-%d}" if item.id == "date" else None

    def _measures(self) -> str:
        says = self.words.labels["times"]
        each = [(self.words.measures[one.action], say_moment(one.first, self.zone)) for one in self.dossier.measures]
        return "\n".join(f"- {says.format(measure=measure, date=at)}" for measure, at in dict(each).items())

    def _contact(self) -> str:
        contact = self.dossier.law.contact
        if contact is None:
            return ""
        return ", ".join(filter(None, (contact.name, contact.role, contact.email, contact.phone)))

    def _sender(self) -> str:
        where = [one for one in (self.dossier.law.address, self._contact()) if one]
        return ", ".join((self.dossier.company, *where)) if where else ""

    def _fact(self, name: str, said: Statement) -> str:
        """Say one fact in words; empty where its value says that nobody knows."""
        told = self._value(name, said.value)
        label = self.words.facts.get(name, name.replace("_", " "))
        return f"{label}: {told}" if told else ""

    def _value(self, name: str, value: Any) -> str:
        if name in _BY_FACT:
            told: Mapping[str, str] = getattr(self.words, name)
            return "; ".join(told[one] for one in (value if isinstance(value, list) else [value]))
        if isinstance(value, bool):
            return self.words.labels["yes" if value else "no"]
        if isinstance(value, dict):
            return self._people(value) if name == "people" else self.words.count(Number.model_validate(value))
        return "" if value == NEVER else self._moment_or_text(str(value))

    def _moment_or_text(self, value: str) -> str:
        try:
            return say_moment(parse_time(value), self.zone)
        except ValueError:
            return value

    def _people(self, by_place: Mapping[str, Any]) -> str:
        """Say how many in the recipient's place, where people were counted by place, and in all."""
        place, facts = self.ruling.instrument.place, self.dossier.facts
        everywhere, here = self.words.count(facts.people()), self.words.count(facts.people(place))
        if not here or here == everywhere or set(by_place) <= {place}:
            return everywhere
        says = self.words.labels["in_place"].format(number=here, place=place)
        return self.words.labels["in_all"].format(here=says, number=everywhere) if everywhere else says
