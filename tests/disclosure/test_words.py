"""Words: every language says the same things, and what people typed is shown as text."""

from collections.abc import Mapping

import pytest

from crisis.disclosure import LANGUAGES, words_of
from crisis.disclosure.escaping import as_line, as_text
from crisis.disclosure.tongue import Words
from tests.disclosure.dossiers import ITEMS
from tests.law.cases import LIBRARY

EVERY = pytest.mark.parametrize("language", LANGUAGES)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("plain, with a full stop.", "plain, with a full stop."),
        ("# 1", "\\# 1"),
        ("- a\n+ b\n-- c", "\\- a\n\n\\+ b\n\n\\-- c"),
        ("1. a\n2) b", "1\\. a\n\n2\\) b"),
        ("    four spaces", "four spaces"),
        ("<b>&lt;a|b", "\\<b\\>\\&lt;a\\|b"),
        ("Fish & Co, +49 30", "Fish & Co, +49 30"),
        ("a\\*b", "a\\\\\\*b"),
        ("a\n\n\n\nb", "a\n\nb"),
    ],
)
def test_escapes(typed: str, shown: str) -> None:
    """Signs that Markdown would read are escaped, and no others; each line is a paragraph."""
    assert as_text(typed) == shown


def test_cell_is_one_line() -> None:
    """In a table a text is one line, without a column more."""
    assert as_line("a | b\n# c") == "a \\| b # c"


@EVERY
def test_languages_have_the_same_words(language: str) -> None:
    """Every language says what English says, and nothing of it is empty."""
    assert _keys(words_of(language)) == _keys(words_of("en"))
    assert all(text.strip() for _, part in _parts(words_of(language)) for text in part.values())


@EVERY
def test_every_item_has_a_heading(language: str) -> None:
    """What any law here wants in a notice has a heading in every language, and nothing else has."""
    assert set(words_of(language).headings) == set(ITEMS)


@EVERY
def test_every_choice_has_words(language: str) -> None:
    """Whatever people can choose for a fact can be said."""
    words, kinds = words_of(language), LIBRARY.kinds

    assert set(words.data_kinds) == set(kinds["data_kinds"].choices)
    assert set(words.breach_of) == set(kinds["breach_of"].choices)
    assert {name for item in ITEMS.values() for name in item.from_facts} <= set(words.facts)
    assert set(words.facts) <= set(kinds)


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_translations_are_translated(language: str) -> None:
    """A language has headings of its own: of a hundred only a few are the same words as in English."""
    own, english = words_of(language).headings, words_of("en").headings

    assert [one for one in own if own[one] == english[one]] in ([], ["cause", "contact"])


def _parts(words: Words) -> list[tuple[str, Mapping[str, str]]]:
    return [(name, part) for name in Words.model_fields if isinstance(part := getattr(words, name), Mapping)]


def _keys(words: Words) -> dict[str, set[str]]:
    return {name: set(part) for name, part in _parts(words)}
