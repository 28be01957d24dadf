"""Drafting: a notice as Markdown, from its template, and the list of what the law wants in it."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime

from crisis.disclosure.filling import fill, fill_fact, fill_items, say_contact, say_moment
from crisis.disclosure.pages import page_of
from crisis.disclosure.tongue import Words, words_of
from crisis.domain.disclosure.dossier import Dossier, Passage
from crisis.domain.law.duties import Ruling
from crisis.domain.law.instrument import Item
from crisis.domain.model import Strict, Text

__all__ = ["Draft", "about_incident", "all_known", "write_draft"]


class Draft(Strict):
    """A notice that nobody has approved: its text, what it had to contain, and the hash of the text."""

    duty: Text
    language: Text
    title: Text
    markdown: Text
    passages: tuple[Passage, ...]
    made: AwareDatetime

    @property
    def sha256(self) -> str:
        """SHA-256 of the Markdown in UTF-8, in hex."""
        return hashlib.sha256(self.markdown.encode()).hexdigest()

    @property
    def unknown(self) -> tuple[Passage, ...]:
        """What the law wants in it and nobody knows yet."""
        return tuple(one for one in self.passages if one.state == "unknown")


def write_draft(ruling: Ruling, dossier: Dossier, language: str = "en") -> Draft:
    """
    Write the notice that a duty asks for; ProtocolError for a language that nobody has written.

    The draft says in which language it is: what a law or a form wants in English is in English.
    """
    words_of(language)  # refused, whatever the duty
    duty, zone = ruling.duty, ZoneInfo(ruling.instrument.zone)
    page = page_of(language, duty.id, duty.kind, "notice")
    words = words_of(page.language)
    passages = fill(ruling, dossier, words)
    about = about_incident(dossier, zone) | _about_duty(ruling, dossier, words)
    text = page.write(words, passages, draft=about, **all_known(dossier, words, zone))
    made = {"duty": duty.id, "language": page.language, "title": duty.title, "passages": passages, "made": dossier.now}
    return Draft(markdown=text, **made)


def about_incident(dossier: Dossier, zone: ZoneInfo) -> dict[str, Any]:
    """Return what every page says of the incident and the company, by the names that templates use."""
    return {
        "company": dossier.company,
        "address": dossier.law.address,
        "contact": say_contact(dossier.law),
        "incident": dossier.incident,
        "made": say_moment(dossier.now, zone),
        "day": f"{dossier.now.astimezone(zone):%Y-%m-%d}",
        "drill": dossier.drill,
        "receipts": [(one.duty, say_moment(one.at, zone), one.reference) for one in dossier.receipts],
    }


def all_known(dossier: Dossier, words: Words, zone: ZoneInfo) -> dict[str, Any]:
    """Return every fact by its name, and every passage by the id of its item, each made when a template asks."""

    def passage(name: str) -> Passage:
        return fill_items([Item(id=name, says=words.headings[name])], dossier, words, dossier.incident, zone=zone)[0]

    return {"fact": _Asked(lambda name: fill_fact(name, dossier, words, zone)), "said": _Asked(passage)}


class _Asked(dict[str, Passage]):
    """Passages that are made when they are asked for: a page shows few of all that could be said."""

    def __init__(self, make: Callable[[str], Passage]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Passage:
        return self.setdefault(name, self._make(name))


def _about_duty(ruling: Ruling, dossier: Dossier, words: Words) -> dict[str, Any]:
    duty, instrument = ruling.duty, ruling.instrument
    return {
        "title": duty.title,
        "kind_title": words.titles.get(duty.kind, duty.title),
        "law_title": words.as_law_says(duty.title),
        "to": words.as_law_says(duty.to),
        "instrument": words.law(instrument.id, instrument.title),
        "citation": instrument.citation,
        "article": duty.article,
        "wheres": list(dict.fromkeys(one.where for one in duty.must_contain if one.where)),
        "phase": duty.phase,
        "phase_title": words.phases[duty.phase],
        "place": instrument.place,
        "before": list(_filed(ruling, dossier)),
    }


def _filed(ruling: Ruling, dossier: Dossier) -> Iterator[tuple[str, str]]:
    """Give when each notice under the same law was handed in, and its reference."""
    ours, zone = {duty.id for duty in ruling.instrument.duties}, ZoneInfo(ruling.instrument.zone)
    for one in dossier.receipts:
        if one.duty in ours:
            yield say_moment(one.at, zone), one.reference
