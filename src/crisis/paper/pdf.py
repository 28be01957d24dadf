"""PDF: blocks to A4 pages with header, footer, outline, language and real text; the same bytes each time."""

import calendar
import logging
from hashlib import md5
from io import BytesIO

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import TimeStamp
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, SimpleDocTemplate

from crisis.paper.about import PaperAbout, footer_of, header_of, page_words
from crisis.paper.blocks import Block
from crisis.paper.characters import name
from crisis.paper.flow import LEFT, RIGHT, Headline, Spelling, flow_of
from crisis.paper.font import BOLD, REGULAR, load_font
from crisis.paper.reading import read_markdown

__all__ = ["name_missing_characters", "write_pdf"]

_LOG = logging.getLogger("crisis.paper")
_TOP, _BOTTOM = 28 * mm, 26 * mm
_FRAME = 6  # the library pads its frame by this much
_SMALL = 8.5


def write_pdf(markdown: str, about: PaperAbout) -> bytes:
    """
    Print a draft; ProtocolError when it is too long or nested too deep.

    A character that the font lacks is printed as `[U+4E2D]` and named in a warning of the log `crisis.paper`.
    """
    blocks, spelling = read_markdown(markdown), Spelling(load_font())
    pages, _ = _print(blocks, about, spelling, of=0)
    _, printed = _print(blocks, about, spelling, of=pages)
    if spelling.missing:
        _LOG.warning("%s: the PDF shows by number: %s", about.incident, ", ".join(_names(spelling)))
    return printed


def name_missing_characters(markdown: str, about: PaperAbout) -> tuple[str, ...]:
    """Name each character that the PDF would show by its number, such as `U+4E2D CJK UNIFIED IDEOGRAPH-4E2D`."""
    spelling = Spelling(load_font())
    flow_of(read_markdown(markdown), spelling)
    for text in (*header_of(about), footer_of(about)):
        spelling.spell(text)
    return _names(spelling)


def _names(spelling: Spelling) -> tuple[str, ...]:
    return tuple(name(character) for character in sorted(spelling.missing))


def _print(blocks: tuple[Block, ...], about: PaperAbout, spelling: Spelling, *, of: int) -> tuple[int, bytes]:
    """Lay the draft out; twice, because page one must say how many follow."""
    out = BytesIO()
    sheet = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=LEFT - _FRAME, rightMargin=RIGHT - _FRAME, topMargin=_TOP, bottomMargin=_BOTTOM,
        title=header_of(about)[0], author="", subject=footer_of(about), creator="", producer="", lang=about.language,
        invariant=1, displayDocTitle=True, initialFontName=REGULAR,
    )  # fmt: skip

    def furnish(canvas: Canvas, _: SimpleDocTemplate) -> None:
        _date(canvas, about)
        _furnish(canvas, about, spelling, of)

    sheet.afterFlowable = _Outline(sheet)  # type: ignore[method-assign]
    sheet.build(flow_of(blocks, spelling), onFirstPage=furnish, onLaterPages=furnish)
    return sheet.page, out.getvalue()


def _date(canvas: Canvas, about: PaperAbout) -> None:
    """Date and identify the file by the draft: the library would take a fixed day, or one from the environment."""
    stamp, moment = TimeStamp(invariant=1), about.made_at.utctimetuple()
    stamp.t, stamp.lt, stamp.YMDhms = calendar.timegm(moment), moment, tuple(moment)[:6]
    stamp.tzname, stamp.dhh, stamp.dmm = "UTC", 0, 0
    document = canvas._doc  # type: ignore[attr-defined] # noqa: SLF001 - no public name
    document._timeStamp = stamp  # noqa: SLF001
    # What the file's ID is made of, too, began with that day.
    document.signature = md5(about.model_dump_json().encode(), usedforsecurity=False)


def _furnish(canvas: Canvas, about: PaperAbout, spelling: Spelling, of: int) -> None:
    left, right = LEFT, A4[0] - RIGHT
    title, draft = (spelling.spell(text) for text in header_of(about))
    page, between = page_words(about)
    number = f"{page} {canvas.getPageNumber()} {between} {of}"
    canvas.saveState()
    canvas.setStrokeGray(0.7)
    canvas.setLineWidth(0.5)
    canvas.line(left, A4[1] - 21 * mm, right, A4[1] - 21 * mm)
    canvas.line(left, 19 * mm, right, 19 * mm)
    canvas.setFillGray(0.25)
    canvas.setFont(REGULAR, _SMALL)
    room = right - left - canvas.stringWidth(draft, BOLD, _SMALL) - 6 * mm
    canvas.drawString(left, A4[1] - 18.5 * mm, _shorten(canvas, title, room))
    room = right - left - canvas.stringWidth(number, REGULAR, _SMALL) - 6 * mm
    canvas.drawString(left, 14.5 * mm, _shorten(canvas, spelling.spell(footer_of(about)), room))
    canvas.drawRightString(right, 14.5 * mm, number)
    canvas.setFillColorRGB(0.7, 0.1, 0.1)
    canvas.setFont(BOLD, _SMALL)
    canvas.drawRightString(right, A4[1] - 18.5 * mm, draft)
    canvas.restoreState()


def _shorten(canvas: Canvas, text: str, room: float) -> str:
    if canvas.stringWidth(text, REGULAR, _SMALL) <= room:
        return text
    while text and canvas.stringWidth(f"{text}…", REGULAR, _SMALL) > room:
        text = text[:-1]
    return f"{text.rstrip()}…"


class _Outline:
    """Adds each heading to the outline a reader shows beside the pages."""

    def __init__(self, sheet: SimpleDocTemplate) -> None:
        self.sheet, self.count, self.level = sheet, 0, -1

    def __call__(self, flowable: Flowable) -> None:
        if not isinstance(flowable, Headline) or flowable.level < 0:
            return
        self.count += 1
        self.level = min(flowable.level, self.level + 1)  # a draft may jump from h1 to h3; an outline cannot
        self.sheet.canv.bookmarkPage(f"h{self.count}")
        self.sheet.canv.addOutlineEntry(flowable.title, f"h{self.count}", self.level)
