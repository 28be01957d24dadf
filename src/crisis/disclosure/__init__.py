"""Disclosure: notices drafted from the record in the words of a language, each item the law wants checked off."""

from crisis.disclosure.drafting import Draft, write_draft
from crisis.disclosure.tongue import LANGUAGES, words_of

__all__ = ["LANGUAGES", "Draft", "words_of", "write_draft"]
