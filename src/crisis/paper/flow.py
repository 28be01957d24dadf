"""Flow: blocks to what the PDF library lays out: paragraphs, tables that break over pages, rules."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from reportlab.lib.colors import Color
from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, HRFlowable, Paragraph, Spacer, TableStyle
from reportlab.platypus import Table as Grid

from crisis.paper.blocks import Align, Block, Cell, Kind, Marker, Place, Row, Rule, Run, Table, Words, plain
from crisis.paper.characters import fit
from crisis.paper.columns import share_width
from crisis.paper.font import BOLD, REGULAR

__all__ = ["LEFT", "RIGHT", "Headline", "Spelling", "flow_of"]

LEFT, RIGHT = 25 * mm, 20 * mm
_WIDTH = A4[0] - LEFT - RIGHT
_STEP, _MOST_STEPS = 6.5 * mm, 8  # deeper lists stay at the eighth step: the words need the room
_INK, _DIM, _LINE, _BAND = (Color(*[part] * 3) for part in (0.1, 0.35, 0.7, 0.93))
_LINK = '<font color="#1a4f8b">'
_PLAIN = ParagraphStyle(
    "plain", fontName=REGULAR, fontSize=10.5, leading=14.5, spaceAfter=7, textColor=_INK, bulletFontName=REGULAR,
    bulletFontSize=10.5, allowWidows=0, allowOrphans=0, splitLongWords=1, embeddedHyphenation=0,
)  # fmt: skip
_STYLES: dict[Kind, ParagraphStyle] = {
    "h1": ParagraphStyle("h1", _PLAIN, fontName=BOLD, fontSize=16, leading=20, spaceAfter=10, keepWithNext=1),
    "h2": ParagraphStyle(
        "h2", _PLAIN, fontName=BOLD, fontSize=12.5, leading=16, spaceBefore=9, spaceAfter=5, keepWithNext=1
    ),
    "h3": ParagraphStyle("h3", _PLAIN, fontName=BOLD, spaceBefore=5, spaceAfter=3, keepWithNext=1),
    "plain": _PLAIN,
    "code": ParagraphStyle("code", _PLAIN, fontSize=9, leading=12.5, leftIndent=_STEP, textColor=_DIM),
}
_CELL = ParagraphStyle("cell", _PLAIN, fontSize=9, leading=12, spaceAfter=0)
_ALIGNED: dict[Align, Literal[0, 1, 2]] = {"left": TA_LEFT, "center": TA_CENTER, "right": TA_RIGHT}
_GRID = TableStyle(
    [
        ("FONTNAME", (0, 0), (-1, -1), REGULAR),  # or an unused Helvetica would be named in the file, not embedded
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("BACKGROUND", (0, 0), (-1, 0), _BAND),
        ("GRID", (0, 0), (-1, -1), 0.5, _LINE),
        ("LEFTPADDING", (0, 0), (-1, -1), 4),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
    ]
)
_PIECE = 40  # lines
_TALLEST_HEAD = 60 * mm  # a taller heading row is not repeated: it would leave no room for the rows


class Headline(Paragraph):
    """A heading, and what the outline shows for it; the rest of one that breaks over two pages shows nothing."""

    level = -1
    title = ""


@dataclass
class Spelling:
    """Spells texts with what the font covers, and remembers what it could not."""

    covered: Container[int]
    missing: set[str] = field(default_factory=set)

    def spell(self, text: str) -> str:
        """Spell a text as `fit` does."""
        spelled, missing = fit(text, self.covered)
        self.missing |= missing
        return spelled


def flow_of(blocks: Sequence[Block], spelling: Spelling) -> list[Flowable]:
    """Lay each block out; a draft without any still makes a page."""
    return [flowable for block in blocks for flowable in _lay(block, spelling)] or [Spacer(1, 1)]


def _lay(block: Block, spelling: Spelling) -> Iterator[Flowable]:
    match block:
        case Words(kind="code"):
            yield from (_words(part, spelling) for part in _parts(block))
        case Words():
            yield _words(block, spelling)
        case Table():
            yield from _table(block, spelling)
        case Rule():
            yield HRFlowable(width="100%", thickness=0.5, color=_LINE, spaceBefore=6, spaceAfter=10)


def _parts(block: Words) -> Iterator[Words]:
    """Cut long code into pieces: one paragraph of ten thousand lines takes the library minutes."""
    lines, place = plain(block.runs).split("\n"), block.place
    for start in range(0, len(lines), _PIECE):
        piece = "\n".join(lines[start : start + _PIECE])
        yield replace(block, runs=(Run(piece),), place=place)
        place = replace(place, marker=None)


def _words(block: Words, spelling: Spelling) -> Paragraph:
    style, marker = _placed(_STYLES[block.kind], block.place), block.place.marker
    text = _code(block.runs, spelling) if block.kind == "code" else _markup(block.runs, spelling)
    bullet = _bullet(marker, block.place.depth) if marker else None
    if block.kind not in ("h1", "h2", "h3"):
        return Paragraph(text or "\u00a0", style, bulletText=bullet)
    headline = Headline(text or "\u00a0", style, bulletText=bullet)
    headline.level, headline.title = int(block.kind[1]) - 1, spelling.spell(plain(block.runs))
    return headline


def _placed(style: ParagraphStyle, place: Place) -> ParagraphStyle:
    if not (place.depth or place.quotes):
        return style
    steps = min(place.depth + place.quotes, _MOST_STEPS)
    return ParagraphStyle(
        style.name,
        style,
        leftIndent=style.leftIndent + steps * _STEP,
        rightIndent=_STEP if place.quotes else 0,
        bulletIndent=(steps - 1) * _STEP + 1.5 * mm,
        textColor=_DIM if place.quotes else style.textColor,
        spaceAfter=min(style.spaceAfter, 4) if place.depth else style.spaceAfter,
    )


def _bullet(marker: Marker, depth: int) -> str:
    return f"{marker.number}." if marker.ordered else "•\u2013·"[(depth - 1) % 3]


def _markup(runs: Cell, spelling: Spelling) -> str:
    return "".join(_tagged(run, spelling) for run in runs)


def _tagged(run: Run, spelling: Spelling) -> str:
    text = escape(spelling.spell(run.text)).replace("\n", "<br/>")
    if run.italic:
        text = f"<i>{text}</i>"
    if run.bold:
        text = f"<b>{text}</b>"
    return f"<a href={quoteattr(run.link)}>{_LINK}{text}</font></a>" if run.link else text


def _code(runs: Cell, spelling: Spelling) -> str:
    # Every second blank stays hard, so that columns of code keep their place and lines still wrap.
    lines = escape(spelling.spell(plain(runs)).expandtabs(4)).replace("  ", "\u00a0 ").split("\n")
    return "<br/>".join("\u00a0" + line[1:] if line.startswith(" ") else line for line in lines)


def _table(table: Table, spelling: Spelling) -> Iterator[Flowable]:
    widths = [part * _WIDTH for part in share_width(table)]
    head = [Paragraph(f"<b>{cell.text}</b>", cell.style) for cell in _row(table.head, table, spelling)]
    _, height = Grid([head], colWidths=widths, style=_GRID).wrap(_WIDTH, A4[1])
    rows = [_row(row, table, spelling) for row in table.rows]
    repeated = int(height < _TALLEST_HEAD)
    yield Grid([head, *rows], colWidths=widths, style=_GRID, repeatRows=repeated, splitInRow=1)
    yield Spacer(1, 9)


def _row(row: Row, table: Table, spelling: Spelling) -> list[Paragraph]:
    styles = (ParagraphStyle(f"cell-{align}", _CELL, alignment=_ALIGNED[align]) for align in table.aligned)
    return [Paragraph(_markup(cell, spelling), style) for cell, style in zip(row, styles, strict=True)]
