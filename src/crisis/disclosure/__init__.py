"""Disclosure: notices drafted from the record in the words of a language, each item the law wants checked off."""

from crisis.disclosure.drafting import Draft, write_draft
from crisis.disclosure.papers import PAPERS, Paper, write_paper
from crisis.disclosure.tongue import LANGUAGES, words_of

__all__ = ["LANGUAGES", "PAPERS", "Draft", "Paper", "words_of", "write_draft", "write_paper"]
