"""The DOCX: what python-docx reads back from it is what the draft says."""

import os
import re
import subprocess
import sys
from io import BytesIO
from zipfile import ZipFile

import pytest

from crisis.paper import write_docx
from tests.paper.drafts import ABOUT, LETTERS, LONG_TABLE, paper_of, words_of


def _part(written: bytes, name: str) -> str:
    return ZipFile(BytesIO(written)).read(name).decode()


def test_words_and_looks_come_back() -> None:
    """Headings, bold, italic, forced breaks and letters of many languages are in the file."""
    paper = paper_of(write_docx(f"# Eins\n\n### Drei\n\n{LETTERS} **fett** *schräg*\\\nneu", ABOUT))
    first, second, text = paper.paragraphs

    assert [(p.style.name if p.style else "", p.text) for p in (first, second)] == [
        ("Heading 1", "Eins"),
        ("Heading 3", "Drei"),
    ]
    assert text.text == f"{LETTERS} fett schräg\nneu"
    assert [run.text for run in text.runs if run.bold] == ["fett"]
    assert [run.text for run in text.runs if run.italic] == ["schräg"]


def test_every_page_says_what_it_is() -> None:
    """One section without a page of its own kind carries title, draft, incident, version, digest and page fields."""
    paper = paper_of(write_docx(LONG_TABLE, ABOUT))
    (section,) = paper.sections

    assert section.header.paragraphs[0].text == "Meldung einer Datenpanne\tENTWURF"
    assert section.footer.paragraphs[0].text.startswith("INC-2026-0007 · Fassung 3 · SHA-256 0123456789ab\tSeite ")
    assert not section.different_first_page_header_footer
    assert not paper.settings.odd_and_even_pages_header_footer
    footer = _part(write_docx("x", ABOUT), "word/footer1.xml")
    assert [field for field in ("PAGE", "NUMPAGES") if f"<w:instrText>{field}</w:instrText>" in footer] == [
        "PAGE",
        "NUMPAGES",
    ]


def test_final_paper_is_no_draft() -> None:
    """A paper that is not a draft does not say that it is one."""
    final = paper_of(write_docx("x", ABOUT.model_copy(update={"draft": False})))

    assert final.sections[0].header.paragraphs[0].text == "Meldung einer Datenpanne"


def test_table_repeats_its_heading_row() -> None:
    """The first row, and only it, is marked to stand on each page; every row is there."""
    written = write_docx(LONG_TABLE, ABOUT)
    (table,) = paper_of(written).tables

    assert [cell.text for cell in table.rows[0].cells] == ["Pflicht", "Angabe"]
    assert [cell.text for cell in table.rows[120].cells] == ["Nr. 119", "Inhalt 119"]
    assert _part(written, "word/document.xml").count("<w:tblHeader/>") == 1


def test_lists_count_from_their_own_start() -> None:
    """Two lists are two Word lists, each with its level and its first number."""
    written = write_docx("3. drei\n4. vier\n   - tief\n\ntext\n\n1. eins", ABOUT)
    numbering = _part(written, "word/numbering.xml")
    items = re.findall(r'<w:ilvl w:val="(\d)"/><w:numId w:val="(\d)"/>', _part(written, "word/document.xml"))

    assert items == [("0", "1"), ("0", "1"), ("1", "2"), ("0", "3")]
    assert [f'<w:start w:val="{n}"/>' in numbering for n in (3, 1, 2)] == [True, True, False]


def test_same_draft_gives_the_same_bytes_in_another_process() -> None:
    """Neither the process, its hash seed nor the time of packing changes a byte."""
    code = (
        "import sys; from crisis.paper import *; from tests.paper.drafts import *; "
        "sys.stdout.buffer.write(write_docx(LETTERS + '\\n\\n' + LONG_TABLE, ABOUT))"
    )
    other = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": os.pathsep.join(sys.path)}
    written = subprocess.run([sys.executable, "-c", code], env=other, check=True, capture_output=True).stdout

    assert written == write_docx(f"{LETTERS}\n\n{LONG_TABLE}", ABOUT)
    assert {part.date_time for part in ZipFile(BytesIO(written)).infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_file_says_title_language_and_date_and_no_program() -> None:
    """The properties carry title, language, digest and time of the draft; no author is made up."""
    told = paper_of(write_docx("x", ABOUT)).core_properties

    assert (told.title, told.language, told.identifier) == ("Meldung einer Datenpanne", "de", ABOUT.sha256)
    assert told.created == ABOUT.made_at
    assert (told.author, told.comments) == ("", "")


@pytest.mark.parametrize(("language", "locale"), [("en", "en-GB"), ("de", "de-DE"), ("fr", "fr-FR")])
def test_spelling_is_checked_in_the_language(language: str, locale: str) -> None:
    """The word processor is told the language."""
    written = write_docx("x", ABOUT.model_copy(update={"language": language}))

    assert f'<w:lang w:val="{locale}"' in _part(written, "word/styles.xml")


def test_every_relation_inside_the_file_has_its_part() -> None:
    """No part is named that is not there: Word would call the file damaged."""
    written = ZipFile(BytesIO(write_docx("x", ABOUT)))

    assert "thumbnail" not in written.read("_rels/.rels").decode()
    assert not [name for name in written.namelist() if "thumbnail" in name]


def test_hostile_text_is_only_text() -> None:
    """HTML, a script link, control characters and a half surrogate are written so that a reader sees them."""
    written = write_docx("<b>x</b> [y](javascript:alert(1)) \x07\x1b \u202eabc &#x202e; \ud800 \ufffe", ABOUT)

    assert words_of(written) == (
        "<b>x</b> [y](javascript:alert(1)) [U+0007][U+001B] [U+202E]abc [U+202E] [U+D800] [U+FFFE]"
    )


def test_links_point_outside() -> None:
    """A link is a relation to its address, which is also printed."""
    written = write_docx("[Formular](https://example.com/a)", ABOUT)

    assert words_of(written) == "Formular (https://example.com/a)"
    assert 'Target="https://example.com/a" TargetMode="External"' in _part(written, "word/_rels/document.xml.rels")
