"""Drafting: a notice as Markdown, from its template, and the list of what the law wants in it."""

import hashlib
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateNotFound
from pydantic import AwareDatetime

from crisis.disclosure.filling import fill, say_moment
from crisis.disclosure.tongue import words_of
from crisis.domain.disclosure.dossier import Dossier, Passage
from crisis.domain.law.duties import Ruling
from crisis.domain.model import Strict, Text

__all__ = ["Draft", "write_draft"]

_PAGES = Environment(
    loader=PackageLoader("crisis.disclosure"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - Markdown for people, and its printers show HTML as text
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


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
    """Write the notice that a duty asks for; ProtocolError for a language that nobody has written."""
    words, duty, zone = words_of(language), ruling.duty, ZoneInfo(ruling.instrument.zone)
    passages = fill(ruling, dossier, words)
    about: dict[str, Any] = {
        "title": duty.title,
        "to": duty.to,
        "company": dossier.company,
        "address": dossier.law.address,
        "incident": dossier.incident,
        "instrument": ruling.instrument.title,
        "article": duty.article,
        "made": say_moment(dossier.now, zone),
        "day": f"{dossier.now.astimezone(zone):%Y-%m-%d}",
        "drill": dossier.drill,
        "passages": passages,
        "phase": duty.phase,
    }
    template = _template(language, duty.id, duty.kind)
    text = template.render(draft=about, words=words, heading=_heading, item={one.item: one for one in passages})
    made = {"duty": duty.id, "language": language, "title": duty.title, "passages": passages, "made": dossier.now}
    return Draft(markdown=text, **made)


def _template(language: str, duty: str, kind: str) -> Any:
    """Return the template of a duty, else of its kind of recipient, else the one for all; English where none is."""
    names = [f"{tongue}/{name}.md.j2" for tongue in (language, "en") for name in (duty, kind, "notice")]
    for name in names:
        try:
            return _PAGES.get_template(name)
        except TemplateNotFound:
            continue
    raise TemplateNotFound(names[-1])


def _heading(passage: Passage) -> str:
    says = passage.says
    return f"{says[0].upper()}{says[1:]}"
