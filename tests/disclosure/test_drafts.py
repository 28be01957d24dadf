"""Drafts: each thing that the law wants is filled from facts, from people, or says that it is unknown."""

from pathlib import Path
from typing import Any

import pytest

from crisis.disclosure import write_draft
from crisis.disclosure.drafting import Draft
from crisis.disclosure.folder import Folder
from crisis.domain.disclosure.dossier import Dossier, Measure
from crisis.domain.law.duties import Ruling, judge_duties
from crisis.domain.protocol import Contact, Law
from crisis.errors import ProtocolError
from tests.law.cases import LIBRARY, OPENED, case, facts

COMPANY = Law(
    jurisdictions=("EU", "US-CA"),
    roles=("controller",),
    address="1 Market Street",
    contact=Contact(name="Dr Eva Adler", role="Data Protection Officer", email="dpo@shop.example"),
)
KNOWN: dict[str, Any] = {
    "personal_data": True,
    "risk": "high",
    "breach_of": ["confidentiality"],
    "data_kinds": ["contact", "credentials"],
    "people": {"DE": (1000, 1200), "US-CA": (612, 612), "elsewhere": (0, 0)},
}


def ruling(duty: str, said: dict[str, Any]) -> Ruling:
    """Return what is ruled of a duty."""
    found = judge_duties(LIBRARY.instruments, case(COMPANY, **said), OPENED)
    return next(one for one in found if one.duty.id == duty)


def dossier(said: dict[str, Any], *measures: Measure) -> Dossier:
    """Return a dossier with these facts."""
    return Dossier(
        incident="INC-20260302-3f9a2c5e",
        company="The Sandbox Shop",
        law=COMPANY,
        facts=facts(*said.items()),
        measures=measures,
        opened=OPENED,
        now=OPENED,
    )


def draft(duty: str = "eu-gdpr-33", *measures: Measure, **more: Any) -> Draft:
    """Draft a notice from what is known, and more."""
    said = KNOWN | more
    return write_draft(ruling(duty, said), dossier(said, *measures))


def passage(found: Draft, item: str) -> tuple[str, str]:
    """Return the state and the text of an item."""
    return next((one.state, one.text) for one in found.passages if one.item == item)


def test_every_item_that_the_law_wants_stands_in_it() -> None:
    """In the law's order, none left out."""
    found = draft()

    assert [one.item for one in found.passages] == [one.id for one in ruling("eu-gdpr-33", KNOWN).duty.must_contain]
    assert all(one.says and one.text for one in found.passages)


def test_a_number_is_that_of_the_recipient_and_has_its_basis() -> None:
    """The authority of the union reads how many in the union, and how many in all."""
    state, text = passage(draft(people_kinds="customers of the shop"), "people")

    assert state == "derived"
    assert "between 1,000 and 1,200 in EU; between 1,612 and 1,812 in all" in text


def test_what_nobody_knows_says_so() -> None:
    """And never a guess; with a date where somebody expects it by then."""
    assert passage(draft(), "consequences") == ("unknown", "unknown, expected by a date still to be set")
    assert passage(draft(text_consequences="unknown until 2026-03-09"), "consequences") == (
        "unknown",
        "unknown, expected by 2026-03-09",
    )


def test_what_a_person_wrote_goes_before_what_follows_from_facts() -> None:
    """With how they know it as its basis."""
    assert passage(draft(text_nature="Somebody copied the backup."), "nature") == (
        "stated",
        "Somebody copied the backup.",
    )


def test_contradicted_facts_leave_an_item_open() -> None:
    """Neither number goes out."""
    said = facts(*KNOWN.items())
    other = facts(("people", {"DE": (5, 5), "elsewhere": (0, 0)}), by="dan").statements[0]
    both = said.model_copy(update={"statements": (*said.statements, other.model_copy(update={"number": 90}))})
    found = write_draft(ruling("eu-gdpr-33", KNOWN), dossier(KNOWN).model_copy(update={"facts": both}))

    assert passage(found, "people")[0] == "unknown"


def test_measures_are_said_in_words_of_the_list_alone() -> None:
    """With the time of the first, in UTC and at the recipient's."""
    state, text = passage(draft("eu-gdpr-33", Measure(action="end_sessions", first=OPENED, times=2)), "measures")

    assert state == "derived"
    assert text == (
        "Every session of our users was ended, so that everybody has to log in again, "
        "first on 2026-03-02 09:00 UTC (2026-03-02 10:00 CET)."
    )


def test_a_fact_that_only_decides_whether_something_is_needed_does_not_fill_it() -> None:
    """The addresses of credit agencies do not follow from the kinds of data."""
    assert passage(draft("us-ca-1798-82-people"), "agencies")[0] == "unknown"


def test_the_same_facts_are_the_same_version(tmp_path: Path) -> None:
    """Another fact is the next one, with what changed."""
    folder = Folder(tmp_path / "INC")
    first, same = folder.keep(draft()), folder.keep(draft())
    second = folder.keep(draft(text_consequences="People may receive deceptive messages."))

    assert [(one.version, one.new) for one in (first, same, second)] == [(1, True), (1, False), (2, True)]
    diff = second.markdown.with_suffix(".diff").read_text(encoding="utf-8")
    assert "+People may receive deceptive messages." in diff.splitlines()
    assert second.markdown.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """What and where."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(ProtocolError, match="a folder for drafts"):
        Folder(tmp_path / "file" / "INC").keep(draft())


def test_a_language_that_nobody_has_written_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(ProtocolError, match=r"one of: .*en"):
        write_draft(ruling("eu-gdpr-33", KNOWN), dossier(KNOWN), "xx")
