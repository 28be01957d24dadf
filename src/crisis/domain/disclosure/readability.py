"""Readability: how hard a notice is to read, by the formula of its language, from words, sentences and syllables."""

import re
import unicodedata
from typing import Literal

from pydantic import Field

from crisis.domain.disclosure.reading import flowing, folded
from crisis.domain.model import Strict

__all__ = ["Language", "Readability", "readability", "syllables"]

Language = Literal["en", "de", "fr"]

_WORD = re.compile(r"[^\W\d_]++(?:['\u2019-][^\W\d_]++)*+")
_END = re.compile(r"[.!?:]++(?=[\"')\]]{0,3}(?:\s|\Z))|\n")
_SHORTENED = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|e\.g|i\.e|no|art|inc|ltd|nr|abs|z\.B|bzw|usw|ca|st|str|vgl|cf|p\.ex)\.(?=\s)"
    r"|\b\d{1,2}\.(?=\s[A-Za-z])",
    re.IGNORECASE,
)
_VOWELS = {
    "en": re.compile(r"[aeiouy]+"),
    # Two vowels that are one sound; any other pair is two.
    "de": re.compile(r"aa|ee|oo|ie|ei|ai|au|eu|ey|ay|[aeiouy]"),
    "fr": re.compile(r"[aeiouy]+"),
}
_FORMULAS = {"en": (206.835, 1.015, 84.6), "de": (180.0, 1.0, 58.5), "fr": (207.0, 1.015, 73.6)}
_LEVELS = ((70, "easy"), (50, "fairly hard"), (30, "hard"))


class Readability(Strict):
    """
    How a text reads. `ease` is about 0 (very hard) to 100 (very easy); None where there is no word.

    It measures length, not sense: a short text, or one of names and figures, gives a number that says little.
    """

    language: Language
    sentences: int = Field(ge=0)
    words: int = Field(ge=0)
    syllables: int = Field(ge=0)
    ease: float | None

    @property
    def says(self) -> str:
        """The ease in a word."""
        if self.ease is None:
            return "nothing to read"
        return next((word for least, word in _LEVELS if self.ease >= least), "very hard")


def readability(text: str, language: Language) -> Readability:
    """
    Measure a text; with W words, S sentences and Y syllables.

    English  206.835 - 1.015 W/S - 84.6 Y/W   R. Flesch, A New Readability Yardstick, J. Applied Psychology 32 (1948)
    German   180 - W/S - 58.5 Y/W             T. Amstad, Wie verständlich sind unsere Zeitungen?, Zürich 1978
    French   207 - 1.015 W/S - 73.6 Y/W       L. Kandel, A. Moles, Application de l'indice de Flesch à la langue
                                              française, 1958, as it is commonly cited

    A heading, a list item and a table's cell are each a sentence. Figures are no words.
    """
    flow = _SHORTENED.sub(lambda match: match[0].replace(".", ""), flowing(unicodedata.normalize("NFC", text)).text)
    sentences = [one for one in (_WORD.findall(piece) for piece in _END.split(flow)) if one]
    words = [word for sentence in sentences for word in sentence]
    spoken = sum(syllables(word, language) for word in words)
    ease = _ease(len(words), len(sentences), spoken, language) if words else None
    return Readability(language=language, sentences=len(sentences), words=len(words), syllables=spoken, ease=ease)


def _ease(words: int, sentences: int, spoken: int, language: Language) -> float:
    base, by_sentence, by_word = _FORMULAS[language]
    return round(base - by_sentence * words / sentences - by_word * spoken / words, 1)


def syllables(word: str, language: Language) -> int:
    """
    Count the syllables of a word by its groups of vowels, at least one: right for most words, never exact.

    In English and French a last e that is not heard is left out, and in English that of -ed after most letters.
    """
    parts = re.split(r"[-'\u2019]", word.lower())
    return max(1, sum(_in_part(part, language) for part in parts if part))


def _in_part(said: str, language: Language) -> int:
    low = folded(said)
    count = len(_VOWELS[language].findall(low))
    if language == "en":
        silent = re.search(r"(?:[^aeiouyl]|[aeiouy]l)e$|[^aeiouytd]ed$|[^aeiouyscxzg]es$", low)
        split = len(re.findall(r"i[ao](?!us)(?<![cstg]i.)|eo(?!u)|ua(?!r)", low))
        return count - (1 if silent and count > 1 else 0) + split
    if language == "fr":
        silent = re.search(r"[bcdfghj-np-tv-xzç]es?$", said)
        return count - (1 if silent and count > 1 else 0)
    return count
