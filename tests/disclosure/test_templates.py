"""Templates: every notice and paper, in every language, of all facts, of none, and of hostile ones."""

import re
from functools import lru_cache
from itertools import pairwise

import pytest

from crisis.disclosure import LANGUAGES, PAPERS, Draft, words_of, write_draft, write_paper
from crisis.domain.disclosure.dossier import Dossier, fact_of
from crisis.domain.law.instrument import Item
from tests.disclosure.dossiers import RULINGS, dossier, empty, full, headings, hostile, reading, ruling, texts

CALIFORNIA = [
    "Notice of Data Breach",
    "What Happened",
    "What Information Was Involved",
    "What We Are Doing",
    "What You Can Do",
    "For More Information",
]
BY_NAME = {"full": full(), "empty": empty(), "hostile": hostile()}
EVERY = pytest.mark.parametrize("language", LANGUAGES)


@lru_cache
def pages(name: str, language: str) -> tuple[Draft, ...]:
    """Return every notice and paper of a dossier by its name, made once."""
    return tuple(drafts(BY_NAME[name], language))


def drafts(of: Dossier, language: str) -> list[Draft]:
    """Return every notice and every paper of a dossier."""
    notices = [write_draft(one, of, language) for one in RULINGS]
    return notices + [write_paper(kind, of, reading(of), language) for kind in PAPERS]


@EVERY
@pytest.mark.parametrize("name", BY_NAME)
def test_every_template_renders(name: str, language: str) -> None:
    """Each page begins with its only title, ends with a line, and never has two empty lines."""
    for draft in pages(name, language):
        text = draft.markdown

        assert text.startswith("# "), draft.duty
        assert text.endswith("\n"), draft.duty
        assert "\n\n\n" not in text, draft.duty
        assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1, draft.duty


@EVERY
@pytest.mark.parametrize("name", BY_NAME)
def test_parts_stand_apart(name: str, language: str) -> None:
    """Headings, tables and lists have an empty line before them: without it a printer takes them for text."""
    for draft in pages(name, language):
        lines = draft.markdown.splitlines()
        for before, line in pairwise(lines):
            sign = next((one for one in ("#", "|", "- ") if line.startswith(one)), "")
            if sign and not (sign != "#" and before.startswith(sign)):
                assert before == "", f"{draft.duty}: {line[:60]}"


@EVERY
def test_what_people_typed_is_text(language: str) -> None:
    """A hostile text makes no heading, list, rule, code, HTML or column: the parts are those of a harmless one."""
    harmless = dossier({one.fact: one.value for one in full().facts.statements}, receipts=full().receipts)
    for bad, good in zip(pages("hostile", language), drafts(harmless, language), strict=True):
        text = bad.markdown

        assert headings(bad) == headings(good), bad.duty
        assert _columns(text) == _columns(good.markdown), bad.duty
        assert not re.search(
            r"(?<!\\)[<`]|(?<!\\)\[link|^\s*(?:[-=]{3,}|>|\d+[.)]\s|[-+*] point)", _own(text), re.MULTILINE
        )


@EVERY
def test_templates_in_a_text_are_not_run(language: str) -> None:
    """Braces that people typed come out as they were typed, and no sign that turns the direction of writing does."""
    text = write_draft(ruling("eu-gdpr-33"), hostile(), language).markdown

    assert r"{{ 7 \* 7 }} {% raw %}" in text
    assert "x" * 2000 in text
    assert "\u05e9\u05dc\u05d5\u05dd" in text
    assert "\u202e" not in text
    assert "\u2028" not in text


def test_item_of_an_own_law_is_marked_as_not_translated() -> None:
    """What a company's own file wants has its own words for a heading, marked where they are not of the language."""
    item = Item(id="premium", says="the policy number", where="clause 7")
    duty = ruling("eu-gdpr-33").duty.model_copy(update={"id": "insurer", "must_contain": (item,)})
    own = ruling("eu-gdpr-33").model_copy(update={"duty": duty})

    assert "## The policy number\n" in write_draft(own, empty()).markdown
    german = write_draft(own, empty(), "de").markdown
    assert "## The policy number (englisch, nicht übersetzt)\n\n*Rechtsgrundlage: clause 7*\n" in german


@EVERY
def test_what_the_law_wants_stands_in_the_draft(language: str) -> None:
    """Every item of every duty stands in its draft with what was written for it."""
    said = dossier(texts())
    for asked in RULINGS:
        draft = write_draft(asked, said, language)

        assert [one.item for one in draft.passages] == [one.id for one in asked.duty.must_contain]
        for one in draft.passages:
            assert one.state == "stated"
            # The title is the law's, whatever people write.
            assert one.item == "title" or one.text in draft.markdown, (draft.duty, one.item)


@EVERY
def test_what_nobody_knows_is_marked(language: str) -> None:
    """Every item of every duty of which nothing is known stands in its draft as unknown, under a heading or a label."""
    for asked in RULINGS:
        draft = write_draft(asked, empty(), language)
        words = words_of(draft.language)

        assert not [one for one in draft.passages if one.state != "unknown" and one.item not in ("title", "date")]
        marked = draft.markdown.count(words.labels["open"])
        assert marked >= len(draft.unknown)
        if asked.duty.kind in ("authority", "record") and draft.duty != "gb-gdpr-33":
            assert {words.headings[one.item] for one in draft.unknown} <= set(headings(draft))


@EVERY
def test_when_an_item_is_expected_is_said(language: str) -> None:
    """Where people say by when they will know, each item says so."""
    said = dict.fromkeys(texts(), "unknown until 2026-04-01")
    of = dossier(said)
    for asked in RULINGS:
        draft = write_draft(asked, of, language)
        expected = words_of(draft.language).labels["expected"].format(date="2026-04-01")

        assert all(one.text == expected for one in draft.passages)
        assert draft.markdown.count(expected) >= len(draft.passages) - (draft.duty == "us-ca-1798-82-people")


@EVERY
def test_california_has_its_headings(language: str) -> None:
    """The title and the five headings are those of the statute, in its order, in English whatever was asked."""
    for of in BY_NAME.values():
        draft = write_draft(ruling("us-ca-1798-82-people"), of, language)

        assert headings(draft) == CALIFORNIA
        assert draft.language == "en"


def test_sec_report_says_what_is_not_determined() -> None:
    """The report on Form 8-K names its item, lists what is open, and leaves the signature blank."""
    draft = write_draft(ruling("us-sec-8k-1-05-report"), empty(), "fr")

    assert "## Item 1.05 Material Cybersecurity Incidents\n" in draft.markdown
    assert "has not determined, or does not have, all required information on:\n\n- Nature of" in draft.markdown
    assert "| By | .................... |" in draft.markdown


def test_what_people_may_suffer_is_not_what_investors_ask_for() -> None:
    """The consequences written for an authority are not the material impact of a report to investors."""
    said = dossier({"text_consequences": "People may get false mails."})

    assert "false mails" in write_draft(ruling("eu-gdpr-33"), said).markdown
    assert "false mails" not in write_draft(ruling("us-sec-8k-1-05-report"), said).markdown


def test_form_of_the_ico_warns() -> None:
    """The text for the ICO's form says that no victim belongs in it, and that the form is not saved half-way."""
    text = write_draft(ruling("gb-gdpr-33"), full()).markdown

    assert "**Do not put personal data of those affected into the form" in text
    assert "**The form cannot be saved half-way." in text


@EVERY
@pytest.mark.parametrize("name", BY_NAME)
def test_same_facts_are_the_same_bytes(name: str, language: str) -> None:
    """A second draft of the same facts has the same hash."""
    first, second = pages(name, language), drafts(BY_NAME[name].model_copy(deep=True), language)

    assert [one.sha256 for one in first] == [one.sha256 for one in second]


@EVERY
def test_phases_differ(language: str) -> None:
    """A first, a later and a final notice of the same items say which of them they are."""
    duty = ruling("eu-gdpr-33")
    phases = ("initial", "intermediate", "final")
    made = [duty.model_copy(update={"duty": duty.duty.model_copy(update={"phase": one})}) for one in phases]
    shown = [write_draft(one, dossier(texts()), language).markdown for one in made]

    assert len(set(shown)) == 3
    for phase, page in zip(phases, shown, strict=True):
        assert words_of(language).phases[phase] in page
    assert words_of(language).labels["unknown"] not in shown[0].split("\n## ", 1)[1]


@EVERY
def test_withdrawn_facts_are_gone(language: str) -> None:
    """What was withdrawn stands in no notice and no paper."""
    said = dossier(dict.fromkeys(texts(), "Not so."))
    gone = [one.model_copy(update={"counts": False}) for one in said.facts.statements]
    withdrawn = said.model_copy(update={"facts": said.facts.model_copy(update={"statements": tuple(gone)})})

    assert any("Not so." in one.markdown for one in drafts(said, language))
    assert not [one.duty for one in drafts(withdrawn, language) if "Not so." in one.markdown]


def test_part_of_an_answer_is_not_all_of_it() -> None:
    """Where the law asks for two things and one is known, the other is marked, and the item counts as unknown."""
    draft = write_draft(ruling("eu-gdpr-33"), dossier({"records": {"least": 5, "most": 5}}))
    records = next(one for one in draft.passages if one.item == "records")

    assert records.state == "unknown"
    assert "- Records affected: 5\n- **Kinds of data: unknown, not stated so far**\n" in draft.markdown


def test_dates_alone_are_no_account() -> None:
    """A notice that must say what happened, with its dates, is not complete with the dates alone."""
    said = dossier({"happened": "2026-03-01T10:00:00.000000Z", "discovered": "2026-03-02T10:00:00.000000Z"})
    draft = write_draft(ruling("us-hipaa-404"), said)

    assert "**What happened, in words: unknown, not stated so far**" in draft.markdown
    assert "happened" in [one.item for one in draft.unknown]


@pytest.mark.parametrize("typed", ["", "   ", "\u202e", "unknown until 2026-02-31"])
def test_nothing_written_is_unknown(typed: str) -> None:
    """An empty text, or a day that does not exist, answers nothing."""
    draft = write_draft(ruling("eu-gdpr-33"), dossier({"text_consequences": typed}))

    assert "consequences" in [one.item for one in draft.unknown]


@pytest.mark.parametrize(("language", "shown"), [("en", "1,200"), ("de", "1.200"), ("fr", "1\u202f200")])
def test_numbers_as_the_country_writes_them(language: str, shown: str) -> None:
    """A thousand is set apart as the readers are used to, with the basis of the number below."""
    said = dossier({"records": {"least": 1200, "most": 1200}, "data_kinds": ["contact"]})
    text = write_draft(ruling("eu-gdpr-33"), said, language).markdown

    assert shown in text
    assert "look 1" in text


@EVERY
def test_later_notice_refers_to_the_earlier(language: str) -> None:
    """A notice under a law of which something was filed names its time and reference."""
    text = write_draft(ruling("eu-gdpr-33"), full(), language).markdown

    assert "- 2026-03-03 15:00 UTC (2026-03-03 16:00 CET), " in text
    assert "DPA-77" in text


@EVERY
def test_press_gets_nothing_that_was_written_for_others(language: str) -> None:
    """Of what people wrote, the holding line has when more is said and whom to ask."""
    text = write_paper("press", full(), reading(full()), language).markdown
    found = [fact for fact, one in texts().items() if one in text]

    assert found == [fact_of(Item(id="contact", says="x")), fact_of(Item(id="later", says="x"))]


@EVERY
def test_withdrawal_needs_the_fact(language: str) -> None:
    """A withdrawal says that there was no breach only where people state that."""
    none, open_ = dossier({"is_none": True}), empty()
    texts_of = [write_paper("withdrawal", one, reading(one), language).markdown for one in (none, open_)]

    assert texts_of[0] != texts_of[1]
    stop = {"en": "**Not to be sent", "de": "**Nicht versenden", "fr": "**À ne pas envoyer"}[language]
    assert stop not in texts_of[0]
    assert stop in texts_of[1]


@EVERY
def test_drill_is_said_on_every_page(language: str) -> None:
    """Each draft of a drill says that nothing happened."""
    for draft in drafts(full(drill=True), language):
        assert f"**{words_of(draft.language).labels['drill']}**" in draft.markdown, draft.duty


def _own(text: str) -> str:
    """Return a page without the rules and tables that its template draws."""
    return "\n".join(line for line in text.splitlines() if line != "---" and not line.startswith("| ---"))


def _columns(text: str) -> list[int]:
    return [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
