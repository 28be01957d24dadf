"""The journal: what is appended is there, in order, once, and nobody can take it back."""

import pytest
from sqlalchemy import text

from crisis.domain.entry import first_link
from crisis.errors import FencedError, JournalError
from crisis.journal.lease import Leases
from crisis.journal.store import AlreadyRecordedError, Fence, Journal
from tests.journal.conftest import INCIDENT
from tests.journal.crowd import Worker, crowd

SHARES = ("INC-1", "INC-2", "INC-1", "INC-1", "INC-3", "INC-1")
"""Whose turn it is: of 75 entries 50 go to the first incident."""


def test_what_is_appended_is_read_back(journal: Journal) -> None:
    """An entry comes back as it was returned."""
    body = {"says": "Zoë said “no” ✓", "facts": {"n": 1.5, "none": None, "list": [1, "2", True]}, "\x00": "\x00"}
    entry = journal.append(INCIDENT, "note", "ada", body, key="once")

    assert journal.entries(INCIDENT) == [entry]
    assert entry.body == body


def test_half_a_surrogate_pair_is_kept_as_a_question_mark(journal: Journal) -> None:
    """Text that no UTF-8 can hold, as JSON from outside may bring it, cannot stop the record."""
    journal.append(INCIDENT, "alert", "alertmanager", {"summary": "bad \ud83d end"})

    assert journal.entries(INCIDENT)[0].body == {"summary": "bad ? end"}
    assert list(journal.verify(INCIDENT)) == []


def test_numbers_grow_without_a_gap(story: Journal) -> None:
    """Entries are numbered from one upwards."""
    numbers = [entry.seq for entry in story.entries(INCIDENT)]

    assert numbers == [1, 2, 3, 4, 5, 6]


def test_each_entry_follows_the_one_before(story: Journal) -> None:
    """`prev` is the hash of the entry before, and of the incident's name at the start."""
    entries = story.entries(INCIDENT)

    assert [entry.prev for entry in entries] == [first_link(INCIDENT), *(entry.hash for entry in entries[:-1])]


def test_each_incident_has_a_chain_of_its_own(story: Journal) -> None:
    """Another incident begins at 1 and changes nothing in the first."""
    other = story.append("INC-2", "note", "ben")

    assert (other.seq, other.prev) == (1, first_link("INC-2"))
    assert len(story.entries(INCIDENT)) == 6


def test_entries_after_a_number_are_read(story: Journal) -> None:
    """A reader that knows the first four gets the other two."""
    fresh = story.entries(INCIDENT, after=4)

    assert [entry.seq for entry in fresh] == [5, 6]


def test_head_is_the_last_entry(story: Journal) -> None:
    """The head says number and hash of the last entry."""
    last = story.entries(INCIDENT)[-1]

    assert story.head(INCIDENT) == (6, last.hash)


def test_unknown_incident_has_no_head(journal: Journal) -> None:
    """An incident that nobody opened has neither head nor entries."""
    assert journal.head("INC-9") is None
    assert journal.entries("INC-9") == []


def test_incidents_are_listed_oldest_first(journal: Journal) -> None:
    """The list follows the first entry of each, not the name."""
    for name in ("INC-b", "INC-a", "INC-b", "INC-c"):
        journal.append(name, "note", "ada")

    assert journal.incidents() == ["INC-b", "INC-a", "INC-c"]


def test_key_is_recorded_once(story: Journal) -> None:
    """The second try says which entry has it, and writes nothing."""
    with pytest.raises(AlreadyRecordedError) as caught:
        story.append(INCIDENT, "note", "ben", key="step:2")

    assert caught.value.entry.seq == 2
    assert len(story.entries(INCIDENT)) == 6


def test_key_is_free_in_another_incident(story: Journal) -> None:
    """Keys are unique within an incident, not between them."""
    entry = story.append("INC-2", "note", "ben", key="step:2")

    assert entry.seq == 1


def test_recorded_key_is_found(story: Journal) -> None:
    """The entry under a key is returned, and None for a key that nobody used."""
    found = story.recorded(INCIDENT, "step:3")

    assert found is not None
    assert found.seq == 3
    assert story.recorded(INCIDENT, "step:33") is None


def test_entry_of_the_present_lease_is_taken(journal: Journal) -> None:
    """Who holds the lease writes."""
    lease = Leases(journal.database, 60).take("run-1", INCIDENT, "bad-deploy", "host", 1)
    assert lease is not None
    entry = journal.append(INCIDENT, "note", "responder", fence=lease.fence)

    assert entry.seq == 1


@pytest.mark.parametrize("fence", [Fence("run-1", 1), Fence("run-2", 1)], ids=["old", "unknown"])
def test_entry_of_another_lease_is_refused(journal: Journal, fence: Fence) -> None:
    """An old lease, or one that never was, writes nothing."""
    leases = Leases(journal.database, 0)
    leases.take("run-1", INCIDENT, "bad-deploy", "host", 1)
    leases.take("run-1", INCIDENT, "bad-deploy", "other", 2)

    with pytest.raises(FencedError, match="this one stops"):
        journal.append(INCIDENT, "note", "responder", fence=fence)

    assert journal.entries(INCIDENT) == []
    assert journal.head(INCIDENT) is None


def test_nothing_of_an_old_driver_comes_after_the_take_over(journal: Journal, url: str) -> None:
    """Once a run was taken over, what its old driver had begun to write is there or never comes."""
    leases = Leases(journal.database, 0)
    lease = leases.take("run-1", "INC-1", "bad-deploy", "host", 1)
    for _ in range(3):
        assert lease is not None
        with Worker("drive", url, "run-1", str(lease.epoch)) as old:
            old.wait_until_ready()
            old.let_loose()
            assert old.line() == "drives"
            lease = leases.take("run-1", "INC-1", "bad-deploy", "other", 2)
            known = len(journal.entries("INC-1"))

            assert old.rest() == ["FencedError"]
            assert len(journal.entries("INC-1")) == known


@pytest.mark.parametrize("statement", ["UPDATE entries SET actor = 'eve'", "DELETE FROM entries"])
def test_entries_cannot_be_changed(story: Journal, statement: str) -> None:
    """The store itself refuses to change or remove an entry."""
    with pytest.raises(JournalError, match="append-only"), story.database.writing() as connection:
        connection.execute(text(statement))

    assert len(story.entries(INCIDENT)) == 6


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_entries_cannot_be_truncated(story: Journal) -> None:
    """PostgreSQL's way around DELETE is closed too."""
    with pytest.raises(JournalError, match="append-only"), story.database.writing() as connection:
        connection.execute(text("TRUNCATE entries"))

    assert len(story.entries(INCIDENT)) == 6


def test_eight_writers_lose_and_fork_nothing(journal: Journal, url: str) -> None:
    """Eight processes, fifty entries each to one incident and more to others: all are there, in one chain each."""
    said = crowd(*(["append", url, str(number), "75", *SHARES] for number in range(8)))
    acknowledged = sorted(tuple(line.split()) for lines in said for line in lines)
    there = {name: journal.entries(name) for name in ("INC-1", "INC-2", "INC-3")}

    assert {name: len(entries) for name, entries in there.items()} == {"INC-1": 400, "INC-2": 104, "INC-3": 96}
    assert acknowledged == sorted((name, str(entry.seq)) for name, entries in there.items() for entry in entries)
    assert {(e.body["worker"], e.body["turn"]) for entries in there.values() for e in entries} == {
        (str(number), turn) for number in range(8) for turn in range(75)
    }
    assert list(journal.verify_all()) == []


def test_one_of_two_processes_records_a_key(journal: Journal, url: str) -> None:
    """Of two that race for keys exactly one wins each, and the other is told which entry won."""
    one, other = crowd(*[["once", url, "INC-1", *(f"key-{number}" for number in range(25))]] * 2)

    for number, said in enumerate(zip(one, other, strict=True)):
        entry = journal.recorded("INC-1", f"key-{number}")
        assert entry is not None
        assert sorted(said) == [f"lost {entry.seq}", f"won {entry.seq}"]
