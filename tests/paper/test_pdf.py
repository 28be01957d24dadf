"""The PDF: what pypdf reads back from it is what the draft says."""

import logging
import os
import subprocess
import sys
from io import BytesIO

import pytest
from pypdf import PdfReader
from pypdf.generic import Destination, DictionaryObject

from crisis.paper import name_missing_characters, write_pdf
from tests.paper.drafts import ABOUT, LETTERS, LONG_TABLE, pages_of


def test_words_of_many_languages_come_back() -> None:
    """German, French, Polish, Czech, Turkish, Greek and Cyrillic letters are text in the file, with their quotes."""
    assert LETTERS in pages_of(write_pdf(f"# Titel\n\n{LETTERS}", ABOUT))[0]


def test_every_page_says_what_it_is() -> None:
    """Header and footer of each page carry title, draft, incident, version, digest and page n of m."""
    pages = pages_of(write_pdf(LONG_TABLE, ABOUT))

    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert "Meldung einer Datenpanne" in page
        assert "ENTWURF" in page
        assert "INC-2026-0007 · Fassung 3 · SHA-256 0123456789ab" in page
        assert f"Seite {number} von {len(pages)}" in page


def test_final_paper_is_no_draft() -> None:
    """A paper that is not a draft does not say that it is one."""
    final = ABOUT.model_copy(update={"draft": False, "language": "en"})

    assert "DRAFT" not in pages_of(write_pdf("text", final))[0]


@pytest.mark.parametrize(("language", "words"), [("en", ("DRAFT", "Page 1 of 1")), ("fr", ("PROJET", "Page 1 sur 1"))])
def test_header_speaks_the_language(language: str, words: tuple[str, str]) -> None:
    """The words of header and footer are in the language of the paper."""
    page = pages_of(write_pdf("text", ABOUT.model_copy(update={"language": language})))[0]

    assert all(word in page for word in words)


def test_long_title_leaves_room_for_the_draft_sign() -> None:
    """A title wider than the page is cut with an ellipsis, and the sign beside it stays."""
    page = pages_of(write_pdf("text", ABOUT.model_copy(update={"title": "Titel " * 49})))[0]

    assert "Titel…" in page
    assert "ENTWURF" in page


def test_heading_row_stands_on_each_page_of_a_table() -> None:
    """A table that breaks over pages repeats its heading row and loses no row."""
    pages = pages_of(write_pdf(LONG_TABLE, ABOUT))

    assert all("Pflicht Angabe" in page for page in pages)
    assert all(f"Nr. {n} Inhalt {n}" in " ".join(pages) for n in range(120))


def test_row_taller_than_a_page_is_printed_whole() -> None:
    """A cell longer than a page goes on on the next one."""
    pages = pages_of(write_pdf("| A | B |\n| - | - |\n| x | " + "Wort " * 3000 + "Ende |", ABOUT))

    assert len(pages) > 2
    assert sum(page.count("Wort") for page in pages) == 3000
    assert "Ende" in pages[-1]


def test_long_heading_row_leaves_room_for_rows() -> None:
    """A heading row taller than the page is printed once, and the rows follow."""
    pages = pages_of(write_pdf("| " + "Kopf " * 3000 + "| B |\n| - | - |\n| Zelle | y |", ABOUT))

    assert sum(page.count("Kopf") for page in pages) == 3000
    assert "Zelle" in pages[-1]


def test_same_draft_gives_the_same_bytes_in_another_process() -> None:
    """Neither the process, its hash seed, the time zone nor SOURCE_DATE_EPOCH changes a byte."""
    code = (
        "import sys; from crisis.paper import *; from tests.paper.drafts import *; "
        "sys.stdout.buffer.write(write_pdf(LETTERS + '\\n\\n' + LONG_TABLE, ABOUT))"
    )
    other = {
        "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "1",
        "TZ": "Asia/Tokyo",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    printed = subprocess.run([sys.executable, "-c", code], env=other, check=True, capture_output=True).stdout

    assert printed == write_pdf(f"{LETTERS}\n\n{LONG_TABLE}", ABOUT)


def test_file_says_title_language_and_date() -> None:
    """The properties of the file carry title, language, incident and the time of the draft."""
    file = PdfReader(BytesIO(write_pdf("text", ABOUT)))
    told = file.metadata

    assert told is not None
    assert told.title == "Meldung einer Datenpanne"
    assert told.creation_date == ABOUT.made_at
    assert str(file.root_object["/Lang"]) == "de"


def test_fonts_are_embedded() -> None:
    """Each font that a page uses travels in the file."""
    page = PdfReader(BytesIO(write_pdf("plain **bold** *italic* `code`\n\n|a|\n|-|\n|b|", ABOUT))).pages[0]
    resources = page["/Resources"]
    assert isinstance(resources, DictionaryObject)
    faces = resources["/Font"]
    assert isinstance(faces, DictionaryObject)
    fonts = [font.get_object() for font in faces.values()]
    used = [font for font in fonts if "FontDescriptor" in str(font)]

    assert {str(font["/BaseFont"]).split("+")[1] for font in used} == {
        "FiraSans-Regular",
        "FiraSans-Bold",
        "FiraSans-Italic",
    }
    assert all("/FontFile2" in font["/FontDescriptor"].get_object() for font in used)


def test_headings_are_the_outline() -> None:
    """A reader shows the headings beside the pages, also when the draft skips a level."""
    file = PdfReader(BytesIO(write_pdf("# Eins\n\n### Drei\n\n# Vier", ABOUT)))
    first, below, last = file.outline
    assert isinstance(below, list)
    titles = [str(each["/Title"]) for each in (first, *below, last) if isinstance(each, Destination)]

    assert titles == ["Eins", "Drei", "Vier"]


def test_missing_character_is_shown_by_number_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """A character that the font lacks becomes its number on the page; its name is given and logged."""
    with caplog.at_level(logging.WARNING, logger="crisis.paper"):
        page = pages_of(write_pdf("An 中 und 中", ABOUT))[0]

    assert "An [U+4E2D] und [U+4E2D]" in page
    assert name_missing_characters("An 中 und 中", ABOUT) == ("U+4E2D CJK UNIFIED IDEOGRAPH-4E2D",)
    assert "U+4E2D CJK UNIFIED IDEOGRAPH-4E2D" in caplog.text


def test_nothing_is_missing_from_european_letters(caplog: pytest.LogCaptureFixture) -> None:
    """Letters of Europe, a narrow blank, a ballot box and a letter in two parts are no reason to warn."""
    write_pdf(f"{LETTERS} 10\u202f€ \u2610 u\u0308", ABOUT)

    assert name_missing_characters(f"{LETTERS} 10\u202f€ \u2610 u\u0308", ABOUT) == ()
    assert caplog.text == ""


def test_links_are_clickable_and_printed() -> None:
    """A link goes where its words say, and its address stands on the paper."""
    printed = write_pdf("[Formular](https://example.com/a?b=1&c=2)", ABOUT)
    page = PdfReader(BytesIO(printed)).pages[0]

    assert "Formular (https://example.com/a?b=1&c=2)" in pages_of(printed)[0]
    assert {note.get_object()["/A"]["/URI"] for note in page.annotations or ()} == {"https://example.com/a?b=1&c=2"}


def test_hostile_markup_is_only_text() -> None:
    """HTML, the library's own markup and a script link are printed letter by letter."""
    printed = write_pdf('<font size="99">x</font> <img src="file:///etc/passwd"/> [y](javascript:alert(1))', ABOUT)

    assert '<font size="99">x</font> <img src="file:///etc/passwd"/> [y](javascript:alert(1))' in pages_of(printed)[0]
    assert b"/URI" not in printed


def test_long_listing_is_printed_whole() -> None:
    """A long listing is cut into pieces, none of which is lost."""
    pages = pages_of(write_pdf("```\n" + "".join(f"z{n}\n" for n in range(2000)) + "```", ABOUT))

    assert {f"z{n}" for n in range(2000)} <= set(" ".join(pages).split())
