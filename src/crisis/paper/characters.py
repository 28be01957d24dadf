"""Characters: what a page must not carry is shown by its number, so that nothing hides and nothing is lost."""

import re
import unicodedata
from collections.abc import Container

__all__ = ["fit", "mark", "name", "one_line", "showable"]

# No control character but tab and line feed can stand in a DOCX (it is XML). Marks that turn the direction of writing
# could make a reader see another text than the one that was approved. Halves of surrogate pairs are not text at all.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufe0e\ufe0f\ufeff"))
_ALIKE = {
    "\u202f": "\u00a0",
    "\u2007": "\u00a0",
    "\u2009": " ",
    "\u200a": " ",
    "\u2002": " ",
    "\u2003": " ",
    "\u2010": "-",
    "\u2011": "-",
    "\u2012": "\u2013",
    "\u2015": "\u2014",
    "\u201b": "\u2018",
    "\u201f": "\u201c",
    "\u2610": "[ ]",
    "\u2611": "[x]",
    "\u2612": "[x]",
    "\u2713": "[x]",
    "\u2714": "[x]",
    "\ufffd": "[?]",
}


def mark(character: str) -> str:
    """Show a character by its number: `[U+4E2D]`."""
    return f"[U+{ord(character):04X}]"


def name(character: str) -> str:
    """Say number and Unicode name, for a warning a person reads."""
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"


def showable(text: str) -> str:
    """Replace what no page may carry by its number."""
    return _HARMFUL.sub(lambda found: mark(found[0]), text)


def one_line(text: str) -> str:
    """Put a title on one line, all of it showable."""
    return showable(" ".join(text.split()))


def fit(text: str, covered: Container[int]) -> tuple[str, set[str]]:
    """Spell a text with the covered characters only; also give those that could not be spelled."""
    whole = unicodedata.normalize("NFC", text).translate(_UNSEEN)
    spelled: list[str] = []
    missing: set[str] = set()
    for character in whole:
        if character in "\n\t" or ord(character) in covered:
            spelled.append(character)
        elif character in _ALIKE:
            spelled.append(_ALIKE[character])
        else:
            spelled.append(mark(character))
            missing.add(character)
    return "".join(spelled), missing
