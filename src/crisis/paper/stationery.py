"""Stationery: page, styles, language, header and footer of the DOCX."""

from typing import cast

from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_TAB_ALIGNMENT
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.styles.style import ParagraphStyle
from docx.text.paragraph import Paragraph

from crisis.paper.about import PaperAbout, footer_of, header_of, page_words
from crisis.paper.markup import element, element_of

__all__ = ["LINK", "WIDTH", "bottom_line", "furnish"]

WIDTH = 165.0
"""Millimetres between the margins."""

LINK = RGBColor(0x1A, 0x4F, 0x8B)
_RED, _INK, _DIM = RGBColor(0xB3, 0x1A, 0x1A), RGBColor(0x1A, 0x1A, 0x1A), RGBColor(0x59, 0x59, 0x59)
_FONT = "Arial"  # on every desk, or replaced by one of the same widths
_LOCALES = {"en": "en-GB", "de": "de-DE", "fr": "fr-FR"}
_OWN = {"Table Text": 9, "Table Gap": 4, "Draft Code": 9}
_DIMMED = ("Quote", "Header", "Footer", "Draft Code")
_SIZES = {
    "Normal": 10.5,
    "Heading 1": 16,
    "Heading 2": 12.5,
    "Heading 3": 10.5,
    "Quote": 10.5,
    "Header": 8.5,
    "Footer": 8.5,
    **_OWN,
}
_SPACES = {
    "Normal": (0, 7),
    "Heading 1": (0, 10),
    "Heading 2": (9, 5),
    "Heading 3": (5, 3),
    "Quote": (0, 7),
    "Draft Code": (0, 7),
}


def furnish(paper: Document, about: PaperAbout) -> None:
    """Set up an empty paper."""
    _set_page(paper)
    _set_styles(paper, about)
    _write_header(paper, about)
    _write_footer(paper, about)


def bottom_line(paragraph: Paragraph, *, side: str = "bottom") -> None:
    """Draw a thin grey line below a paragraph, or above it."""
    borders = element("pBdr")
    borders.append(element(side, val="single", sz=4, space=4, color="B3B3B3"))
    element_of(paragraph).get_or_add_pPr().insert_element_before(
        borders, "w:shd", "w:tabs", "w:spacing", "w:ind", "w:jc", "w:rPr", "w:sectPr"
    )


def _set_page(paper: Document) -> None:
    page = paper.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin, page.right_margin, page.top_margin, page.bottom_margin = Mm(25), Mm(20), Mm(28), Mm(26)
    page.header_distance = page.footer_distance = Mm(14)


def _set_styles(paper: Document, about: PaperAbout) -> None:
    for name in _OWN:
        paper.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    for name, size in _SIZES.items():
        _set_style(cast("ParagraphStyle", paper.styles[name]), size)
    cast("ParagraphStyle", paper.styles["Draft Code"]).paragraph_format.left_indent = Mm(6.5)
    for name in ("Header", "Footer"):
        stops = cast("ParagraphStyle", paper.styles[name]).paragraph_format.tab_stops
        stops.clear_all()  # the template's own, made for another width
        stops.add_tab_stop(Mm(WIDTH), WD_TAB_ALIGNMENT.RIGHT)
    _set_language(paper, about)


def _set_style(style: ParagraphStyle, size: float) -> None:
    before, after = _SPACES.get(str(style.name), (0, 2))
    font, look = style.font, style.paragraph_format
    font.name, font.size, font.bold = _FONT, Pt(size), str(style.name).startswith("Heading")
    font.italic = False
    font.color.rgb = _DIM if style.name in _DIMMED else _INK
    look.space_before, look.space_after, look.widow_control = Pt(before), Pt(after), True
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for name in list(fonts.attrib):  # the theme's fonts would win over ours
        if "Theme" in str(name):
            del fonts.attrib[name]
    for script in ("ascii", "hAnsi", "cs", "eastAsia"):
        fonts.set(qn(f"w:{script}"), _FONT)


def _set_language(paper: Document, about: PaperAbout) -> None:
    """Say which language to spell and read aloud in."""
    for language in paper.styles.element.iter(qn("w:lang")):
        language.set(qn("w:val"), _LOCALES[about.language])


def _write_header(paper: Document, about: PaperAbout) -> None:
    title, draft = header_of(about)
    line = paper.sections[0].header.paragraphs[0]
    line.add_run(f"{title}\t" if draft else title)
    if draft:
        sign = line.add_run(draft)
        sign.bold, sign.font.color.rgb = True, _RED
    bottom_line(line)


def _write_footer(paper: Document, about: PaperAbout) -> None:
    page, of = page_words(about)
    line = paper.sections[0].footer.paragraphs[0]
    line.add_run(f"{footer_of(about)}\t{page} ")
    _add_field(line, "PAGE")
    line.add_run(f" {of} ")
    _add_field(line, "NUMPAGES")
    bottom_line(line, side="top")


def _add_field(line: Paragraph, instruction: str) -> None:
    """Add a number that the word processor counts itself."""
    for part in (
        element("fldChar", fldCharType="begin"),
        element("instrText"),
        element("fldChar", fldCharType="separate"),
        element("t"),
        element("fldChar", fldCharType="end"),
    ):
        line.add_run().element.append(part)
        if part.tag.endswith("}instrText"):
            part.text = instruction
        elif part.tag.endswith("}t"):
            part.text = "1"
