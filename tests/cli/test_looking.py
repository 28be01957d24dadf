"""Commands that look at the journal."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from crisis.journal.store import Journal
from tests.cli.conftest import INCIDENT, SUMMARY, Crisis

LOOKS = ["timeline", "verify", "export", "report"]


def test_timeline_lists_incidents(crisis: Crisis, journal: Journal) -> None:
    """Without an incident all are listed, with the words of an alert as they are."""
    said = crisis("timeline")

    assert journal.incidents() == [INCIDENT]
    assert said.code == 0
    assert INCIDENT in said.out
    assert SUMMARY in said.out


def test_timeline_shows_what_happened(crisis: Crisis, journal: Journal) -> None:
    """Words of an alert are neither markup nor a command to the terminal."""
    said = crisis("timeline", INCIDENT)

    assert journal.head(INCIDENT)
    assert said.code == 0
    assert SUMMARY in said.out
    assert "\x1b]" not in said.out
    assert "\x07" not in said.out


def test_timeline_says_who_is_waited_for(crisis: Crisis, asked: Journal) -> None:
    """An open question stands below the rows."""
    said = crisis("timeline", INCIDENT)

    assert asked.head(INCIDENT)
    assert "waiting for ada or ben to decide `revert` or `roll-back`" in said.out


def test_timeline_writes_a_picture(crisis: Crisis, journal: Journal, tmp_path: Path) -> None:
    """The picture is an SVG file where it was asked for."""
    file = tmp_path / "timeline.svg"
    said = crisis("timeline", INCIDENT, "--svg", str(file))

    assert journal.head(INCIDENT)
    assert (said.code, said.out) == (0, f"wrote {file}\n")
    assert ET.fromstring(file.read_text(encoding="utf-8")).tag.endswith("svg")  # noqa: S314 - our own


def test_picture_that_cannot_be_written_is_said(crisis: Crisis, journal: Journal, tmp_path: Path) -> None:
    """A folder that is not there is one line."""
    said = crisis("timeline", INCIDENT, "--svg", str(tmp_path / "none" / "timeline.svg"))

    assert journal.head(INCIDENT)
    assert said.code == 2
    assert "wanted a file to write the picture to, saw No such file or directory" in said.line


def test_verify_says_the_head(crisis: Crisis, journal: Journal) -> None:
    """A sound chain ends 0 with its length and its head, the same for one and for all."""
    head = journal.head(INCIDENT)
    said = crisis("verify", INCIDENT)

    assert head is not None
    assert (said.code, said.out) == (0, f"{INCIDENT}: 3 entries, unbroken; head {head[1]}\n")
    assert crisis("verify") == said


@pytest.mark.parametrize("words", [["verify"], ["verify", INCIDENT]], ids=["all", "one"])
def test_verify_names_a_changed_entry(crisis: Crisis, broken: Journal, words: list[str]) -> None:
    """A broken chain ends 8 and names the entry."""
    said = crisis(*words)

    assert broken.head(INCIDENT)
    assert said.code == 8
    assert said.out == f"{INCIDENT}: entry 2 (level) was changed\n"
    assert said.line == "crisis: journal: wanted an unbroken chain, saw 1 faults; see above"


@pytest.mark.parametrize("look", ["timeline", "report"])
def test_no_view_of_a_broken_chain(crisis: Crisis, broken: Journal, look: str) -> None:
    """A view would tell what somebody made up: it ends 8 and says what to do."""
    said = crisis(look, INCIDENT)

    assert broken.head(INCIDENT)
    assert (said.code, said.out) == (8, "")
    assert f"saw entry 2 (level) was changed; see `crisis verify {INCIDENT}`" in said.line


def test_list_shows_a_broken_chain_as_broken(crisis: Crisis, broken: Journal) -> None:
    """One broken incident does not hide the others."""
    broken.append("INC-2", "note", "ada", {"says": "fine"})
    said = crisis("timeline")

    assert said.code == 0
    assert "does not verify" in said.out
    assert "INC-2" in said.out


def test_export_writes_json_lines(crisis: Crisis, journal: Journal) -> None:
    """One line per entry, with every field."""
    said = crisis("export", INCIDENT)

    assert said.code == 0
    assert [json.loads(line) for line in said.out.splitlines()] == [e.as_dict() for e in journal.entries(INCIDENT)]


def test_report_is_anchored_in_the_journal(crisis: Crisis, journal: Journal) -> None:
    """The report ends with the head that verify prints."""
    head = journal.head(INCIDENT)
    said = crisis("report", INCIDENT)

    assert head is not None
    assert said.code == 0
    assert said.out.startswith(f"# Incident {INCIDENT}")
    assert f"3 entries, head `{head[1]}`" in said.out


@pytest.mark.parametrize("look", LOOKS)
def test_unknown_incident_names_the_latest(crisis: Crisis, journal: Journal, look: str) -> None:
    """A name that nobody knows is one line with those that are there, and ends 8."""
    said = crisis(look, "INC-typo")

    assert journal.head(INCIDENT)
    assert (said.code, said.out) == (8, "")
    assert said.line == f"crisis: INC-typo: wanted an incident, saw none of that name; the latest are: {INCIDENT}"


@pytest.mark.parametrize("look", ["timeline", "verify"])
def test_name_that_is_no_text_is_one_line(crisis: Crisis, journal: Journal, look: str) -> None:
    """Bytes that are no UTF-8 are one line too."""
    said = crisis(look, b"INC-\xff")

    assert journal.head(INCIDENT)
    assert said.code == 8
    assert "no UTF-8" in said.line


def test_empty_journal_is_said(crisis: Crisis) -> None:
    """A journal in which nothing happened verifies, and says that it is empty."""
    said = crisis("verify")

    assert (said.code, said.out) == (0, "the journal is empty\n")


def test_unreadable_journal_is_one_line(crisis: Crisis, tmp_path: Path) -> None:
    """A file that is no journal is one line and ends 8."""
    file = tmp_path / "other.db"
    file.write_text("no journal " * 999, encoding="utf-8")
    said = crisis("timeline", CRISIS_JOURNAL_URL=f"sqlite:///{file}")

    assert said.code == 8
    assert "file is not a database" in said.line


@pytest.mark.parametrize(
    ("url", "code"), [("postgresql://crisis:s3cret@127.0.0.1:1/x", 8), ("postgresql://crisis:s3cret@127.0.0.1:p/x", 2)]
)
def test_journal_that_cannot_be_reached_is_one_line(crisis: Crisis, url: str, code: int) -> None:
    """The line says why, without the password."""
    said = crisis("timeline", CRISIS_JOURNAL_URL=url)

    assert said.code == code
    assert "s3cret" not in said.line
