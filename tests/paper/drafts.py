"""Drafts: what the tests print, and how they read it back."""

from datetime import UTC, datetime
from io import BytesIO

from docx import Document
from docx.document import Document as Paper
from pypdf import PdfReader

from crisis.paper import PaperAbout

ABOUT = PaperAbout(
    title="Meldung einer Datenpanne",
    language="de",
    version=3,
    sha256="0123456789abcdef" * 4,
    incident="INC-2026-0007",
    made_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    draft=True,
)

LETTERS = "„Größe“ « été » d\u2019œuvre Zażółć Příliš İstanbul \u0131\u011fd\u0131r Ὅμηρος Привет Київ"

LONG_TABLE = "| Pflicht | Angabe |\n| --- | --- |\n" + "".join(f"| Nr. {n} | Inhalt {n} |\n" for n in range(120))


def pages_of(printed: bytes) -> list[str]:
    """Give the words of each page of a PDF, a blank between any two."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(printed)).pages]


def paper_of(written: bytes) -> Paper:
    """Open a DOCX."""
    return Document(BytesIO(written))


def words_of(written: bytes) -> str:
    """Give the paragraphs of a DOCX outside its tables, one a line."""
    return "\n".join(paragraph.text for paragraph in paper_of(written).paragraphs)
