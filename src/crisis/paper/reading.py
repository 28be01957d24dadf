"""Reading: Markdown to blocks. HTML stays text, images are their alt text, links go to the web or to a mailbox."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

from crisis.errors import ProtocolError
from crisis.paper.blocks import Align, Block, Cell, Kind, Marker, Place, Row, Rule, Run, Table, Words, plain
from crisis.paper.characters import showable

__all__ = ["LONGEST", "read_markdown"]

LONGEST = 100_000
"""Characters of the longest draft: about forty pages. A notice is shorter; what is longer takes the layout minutes."""

_DEEPEST = 32  # markdown-it counts two for each list, one for each quote
_WIDEST = 8  # a table with more columns is unreadable on paper and becomes paragraphs
_LINE_END = re.compile(r"\r\n?")
_SAFE = re.compile(r"(https?://[^/]|mailto:[^/])", re.IGNORECASE)
_HEADINGS: dict[str, Kind] = {"h1": "h1", "h2": "h2"}
_ALIGNS: dict[str, Align] = {"text-align:center": "center", "text-align:right": "right"}


def read_markdown(markdown: str) -> tuple[Block, ...]:
    """Read a draft; ProtocolError when it is too long, or nested so deep that a page could not show it."""
    if len(markdown) > LONGEST:
        raise ProtocolError(
            "draft", wanted=f"at most {LONGEST} characters", saw=str(len(markdown)), then="move lists to an annex"
        )
    tokens = _parser().parse(showable(_LINE_END.sub("\n", markdown)))
    if any(token.level >= _DEEPEST for token in tokens):
        raise ProtocolError(
            "draft", wanted=f"lists and quotes at most {_DEEPEST} levels deep", saw="more", then="flatten them"
        )
    return tuple(_Reader().read(tokens))


def _parser() -> MarkdownIt:
    # The parser drops what is nested deeper than maxNesting; it must be deeper than what we refuse.
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 2 * _DEEPEST}).enable("table")
    parser.validateLink = lambda url: bool(_SAFE.match(url))  # type: ignore[method-assign]
    return parser


@dataclass
class _Reader:
    """Walks the tokens once, and knows which lists and quotes are open."""

    lists: list[tuple[bool, int]] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    made: int = 0
    quotes: int = 0
    marker: Marker | None = None

    def read(self, tokens: Sequence[Token]) -> Iterator[Block]:
        rest = iter(tokens)
        for token in rest:
            match token.type:
                case "heading_open":
                    yield self._words(_HEADINGS.get(token.tag, "h3"), _cell(next(rest)))
                case "inline":
                    yield self._words("plain", _cell(token))
                case "fence" | "code_block":
                    yield self._words("code", (Run(showable(token.content.removesuffix("\n"))),))
                case "hr":
                    yield Rule()
                case "table_open":
                    yield from _fold_wide(self._table(rest))
                case _:
                    yield from self._move(token)

    def _move(self, token: Token) -> Iterator[Block]:
        match token.type:
            case "blockquote_open" | "blockquote_close":
                self.quotes += token.nesting
            case "bullet_list_open" | "ordered_list_open":
                self.lists.append((token.type.startswith("ordered"), int(token.attrs.get("start", 1))))
                self.made += 1
                self.series.append(self.made)
            case "bullet_list_close" | "ordered_list_close":
                self.lists.pop()
                self.series.pop()
            case "list_item_open":
                ordered, number = self.lists[-1]
                self.marker = Marker(ordered, number, self.series[-1])
                self.lists[-1] = (ordered, number + 1)
            case "list_item_close" if self.marker:  # an empty item keeps its number
                yield self._words("plain", ())

    def _place(self) -> Place:
        marker, self.marker = self.marker, None
        return Place(len(self.lists), self.quotes, marker)

    def _words(self, kind: Kind, runs: Cell) -> Words:
        return Words(kind, runs, self._place())

    def _table(self, rest: Iterator[Token]) -> Table:
        rows: list[list[Cell]] = []
        aligned: list[Align] = []
        for token in rest:
            if token.type == "table_close":
                break
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "th_open":
                aligned.append(_ALIGNS.get(str(token.attrs.get("style", "")), "left"))
            elif token.type == "inline":
                rows[-1].append(_cell(token))
        head, *body = (tuple(row) for row in rows)
        return Table(head, tuple(body), tuple(aligned), self._place())


def _fold_wide(table: Table) -> Iterator[Block]:
    if len(table.head) <= _WIDEST:
        yield table
        return
    place = table.place
    for row in table.rows or (((),) * len(table.head),):
        yield Words("plain", _folded(table.head, row), place)
        place = Place(place.depth, place.quotes)


def _folded(head: Row, row: Row) -> Cell:
    """Write a row as `title: cell` lines."""
    lines = ((Run(f"{plain(title)}: ", bold=True), *cell, Run("\n")) for title, cell in zip(head, row, strict=True))
    return tuple(run for line in lines for run in line)[:-1]


def _cell(token: Token) -> Cell:
    runs: list[Run] = []
    bold = italic = 0
    link = ""
    since = 0
    for part in token.children or ():
        match part.type:
            case "strong_open" | "strong_close":
                bold += part.nesting
            case "em_open" | "em_close":
                italic += part.nesting
            case "link_open":
                link, since = str(part.attrs["href"]), len(runs)
            case "link_close":
                runs.extend(_address(link, plain(tuple(runs[since:]))))
                link = ""
            case _:
                runs.append(Run(_text(part), bold > 0, italic > 0, link))
    return tuple(run for run in runs if run.text)


def _text(part: Token) -> str:
    breaks = {"softbreak": " ", "hardbreak": "\n"}
    if part.type == "image":  # never loaded: somebody would learn when the draft is read
        return "".join(_text(child) for child in part.children or ())
    # Once more: an entity such as &#x202e; turned into the character only now.
    return breaks.get(part.type, showable(part.content))


def _address(link: str, text: str) -> Iterator[Run]:
    """Print where a link goes, unless its words say so: on signed paper nobody can click."""
    shown = link.removeprefix("mailto:")
    if text not in (link, shown):
        yield Run(f" ({shown})", link=link)
