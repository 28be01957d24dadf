"""Verify: whatever somebody does to the record behind the journal's back is found, and named."""

from typing import Any

import pytest

from crisis.domain.entry import Entry, verify_chain
from crisis.journal.store import Journal
from tests.journal.conftest import INCIDENT, Forger
from tests.journal.crowd import Worker


def said(journal: Journal, incident: str = INCIDENT) -> list[str]:
    """Return what is found, in words."""
    return [fault.says for fault in journal.verify(incident)]


def test_sound_chain_has_no_fault(story: Journal) -> None:
    """Nothing is found where nothing was done."""
    assert list(story.verify_all()) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "overlay(at placing '9' from 26 for 1)"),
        ("kind", "'nota'"),
        ("actor", "'adb'"),
        ("body", "replace(body, 'step 3', 'step 8')"),
        ("key", "'step:9'"),
        ("key", "NULL"),
        ("prev", "replace(prev, substr(prev, 9, 1), 'x')"),
        ("hash", "replace(hash, substr(hash, 9, 1), 'x')"),
    ],
    ids=["at", "kind", "actor", "body", "key", "no key", "prev", "hash"],
)
def test_one_changed_byte_is_found(story: Journal, forger: Forger, column: str, value: str) -> None:
    """A change in any column names the entry."""
    if column == "at":
        at = story.entries(INCIDENT)[2].at
        value = f"'{at[:-2]}{(int(at[-2]) + 1) % 10}Z'"
    forger.run(f"UPDATE entries SET {column} = {value} WHERE seq = 3")  # noqa: S608 - our own words

    assert "entry 3" in said(story)[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [("1e+22", "1E+22"), ("\\u001f", "\\u001F"), ('"n":3', '"n": 3'), ('{"big"', '{"n":9,"big"')],
    ids=["exponent", "escape", "space", "second key"],
)
def test_another_spelling_of_the_same_values_is_found(story: Journal, forger: Forger, old: str, new: str) -> None:
    """A body that reads the same but is not the same bytes was changed."""
    forger.run("UPDATE entries SET body = replace(body, :old, :new) WHERE seq = 3", old=old, new=new)

    assert said(story) == ["entry 3 was changed: its body is spelled in another way"]


@pytest.mark.parametrize("body", ["{", "[1]", "null", "[" * 100_000], ids=["torn", "list", "null", "deep"])
def test_body_that_is_none_is_found(story: Journal, forger: Forger, body: str) -> None:
    """A body that is no JSON object is named once."""
    forger.run("UPDATE entries SET body = :body WHERE seq = 3", body=body)

    assert [says[:19] for says in said(story)] == ["entry 3 was changed"]


def test_dropped_middle_is_found(story: Journal, forger: Forger) -> None:
    """Missing entries are named."""
    forger.run("DELETE FROM entries WHERE seq IN (3, 4)")

    assert said(story) == ["entries 3 to 4 are missing"]


def test_dropped_tail_is_found(story: Journal, forger: Forger) -> None:
    """The head remembers how many there were."""
    forger.run("DELETE FROM entries WHERE seq > 4")

    assert said(story) == ["entries 5 to 6 are missing at the end"]


def test_dropped_first_is_found(story: Journal, forger: Forger) -> None:
    """The beginning is missed, and the incident does not vanish from the list."""
    forger.run("DELETE FROM entries WHERE seq = 1")

    assert said(story) == ["entry 1 is missing"]
    assert [fault.says for fault in story.verify_all()] == ["entry 1 is missing"]
    assert story.incidents() == [INCIDENT]


def test_dropped_head_is_found(story: Journal, forger: Forger) -> None:
    """Without its head nobody could tell a dropped tail, so that a lost head is a fault itself."""
    forger.run("DELETE FROM entries WHERE seq > 4", "DELETE FROM heads")

    assert said(story) == ["the head, which should say that entry 4 is the last, is missing"]
    assert len(list(story.verify_all())) == 1


def test_whole_dropped_incident_is_found(story: Journal, forger: Forger) -> None:
    """A head without entries says how many are gone."""
    forger.run("DELETE FROM entries")

    assert [fault.says for fault in story.verify_all()] == ["entries 1 to 6 are missing at the end"]


def test_swapped_entries_are_found(story: Journal, forger: Forger) -> None:
    """Two entries that changed places are both named."""
    forger.run(
        "UPDATE entries SET seq = 99 WHERE seq = 2",
        "UPDATE entries SET seq = 2 WHERE seq = 5",
        "UPDATE entries SET seq = 5 WHERE seq = 99",
    )

    found = {fault.seq for fault in story.verify(INCIDENT)}

    assert {2, 5} <= found


def test_inserted_entry_is_found(story: Journal, forger: Forger) -> None:
    """An entry that was put in between does not fit on either side."""
    forger.run(
        "UPDATE entries SET seq = seq + 100 WHERE seq > 3",
        "INSERT INTO entries SELECT incident, 4, at, kind, 'eve', body, NULL, prev, hash FROM entries WHERE seq = 3",
        "UPDATE entries SET seq = seq - 99 WHERE seq > 100",
    )

    found = said(story)

    assert "entry 4 does not follow entry 3" in found
    assert "entry 4 (note) was changed" in found


def test_entry_past_the_head_is_found(story: Journal, forger: Forger) -> None:
    """An entry that the journal did not append is one too many."""
    forger.run(
        "INSERT INTO entries SELECT incident, 7, at, kind, 'eve', body, NULL, hash, hash FROM entries WHERE seq = 6"
    )

    assert "the head says the last entry is 6, but there are 7" in said(story)


def test_entry_that_moved_to_another_incident_is_found(story: Journal, forger: Forger) -> None:
    """Both chains miss or have too much."""
    forger.run("UPDATE entries SET incident = 'INC-other' WHERE seq = 6")

    assert {fault.incident for fault in story.verify_all()} == {INCIDENT, "INC-other"}


def test_rewritten_chain_does_not_fit_its_head(story: Journal, forger: Forger) -> None:
    """Somebody who chains all entries anew is betrayed by the head."""
    forger.rewrite(INCIDENT, 2, {"says": "nothing happened"})

    assert said(story) == ["the head does not fit entry 6: the chain was written again"]


def test_rewritten_chain_does_not_fit_a_printed_head(story: Journal, forger: Forger) -> None:
    """Somebody who rewrites chain and head is betrayed by a report that was printed before."""
    printed = story.head(INCIDENT)
    forger.rewrite(INCIDENT, 2, {"says": "nothing happened"})
    forger.head_follows(INCIDENT)
    entries = story.entries(INCIDENT)

    assert said(story) == []
    assert [fault.says for fault in verify_chain(INCIDENT, entries, printed)] == [
        "the head does not fit entry 6: the chain was written again"
    ]


def test_an_entry_that_was_changed_is_not_read(story: Journal, forger: Forger) -> None:
    """A body that cannot be read is a fault of the record, said with the entry's number."""
    forger.run("UPDATE entries SET body = 'gone' WHERE seq = 3")

    with pytest.raises(Exception, match=f"{INCIDENT} entry 3: .* its body is no JSON") as caught:
        story.entries(INCIDENT)

    assert type(caught.value).__name__ == "JournalError"


def test_verify_while_somebody_writes_finds_nothing(journal: Journal, url: str) -> None:
    """Entries and head are seen at one moment: a chain that grows is not taken for a broken one."""
    with Worker("write_on", url, "INC-1") as writer:
        writer.wait_until_ready()
        writer.let_loose()
        found = [said(journal, "INC-1") for _ in range(40) if writer.line()]

    assert found == [[]] * 40


def an_entry(**other: Any) -> Entry:
    """Return an entry that nobody chained."""
    fields: dict[str, Any] = {"incident": INCIDENT, "seq": 1, "at": "2026-11-24T03:12:07.250000Z", "kind": "note"}
    return Entry(**{**fields, "actor": "ada", "body": {}, "key": None, "prev": "", "hash": "", **other})


def test_half_a_surrogate_pair_is_no_crash() -> None:
    """An entry of text that cannot be hashed was changed."""
    found = [fault.says for fault in verify_chain(INCIDENT, [an_entry(actor="\udcff")])]

    assert "entry 1 (note) was changed" in found
