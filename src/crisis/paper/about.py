"""About: what the header and footer of each page say, in the language of the paper."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from crisis.domain.model import Strict
from crisis.paper.characters import one_line

__all__ = ["PaperAbout", "footer_of", "header_of", "page_words"]

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Language = Literal["en", "de", "fr"]


@dataclass(frozen=True)
class _Words:
    draft: str
    version: str
    page: str
    of: str


_WORDS: dict[Language, _Words] = {
    "en": _Words("DRAFT", "Version", "Page", "of"),
    "de": _Words("ENTWURF", "Fassung", "Seite", "von"),
    "fr": _Words("PROJET", "Version", "Page", "sur"),
}


class PaperAbout(Strict):
    """Which paper this is: the same for the DOCX and the PDF, printed on each page."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    language: Language
    version: Annotated[int, Field(ge=1)]
    sha256: Sha256
    incident: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    made_at: AwareDatetime
    draft: bool


def header_of(about: PaperAbout) -> tuple[str, str]:
    """Left and right of the header: the title, and that it is a draft (or nothing)."""
    return one_line(about.title), _WORDS[about.language].draft if about.draft else ""


def footer_of(about: PaperAbout) -> str:
    """Left of the footer: incident, version and the first twelve digits of the text's SHA-256."""
    words = _WORDS[about.language]
    return f"{one_line(about.incident)} · {words.version} {about.version} · SHA-256 {about.sha256[:12]}"


def page_words(about: PaperAbout) -> tuple[str, str]:
    """Give what stands before the number of the page, and between it and the number of all pages."""
    words = _WORDS[about.language]
    return words.page, words.of
