"""Word: blocks to a DOCX with real headings, lists, tables and page fields; the same bytes each time."""

from dataclasses import replace
from datetime import UTC
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.document import Document as Paper
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import qn
from docx.shared import Mm
from docx.text.paragraph import Paragraph
from docx.text.run import Run as Piece

from crisis.paper.about import PaperAbout, header_of
from crisis.paper.blocks import Block, Cell, Kind, Place, Rule, Run, Table, Words
from crisis.paper.characters import one_line
from crisis.paper.grid import make_grid
from crisis.paper.markup import element, element_of
from crisis.paper.numbering import Numbering
from crisis.paper.reading import read_markdown
from crisis.paper.stationery import LINK, bottom_line, furnish

__all__ = ["write_docx"]

_STEP, _MOST_STEPS = 6.5, 8
_STYLES: dict[Kind, str] = {
    "h1": "Heading 1",
    "h2": "Heading 2",
    "h3": "Heading 3",
    "plain": "Normal",
    "code": "Draft Code",
}
_ALIGNED = {"center": WD_ALIGN_PARAGRAPH.CENTER, "right": WD_ALIGN_PARAGRAPH.RIGHT, "left": WD_ALIGN_PARAGRAPH.LEFT}
_PROPERTY = 255  # characters; the library refuses more
_EARLIEST = (1980, 1, 1, 0, 0, 0)


def write_docx(markdown: str, about: PaperAbout) -> bytes:
    """Write a draft as DOCX; ProtocolError when it is too long or nested too deep."""
    blocks = read_markdown(markdown)
    paper = Document()
    _drop_thumbnail(paper)
    furnish(paper, about)
    _describe(paper, about)
    numbering = Numbering(paper)
    for block in blocks:
        _add(paper, block, numbering)
    packed = BytesIO()
    paper.save(packed)
    return _without_times(packed.getvalue())


def _drop_thumbnail(paper: Paper) -> None:
    """Take out the little picture of an empty page that the library's template brings."""
    related = paper.part.package.rels
    for name in [name for name, each in related.items() if each.reltype == RELATIONSHIP_TYPE.THUMBNAIL]:
        del related[name]


def _describe(paper: Paper, about: PaperAbout) -> None:
    told, made = paper.core_properties, about.made_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    told.title = header_of(about)[0][:_PROPERTY]
    told.language, told.revision, told.identifier = about.language, about.version, about.sha256
    told.created = told.modified = made
    told.author = told.last_modified_by = told.comments = told.keywords = ""
    told.subject, told.version = one_line(about.incident)[:_PROPERTY], str(about.version)


def _without_times(packed: bytes) -> bytes:
    """Pack the parts again in the same order, without the time of packing."""
    out = BytesIO()
    with ZipFile(BytesIO(packed)) as parts, ZipFile(out, "w", ZIP_DEFLATED) as again:
        for name in parts.namelist():
            info = ZipInfo(name, _EARLIEST)
            info.compress_type = ZIP_DEFLATED
            again.writestr(info, parts.read(name))
    return out.getvalue()


def _add(paper: Paper, block: Block, numbering: Numbering) -> None:
    match block:
        case Words():
            paragraph = _add_paragraph(paper, style=_STYLES[block.kind])
            _set_place(paragraph, block.place, numbering)
            _write(paragraph, block.runs)
        case Table():
            _add_table(paper, block)
        case Rule():
            bottom_line(_add_paragraph(paper, style="Table Gap"))


def _add_paragraph(paper: Paper, *, style: str) -> Paragraph:
    # The library's own way searches the whole body each time: minutes for thirty thousand lines.
    made = element("p")
    paper.element.body[-1].addprevious(made)
    _set_style(made, style)
    return Paragraph(made, paper)


def _set_style(paragraph: Any, style: str) -> None:
    # By its id, which is the name without blanks: the library would search all styles for it.
    paragraph.style = style.replace(" ", "")


def _set_place(paragraph: Paragraph, place: Place, numbering: Numbering) -> None:
    steps = min(place.depth + place.quotes, _MOST_STEPS)
    look = paragraph.paragraph_format
    if steps:
        look.left_indent = Mm(steps * _STEP)
    if place.quotes:
        look.right_indent = Mm(_STEP)
        if place.marker is None:
            _set_style(element_of(paragraph), "Quote")
    if place.marker:
        look.first_line_indent = Mm(-_STEP)
        look.space_after = Mm(1.4)
        numbering.number(paragraph, place.marker, place.depth)


def _write(paragraph: Paragraph, runs: Cell) -> None:
    for run in runs:
        if run.link:
            _add_link(paragraph, run)
        else:
            _dress(paragraph.add_run(run.text), run)


def _dress(piece: Piece, run: Run) -> None:
    # None leaves it to the style: a heading stays bold.
    piece.bold, piece.italic = run.bold or None, run.italic or None


def _add_link(paragraph: Paragraph, run: Run) -> None:
    link = element("hyperlink")
    link.set(qn("r:id"), paragraph.part.relate_to(run.link, RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
    piece = Piece(element("r"), paragraph)
    piece.text = run.text
    _dress(piece, run)
    piece.font.color.rgb = LINK
    link.append(piece.element)
    element_of(paragraph).append(link)


def _add_table(paper: Paper, table: Table) -> None:
    grid = make_grid(paper, table)
    head = tuple(tuple(replace(run, bold=True) for run in cell) for cell in table.head)
    for made, row in zip(grid.rows, (head, *table.rows), strict=True):
        for cell, runs, align in zip(made.cells, row, table.aligned, strict=True):
            paragraph = cell.paragraphs[0]
            _set_style(element_of(paragraph), "Table Text")
            paragraph.alignment = _ALIGNED[align]
            _write(paragraph, runs)
    _add_paragraph(paper, style="Table Gap")
