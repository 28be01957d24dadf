"""Pages: the templates of notices, which one a duty gets, and how its parts are shown as Markdown."""

import re
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateNotFound

from crisis.disclosure.escaping import Markdown, as_line, as_text
from crisis.disclosure.tongue import Words
from crisis.domain.disclosure.dossier import Passage

__all__ = ["Page", "page_of"]

_OWN_LANGUAGE = "en"
_SAME = {"customers": "people", "media": "public"}
"""Recipients who get the template of others."""

_PAGES = Environment(
    loader=PackageLoader("crisis.disclosure"),
    undefined=StrictUndefined,
    finalize=as_text,
    autoescape=False,  # noqa: S701 - `finalize` escapes for Markdown, and its printers show HTML as text
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_PAGES.filters["line"] = as_line


@dataclass(frozen=True, slots=True)
class Page:
    """A template, and the language that it is written in."""

    name: str
    language: str

    def write(self, words: Words, passages: tuple[Passage, ...], **about: Any) -> str:
        """Return the page as Markdown, with one empty line between its parts."""
        shown = _Shown(words)
        text = _PAGES.get_template(self.name).render(
            words=words,
            passages=passages,
            item={one.item: one for one in passages},
            open=[one for one in passages if one.state == "unknown"],
            heading=shown.heading,
            letter=shown.letter,
            body=shown.body,
            told=shown.told,
            cell=shown.cell,
            row=shown.row,
            basis=shown.basis,
            **about,
        )
        return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def page_of(language: str, *names: str) -> Page:
    """
    Return the page for the first name that has one: a duty, its kind of recipient, or the one for all.

    What a duty has in English alone is so by law or by the recipient's form: it stays English in every language.
    """
    loader = _PAGES.loader
    assert loader is not None  # noqa: S101 - it is given above
    known = frozenset(loader.list_templates())
    for name in (_SAME.get(one, one) for one in names):
        for tongue in dict.fromkeys((language, _OWN_LANGUAGE)):
            if (file := f"{tongue}/{name}.md.j2") in known:
                return Page(file, tongue)
    raise TemplateNotFound(names[-1])


class _Shown:
    def __init__(self, words: Words) -> None:
        self.words = words

    def heading(self, one: Passage) -> str:
        """Return the heading of a passage; what nobody has translated is marked so."""
        return self.words.headings.get(one.item) or self.words.as_law_says(one.says)

    def letter(self, one: Passage) -> str:
        """Return the heading of a passage in a letter to people."""
        return self.words.letter.get(one.item) or self.heading(one)

    def body(self, one: Passage) -> Markdown:
        """Return the text of a passage: what is unknown in bold, several facts as a list."""
        if one.state == "stated":
            return as_text(one.text)
        shown = [self._line(one, line) for line in one.text.split("\n")]
        return shown[0] if len(shown) == 1 else Markdown("\n".join(f"- {line}" for line in shown))

    def row(self, one: Passage, label: str = "") -> Markdown:
        """Return a passage as a row of a table: what it is, what is known, and on what that rests."""
        return Markdown(f"| {as_line(label or one.says)} | {self.cell(one)} | {as_line(one.basis)} |")

    def _pair(self, label: Markdown, text: Markdown) -> Markdown:
        return Markdown(self.words.labels["pair"].format(label=label, text=text))

    def _line(self, one: Passage, line: str) -> Markdown:
        """Return a line of a passage that facts say: bold where it says that something is unknown."""
        is_gap = one.state == "unknown" and ("\n" not in one.text or line.endswith(self.words.labels["unstated"]))
        return Markdown(f"**{as_line(line)}**") if is_gap else as_line(line)

    def told(self, one: Passage) -> Markdown:
        """Return the text of a passage that stands under another's heading: where it is unknown, it says what is."""
        if one.state == "unknown" and "\n" not in one.text:
            return self._pair(as_line(self.heading(one)), self.body(one))
        return self.body(one)

    def cell(self, one: Passage) -> Markdown:
        """Return the text of a passage for the cell of a table."""
        said = as_line(one.text if one.state == "stated" else one.text.replace("\n", "; "))
        return Markdown(f"**{said}**") if one.state == "unknown" else said

    def basis(self, one: Passage) -> Markdown:
        """Return on what a passage rests, as a line of its own; nothing for what protocol.yaml says."""
        if not one.basis:
            return Markdown()
        return Markdown(f"*{self._pair(as_line(self.words.labels['basis']), as_line(one.basis))}*")
