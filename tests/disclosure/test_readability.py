"""How hard a text is to read: worked by hand in three languages."""

import pytest

from crisis.domain.disclosure.readability import Language, readability, syllables

WORKED = {
    # 9 words of one syllable each, 2 sentences: 206.835 - 1.015 x 4.5 - 84.6 x 1 = 117.6675
    "short English": ("en", "The cat sat on the mat. It was late.", 2, 9, 9, 117.7),
    # pass-word and to-day have two: 206.835 - 1.015 x 9/2 - 84.6 x 11/9 = 206.835 - 4.5675 - 103.4
    "English": ("en", "Your password was not read. Please change it today.", 2, 9, 11, 98.9),
    # Ih-re Da-ten wur-den ge-le-sen, wir be-dau-ern das: 180 - 7/2 - 58.5 x 14/7 = 180 - 3.5 - 117
    "German": ("de", "Ihre Daten wurden gelesen. Wir bedauern das.", 2, 7, 14, 59.5),
    # don-nées and é-té have two: 207 - 1.015 x 11/2 - 73.6 x 13/11 = 207 - 5.5825 - 86.9818
    "French": ("fr", "Vos données ont été lues. Le mot de passe est sûr.", 2, 11, 13, 114.4),
    # A heading, two items, one sentence over two lines; figures are no words. 206.835 - 1.015 x 7/4 - 84.6 x 7/7
    "Markdown": ("en", "# What\n\n- **Your** name\n- 3 keys\n\nIt was\nread.", 4, 7, 7, 120.5),
    # A title's dot ends no sentence, and what has no vowel counts as one: 206.835 - 1.015 x 5 - 84.6 x 5/5 = 117.16
    "a title": ("en", "Dr. Ames will call you.", 1, 5, 5, 117.2),
}


@pytest.mark.parametrize("name", WORKED)
def test_what_was_worked_by_hand(name: str) -> None:
    """Sentences, words, syllables and ease are those of the sum on paper."""
    language, text, sentences, words, spoken, ease = WORKED[name]

    found = readability(text, language)  # type: ignore[arg-type]

    assert (found.sentences, found.words, found.syllables, found.ease) == (sentences, words, spoken, ease)


def test_nothing_to_read_has_no_ease() -> None:
    """A text without words is not called easy."""
    found = readability("12.5 % -- 33(1)\n", "en")

    assert (found.words, found.ease, found.says) == (0, None, "nothing to read")


@pytest.mark.parametrize(
    ("word", "language", "count"),
    [
        ("data", "en", 2),
        ("table", "en", 2),
        ("closed", "en", 1),
        ("rotated", "en", 3),
        ("services", "en", 3),
        ("media", "en", 3),
        ("Verletzung", "de", 3),
        ("Beauftragte", "de", 4),
        ("Europa", "de", 3),
        ("sécurité", "fr", 4),
        ("personnelles", "fr", 3),
        ("aujourd'hui", "fr", 3),
        ("pqr", "en", 1),
    ],
)
def test_syllables_of_common_words(word: str, language: Language, count: int) -> None:
    """The count of a word is what a speaker says."""
    assert syllables(word, language) == count


def test_a_hard_sentence_is_called_hard() -> None:
    """Long words in one long sentence are very hard, short ones easy."""
    hard = (
        "Notwithstanding organisational countermeasures, unauthorised exfiltration of authentication material occurred."
    )

    assert (readability(hard, "en").says, readability("We shut it. It is safe.", "en").says) == ("very hard", "easy")
