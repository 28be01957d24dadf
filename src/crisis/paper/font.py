"""Font: Fira Sans from its package, embedded in each PDF: Latin, Greek and Cyrillic without a font of the system."""

from functools import cache
from importlib.resources import as_file, files
from typing import Literal

from reportlab.lib.fonts import addMapping
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

__all__ = ["BOLD", "REGULAR", "load_font"]

REGULAR, BOLD = "FiraSans-Regular", "FiraSans-Bold"
_FACES: dict[str, tuple[Literal[0, 1], Literal[0, 1]]] = {
    REGULAR: (0, 0),
    BOLD: (1, 0),
    "FiraSans-Italic": (0, 1),
    "FiraSans-BoldItalic": (1, 1),
}


@cache
def load_font() -> frozenset[int]:
    """Register the four faces once; give the code points that all of them can draw."""
    covered: list[set[int]] = []
    for name, (bold, italic) in _FACES.items():
        with as_file(files("fontpkg_fira_sans") / "files" / f"{name}.ttf") as path:
            face = TTFont(name, str(path))
        pdfmetrics.registerFont(face)
        addMapping(REGULAR, bold, italic, name)
        covered.append(set(face.face.charToGlyph))
    return frozenset(set.intersection(*covered))
