"""Bits that flip in the SQLite file itself: verify says so and never crashes."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from crisis.errors import JournalError
from crisis.journal.store import Journal
from tests.journal.conftest import INCIDENT

NUMBERS = random.Random(20261124)  # noqa: S311 - the same bytes in every run
"""Where the bits flip."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a journal as one file, with nothing left in its write-ahead log."""
    path = tmp_path_factory.mktemp("damage") / "journal.db"
    journal = Journal.open(f"sqlite:///{path}")
    for number in range(1, 41):
        body = {"says": f"entry {number} ✓", "big": 1e22, "sign": "\x1f", "fill": "x" * 60}
        journal.append(INCIDENT, "note", "ada", body, key=f"step:{number}")
    journal.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def verdict(path: Path, *, every: bool = False) -> list[str]:
    """Verify a file as a fresh process would; a JournalError counts as a finding."""
    try:
        journal = Journal.open(f"sqlite:///{path}")
    except JournalError as error:
        return [str(error)]
    try:
        return [fault.says for fault in (journal.verify_all() if every else journal.verify(INCIDENT))]
    except JournalError as error:
        return [str(error)]
    finally:
        journal.close()


def flipped(file: Path, place: int, bit: int, folder: Path) -> Path:
    """Return a copy in which one bit is another."""
    copy = folder / "copy.db"
    for leftover in folder.glob("copy.db*"):
        leftover.unlink()
    shutil.copy(file, copy)
    with copy.open("r+b") as stream:
        stream.seek(place)
        (byte,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ (1 << bit)]))
    return copy


def test_sound_file_has_no_fault(file: Path) -> None:
    """Nothing is found in the file as it was written."""
    assert verdict(file) == []


@pytest.mark.parametrize("bit", range(8))
def test_flipped_bit_in_a_body_names_the_entry(file: Path, tmp_path: Path, bit: int) -> None:
    """Each bit of a body counts, whether the text stays UTF-8, JSON or neither."""
    start = file.read_bytes().index(b'{"big":1e+22,"fill":"' + b"x" * 60 + b'","says":"entry 17 ')
    length = len('{"big":1e+22,"fill":"","says":"entry 17 ✓","sign":"\\u001f"}'.encode()) + 60
    for place in range(start, start + length, 3):
        found = verdict(flipped(file, place, bit, tmp_path))

        assert any("entry 17 " in says for says in found), (place - start, found)


@pytest.mark.parametrize("what", ["the record's header", "the fields before the body"])
def test_flipped_bit_in_a_record_is_found(file: Path, tmp_path: Path, what: str) -> None:
    """Types, lengths and the other columns of a record count as much as its body."""
    body = file.read_bytes().index(b'{"big":1e+22,"fill":"' + b"x" * 60 + b'","says":"entry 17 ')
    fields = body - len(f"{INCIDENT}2026-11-24T03:12:07.250000Znoteada") - 1
    places = range(fields - 12, fields) if what == "the record's header" else range(fields, body, 4)

    for place in places:
        for bit in range(8):
            assert verdict(flipped(file, place, bit, tmp_path), every=True), (place - fields, bit)


@pytest.mark.parametrize("part", ["the file's header", "the schema", "anywhere"])
def test_flipped_bit_anywhere_is_no_crash(file: Path, tmp_path: Path, part: str) -> None:
    """Verification ends with findings, with a JournalError, or with a sound chain, and never otherwise."""
    size = file.stat().st_size
    places = {"the file's header": range(100), "the schema": range(100, 4096), "anywhere": range(4096, size)}[part]
    for place in NUMBERS.sample(places, 60):
        found = verdict(flipped(file, place, NUMBERS.randrange(8), tmp_path), every=True)

        assert all(isinstance(says, str) for says in found)


@pytest.mark.parametrize("length", [0, 1, 50, 4096, 9000])
def test_torn_file_is_no_crash(file: Path, tmp_path: Path, length: int) -> None:
    """A file that was cut short is an error or an empty journal, as far as it can be told."""
    copy = tmp_path / "copy.db"
    copy.write_bytes(file.read_bytes()[:length])

    assert verdict(copy, every=True) or length <= 1


def test_another_file_is_no_journal(tmp_path: Path) -> None:
    """A file that is no database is said to be none, in one line."""
    copy = tmp_path / "copy.db"
    copy.write_bytes(b"this is no database, but long enough to be one. " * 400)

    (says,) = verdict(copy)

    assert "file is not a database" in says
