"""Grid: a table of the DOCX: widths, thin lines, and a heading row that stands again on each page."""

from docx.document import Document
from docx.shared import Mm
from docx.table import Table as Grid

from crisis.paper.blocks import Row, Table, plain
from crisis.paper.columns import share_width
from crisis.paper.markup import element, element_of
from crisis.paper.stationery import WIDTH

__all__ = ["make_grid"]

_LONG = 600  # characters of a row that may break over two pages; a shorter one stays whole
_MOST_OF_HEAD = 500  # a longer heading row is not repeated: it would leave no room for the rows
_PAD, _GAP = 80, 45  # twentieths of a point beside and above the words of a cell


def make_grid(paper: Document, table: Table) -> Grid:
    """Make the empty cells of a table."""
    grid: Grid = paper.add_table(rows=1 + len(table.rows), cols=len(table.head))
    grid.autofit = False
    _draw_lines(grid)
    widths = [Mm(part * WIDTH) for part in share_width(table)]
    for column, width in zip(grid.columns, widths, strict=True):
        column.width = width
    for made, row in zip(grid.rows, (table.head, *table.rows), strict=True):
        for cell, width in zip(made.cells, widths, strict=True):
            cell.width = width
        if _length(row) < _LONG:
            element_of(made).get_or_add_trPr().append(element("cantSplit"))
    _mark_head(grid, table)
    return grid


def _draw_lines(grid: Grid) -> None:
    properties = element_of(grid).tblPr
    indent = element("tblInd", w=_PAD, type="dxa")
    lines, margins = element("tblBorders"), element("tblCellMar")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        lines.append(element(side, val="single", sz=4, space=0, color="B3B3B3"))
    for side, width in (("top", _GAP), ("left", _PAD), ("bottom", _GAP), ("right", _PAD)):
        margins.append(element(side, w=width, type="dxa"))
    layout, look = properties.find(_name("tblLayout")), properties.find(_name("tblLook"))
    # The schema fixes the order: indent, borders, layout, margins, look.
    layout.addprevious(indent)
    layout.addprevious(lines)
    look.addprevious(margins)


def _name(tag: str) -> str:
    return str(element(tag).tag)


def _mark_head(grid: Grid, table: Table) -> None:
    row = grid.rows[0]
    if _length(table.head) < _MOST_OF_HEAD:
        element_of(row).get_or_add_trPr().append(element("tblHeader"))
    for cell in row.cells:
        element_of(cell).get_or_add_tcPr().append(element("shd", val="clear", color="auto", fill="EDEDED"))


def _length(row: Row) -> int:
    return sum(len(plain(cell)) for cell in row)
