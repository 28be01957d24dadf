"""Words: what a notice says in one language, as a file beside the templates has it."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

from crisis.domain.law.fact import Number
from crisis.domain.model import Strict, Text
from crisis.errors import ProtocolError

__all__ = ["LANGUAGES", "Words", "words_of"]

_FOLDER = files("crisis.disclosure") / "words"
LANGUAGES = tuple(sorted(one.name.removesuffix(".yaml") for one in _FOLDER.iterdir() if one.name.endswith(".yaml")))


class Words(Strict):
    """One language: its labels, and how each fact, kind of data, measure and thing that a law wants is said."""

    language: Text
    name: Text
    number: Text
    labels: Mapping[str, str]
    phases: Mapping[str, str]
    titles: Mapping[str, str]
    laws: Mapping[str, str]
    breach_of: Mapping[str, str]
    risk: Mapping[str, str]
    harm: Mapping[str, str]
    data_kinds: Mapping[str, str]
    facts: Mapping[str, str]
    measures: Mapping[str, str]
    headings: Mapping[str, str]
    letter: Mapping[str, str]

    def as_law_says(self, says: str) -> str:
        """Return words of a law's file, which are English: in another language they are marked as not translated."""
        shown = f"{says[0].upper()}{says[1:]}"
        return shown if self.language == "en" else self.labels["untranslated"].format(says=shown)

    def law(self, instrument: str, title: str) -> str:
        """Return the name of an instrument, else its title in its file."""
        return self.laws.get(instrument) or self.as_law_says(title)

    def count(self, number: Number) -> str:
        """Say a number as far as it is known: exactly, within bounds, or not at all."""
        if number.most is None:
            return self.labels["at_least"].format(least=self._digits(number.least)) if number.least else ""
        if number.most == number.least:
            return self._digits(number.least)
        about = {"least": self._digits(number.least), "most": self._digits(number.most)}
        return self.labels["between"].format(**about)

    def _digits(self, number: int) -> str:
        written = f"{number:,}"
        return written if self.number == "{:,}" else written.replace(",", self.number)


@lru_cache
def words_of(language: str) -> Words:
    """Read a language; ProtocolError for one that nobody has written."""
    if language not in LANGUAGES:
        raise ProtocolError(f"language {language[:20]!r}", wanted=f"one of: {', '.join(LANGUAGES)}", saw="none of them")
    data: Any = YAML(typ="safe").load((_FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return Words.model_validate(data)
