"""Filling: each thing that a notice must contain, from what people wrote, from facts, or marked as unknown."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crisis.disclosure.escaping import as_text
from crisis.disclosure.tongue import Words
from crisis.domain.clock import parse_time
from crisis.domain.disclosure.dossier import Dossier, Passage, fact_of
from crisis.domain.law.duties import Ruling
from crisis.domain.law.fact import NEVER, Number, Statement
from crisis.domain.law.instrument import Item
from crisis.domain.protocol import Law

__all__ = ["fill", "fill_fact", "fill_items", "say_contact", "say_moment"]

_UNTIL = re.compile(r"(?i)unknown until (\d{4}-\d{2}-\d{2})\.?")
_QUOTED = re.compile(r'"([^"]+)"')
_UTC = ZoneInfo("UTC")
_DERIVED = frozenset({
    "nature", "happened", "when", "times", "discovery", "people", "records", "data", "malicious", "cross-border",
    "reasons", "police", "told-number", "scope", "timing",
})  # fmt: skip
"""Items that facts alone can say. Of any other, a fact only decides whether it is needed: a person writes it."""

_BARE = frozenset({"nature", "people", "when", "data", "records", "malicious", "reasons"})
"""Items whose heading says already what their only fact is."""

_BY_FACT = frozenset({"breach_of", "data_kinds", "risk", "harm"})
"""Facts whose choices each language says in its own words."""


def fill(ruling: Ruling, dossier: Dossier, words: Words) -> tuple[Passage, ...]:
    """Return a passage for each item that a duty's notice must contain, in its order."""
    place, zone = ruling.instrument.place, ZoneInfo(ruling.instrument.zone)
    return fill_items(ruling.duty.must_contain, dossier, words, ruling.duty.title, place, zone)


def fill_items(
    items: Iterable[Item], dossier: Dossier, words: Words, title: str, place: str = "", zone: ZoneInfo = _UTC
) -> tuple[Passage, ...]:
    """Return a passage for each of these items, as the clocks of a zone and the people of a place have it."""
    filler = _Filler(dossier, words, title, place, zone)
    return tuple(filler.passage(item) for item in items)


def fill_fact(name: str, dossier: Dossier, words: Words, zone: ZoneInfo = _UTC) -> Passage:
    """Return a passage for a fact that a language has a word for; KeyError for another."""
    return _Filler(dossier, words, "", "", zone).of_fact(name, words.facts[name])


def say_moment(moment: datetime, zone: ZoneInfo) -> str:
    """Say a moment in UTC and as the recipient's clock shows it."""
    local = moment.astimezone(zone)
    utc = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return utc if local.utcoffset() == moment.utcoffset() else f"{utc} ({local:%Y-%m-%d %H:%M} {local.tzname()})"


def say_contact(law: Law) -> str:
    """Say whom to ask, as protocol.yaml names them; empty where it names nobody."""
    contact = law.contact
    return ", ".join(filter(None, (contact.name, contact.role, contact.email, contact.phone))) if contact else ""


def _sentence(text: str) -> str:
    whole = f"{text[0].upper()}{text[1:]}"
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."


class _Filler:
    def __init__(self, dossier: Dossier, words: Words, title: str, place: str, zone: ZoneInfo) -> None:
        self.dossier, self.words = dossier, words
        self.title, self.place, self.zone = title, place, zone

    def passage(self, item: Item) -> Passage:
        about = {"item": item.id, "says": item.says, "where": item.where}
        written = self.dossier.stated(fact_of(item))
        if written is not None:
            until = _UNTIL.fullmatch(str(written.value).strip())
            if until is None and as_text(written.value):
                return Passage(**about, text=str(written.value), basis=self._basis([written]), state="stated")
            if until is not None:
                return Passage(**about, text=self._expected(until[1]), state="unknown")
        lines, basis, whole = self._derived(item)
        if lines:
            return Passage(**about, text="\n".join(lines), basis=basis, state="derived" if whole else "unknown")
        return Passage(**about, text=self.words.labels["open"], state="unknown")

    def _expected(self, day: str) -> str:
        """Say by when it will be known; a day that no calendar has is none."""
        try:
            return self.words.labels["expected"].format(date=date.fromisoformat(day))
        except ValueError:
            return self.words.labels["open"]

    def of_fact(self, name: str, label: str) -> Passage:
        """Return what is stated of one fact, without its label."""
        said = self.dossier.stated(name)
        text = self._value(name, said.value) if said is not None else ""
        if said is None or not text:
            until = _UNTIL.fullmatch(str(said.value).strip()) if said is not None else None
            text = self._expected(until[1]) if until else self.words.labels["unstated"]
            return Passage(item=name, says=label, text=text, state="unknown")
        return Passage(item=name, says=label, text=text, basis=self._basis([said]), state="derived")

    def _basis(self, said: Iterable[Statement]) -> str:
        """Say on what statements rest, each evidence once."""
        evidence = dict.fromkeys(one.evidence or self.words.labels["no_basis"] for one in said)
        return "; ".join(evidence)

    def _derived(self, item: Item) -> tuple[list[str], str, bool]:
        """Return what facts say of an item, a line for each, on what they rest, and whether that is all of it."""
        if item.id == "measures" and self.dossier.measures:
            return self._measures(), self.words.labels["own_record"], True
        own = self._own(item)
        if own is not None:
            return ([own] if own else []), "", True
        if item.id not in _DERIVED:
            return [], "", True
        found = {name: self.dossier.stated(name) for name in self._facts_for(item)}
        told = [(line, said) for name, said in found.items() if said and (line := self._fact(name, said))]
        if not told:
            return [], "", False
        missing = [name for name, said in found.items() if said is None or not self._fact(name, said)]
        open_ones = [self._label(name) for name in missing]
        if item.id == "happened":  # dates alone are no account of it
            open_ones.append(self.words.labels["account"])
        gaps = [self._pair(label, self.words.labels["unstated"]) for label in open_ones]
        if len(found) == 1 and not gaps and item.id in _BARE:
            only = next(iter(found))
            return [_sentence(self._value(only, told[0][1].value))], self._basis([told[0][1]]), True
        return [line for line, _ in told] + gaps, self._basis(said for _, said in told), not gaps

    @staticmethod
    def _facts_for(item: Item) -> tuple[str, ...]:
        """Return the facts that say an item; where the law asks for categories of people, these are one."""
        kinds = ("people_kinds",) if item.id == "people" and "categories" in item.says else ()
        return (*item.from_facts, *kinds)

    def _own(self, item: Item) -> str | None:
        """Say what protocol.yaml and the day say; None for an item that is neither."""
        if item.id == "title":
            quoted = _QUOTED.search(item.says)
            return quoted[1] if quoted else self.title
        if item.id == "contact":
            return say_contact(self.dossier.law)
        if item.id == "sender":
            return self._sender()
        return f"{self.dossier.now.astimezone(self.zone):%Y-%m-%d}" if item.id == "date" else None

    def _measures(self) -> list[str]:
        says = self.words.labels["times"]
        each = [(self.words.measures[one.action], say_moment(one.first, self.zone)) for one in self.dossier.measures]
        first = dict(reversed(each))  # two actions that are said alike: the earlier of them
        return [_sentence(says.format(measure=measure, date=first[measure])) for measure in dict(each)]

    def _sender(self) -> str:
        where = [one for one in (self.dossier.law.address, say_contact(self.dossier.law)) if one]
        return ", ".join((self.dossier.company, *where)) if where else ""

    def _fact(self, name: str, said: Statement) -> str:
        """Say one fact in words; empty where its value says that nobody knows."""
        told = self._value(name, said.value)
        return self._pair(self._label(name), told) if told else ""

    def _pair(self, label: str, text: str) -> str:
        return self.words.labels["pair"].format(label=label, text=text)

    def _label(self, name: str) -> str:
        return self.words.facts.get(name) or self.words.as_law_says(name.replace("_", " "))

    def _value(self, name: str, value: Any) -> str:
        if name in _BY_FACT:
            told: Mapping[str, str] = getattr(self.words, name)
            return "; ".join(told[one] for one in (value if isinstance(value, list) else [value]))
        if isinstance(value, bool):
            return self.words.labels["yes" if value else "no"]
        if name == "people":
            return self._people(value)
        if isinstance(value, dict):
            return self.words.count(Number.model_validate(value))
        return self._text(str(value))

    def _text(self, value: str) -> str:
        """Say a moment or what somebody wrote as one line; nothing where that says that it is unknown."""
        if value == NEVER:
            return self.words.labels["never"]
        try:
            return say_moment(parse_time(value), self.zone)
        except ValueError:
            text = " ".join(value.split())
            return "" if _UNTIL.fullmatch(text) else text

    def _people(self, by_place: Mapping[str, Any]) -> str:
        """Say how many in the recipient's place, where people were counted by place, and in all."""
        place, facts = self.place, self.dossier.facts
        everywhere, here = self.words.count(facts.people()), self.words.count(facts.people(place))
        if not here or here == everywhere or set(by_place) <= {place}:
            return everywhere
        says = self.words.labels["in_place"].format(number=here, place=place)
        return self.words.labels["in_all"].format(here=says, number=everywhere) if everywhere else says
