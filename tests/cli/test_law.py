"""Facts, clocks, duties, drafts and receipts at the terminal, as counsel uses it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest

from crisis.domain.clock import utc_now
from crisis.journal.store import Journal
from tests.cli.conftest import INCIDENT, Crisis

SECRET = pyotp.random_base32()
ENVIRONMENT = {"CRISIS_SANDBOX_TOTP_CLEO": SECRET}
FACTS = ["detected=2026-11-24T03:12+01:00", "aware=2026-11-24T09:00+01:00", "personal_data=yes", "risk=risk"]
MORE = ["people=DE 1000-1200, elsewhere 0", "breach_of=confidentiality", "data_kinds=contact"]
WHO = ["--who", "cleo", "--zone", "Europe/Berlin", "--evidence", "ticket 4711"]


@pytest.fixture
def stated(crisis: Crisis, journal: Journal) -> Crisis:
    """An incident for which counsel has stated what she knows."""
    said = crisis.typing(
        f"{pyotp.TOTP(SECRET).now()}\n", "facts", "state", INCIDENT, *FACTS, *MORE, *WHO, **ENVIRONMENT
    )
    assert (said.code, said.out) == (0, "on record\n")
    assert journal.head(INCIDENT) is not None
    return crisis


def words(said: Any) -> str:
    """Return what was printed on one line."""
    return " ".join(said.out.split())


def test_facts_are_listed_as_they_were_said(stated: Crisis) -> None:
    """In the zone of who said them, with author and evidence."""
    found = words(stated("facts", "list", INCIDENT))

    assert "aware 2026-11-24 09:00 Europe/Berlin cleo" in found
    assert "people DE 1000 to 1200, elsewhere 0 cleo" in found
    assert "ticket 4711" in found


def test_clocks_and_duties_follow_from_them(stated: Crisis) -> None:
    """72 hours from nine o'clock in Berlin; a duty that does not apply is shown on demand, with its reason."""
    clocks, duties = stated("clocks", INCIDENT), stated("law", "duties", INCIDENT, "--every")

    assert "2026-11-27 09:00 CET" in clocks.out
    assert "counsel decides" in clocks.out
    assert "the company is not: dora-financial-entity" in words(duties)


def test_questions_name_the_fact_that_answers_them(crisis: Crisis, journal: Journal) -> None:
    """Each with how many duties it decides; at first, whether personal data is affected is one of them."""
    found = crisis("facts", "ask", INCIDENT)

    assert journal.head(INCIDENT) is not None
    assert "personal_data Is personal data affected?" in words(found)


def test_a_draft_is_written_in_three_forms_and_once(stated: Crisis, tmp_path: Path) -> None:
    """Markdown, DOCX and PDF, for their owner alone; drawn up again it is the same version."""
    first = stated("law", "draft", INCIDENT, "eu-gdpr-33", "--into", str(tmp_path / "drafts"))
    again = stated("law", "draft", INCIDENT, "eu-gdpr-33", "--into", str(tmp_path / "drafts"))
    kept = {one.name: one for one in (tmp_path / "drafts" / INCIDENT).iterdir()}

    assert "eu-gdpr-33: version 1, new" in first.out
    assert "eu-gdpr-33: version 1, unchanged" in again.out
    assert set(kept) == {f"eu-gdpr-33.en.v1.{ending}" for ending in ("md", "docx", "pdf")}
    assert kept["eu-gdpr-33.en.v1.pdf"].read_bytes().startswith(b"%PDF-")
    assert all(one.stat().st_mode & 0o077 == 0 for one in kept.values())


def test_a_receipt_stops_the_clock(stated: Crisis) -> None:
    """It needs a code of its own."""
    code = pyotp.TOTP(SECRET).at(utc_now() + timedelta(seconds=30))  # the present one is spent
    about = ["--who", "cleo", "--at", "2026-11-25T10:00+01:00", "--reference", "case 12345"]
    filed = stated.typing(f"{code}\n", "law", "filed", INCIDENT, "eu-gdpr-33", *about, **ENVIRONMENT)
    clocks = stated("clocks", INCIDENT)

    assert (filed.code, filed.out) == (0, "on record\n")
    assert "filed" in clocks.out


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (["facts", "state", INCIDENT, "aware", *WHO], "wanted NAME=VALUE"),
        (["facts", "state", INCIDENT, "mood=bad", *WHO], "wanted a fact: "),
        (["law", "draft", INCIDENT, "xx-none"], "wanted a duty with a notice"),
        (["law", "draft", INCIDENT, "eu-gdpr-33", "--language", "xx"], "language 'xx'"),
        (
            ["law", "filed", INCIDENT, "xx", "--who", "cleo", "--at", "2026-11-25T10:00Z", "--reference", "x"],
            "id of a duty",
        ),
        (["clocks", "INC-20260101-aaaaaa"], "an incident of this journal"),
    ],
)
def test_bad_input_is_one_line(crisis: Crisis, journal: Journal, said: list[str], says: str) -> None:
    """What, where, what to do next; nothing is written."""
    before = journal.head(INCIDENT)
    found = crisis.typing("123456\n", *said, **ENVIRONMENT)

    assert found.code != 0
    assert says in found.line
    assert journal.head(INCIDENT) == before
