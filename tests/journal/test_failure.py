"""A store that cannot be used: one clear error, nothing half-written, and on again when it can."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crisis.errors import JournalError, ProtocolError
from crisis.journal.store import Journal
from tests.journal.conftest import INCIDENT


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte; that takes root."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs takes root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def full(small_disk: Path) -> Iterator[Journal]:
    """Open a journal with three entries on a disk that is full."""
    journal = Journal.open(f"sqlite:///{small_disk / 'journal.db'}")
    for number in range(3):
        journal.append(INCIDENT, "note", "ada", {"says": f"step {number}"})
    fill(small_disk / "ballast")
    yield journal
    journal.close()


def fill(file: Path) -> None:
    """Write until there is no room for another byte."""
    with file.open("wb", buffering=0) as stream:
        for size in (4096, 1):
            try:
                while stream.write(b"x" * size):
                    pass
            except OSError:
                continue


def append_until_full(journal: Journal) -> int:
    """Append until that fails; return how many entries were acknowledged."""
    for count in range(1000):
        try:
            journal.append(INCIDENT, "note", "ada", {"says": "x" * 2000})
        except JournalError:
            return count
    return 1000


def test_full_disk_refuses_an_entry(full: Journal) -> None:
    """An entry that does not fit is a JournalError that says why."""
    append_until_full(full)

    with pytest.raises(JournalError, match="disk is full"):
        full.append(INCIDENT, "note", "ada", {"says": "x" * 2000})


def test_full_disk_leaves_nothing_half_written(full: Journal) -> None:
    """What was acknowledged is there, the rest is not, and the chain verifies."""
    acknowledged = append_until_full(full)

    assert acknowledged < 1000
    assert len(full.entries(INCIDENT)) == 3 + acknowledged
    assert list(full.verify(INCIDENT)) == []


def test_full_disk_is_no_trouble_once_there_is_room(full: Journal, small_disk: Path) -> None:
    """The same connection goes on where it stopped."""
    acknowledged = append_until_full(full)
    (small_disk / "ballast").unlink()
    entry = full.append(INCIDENT, "note", "ada", {"says": "x" * 2000})

    assert entry.seq == 4 + acknowledged
    assert list(full.verify(INCIDENT)) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://crisis:s3cret@127.0.0.1:1/journal",
        "postgresql://crisis@127.0.0.1:1/journal?password=s3cret",
        "postgresql+psycopg://crisis:s3cret@127.0.0.1:1/journal?sslmode=require",
    ],
)
def test_unreachable_server_is_said_without_its_password(url: str) -> None:
    """The error says where and why, and never the password, wherever it stands in the URL."""
    with pytest.raises(JournalError, match=r"127.0.0.1.*Connection refused") as caught:
        Journal.open(url)

    assert "s3cret" not in f"{caught.value} {vars(caught.value)}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://crisis:s3cret@127.0.0.1:port/journal",
        "crisis:s3cret@127.0.0.1",
        "mysql://crisis:s3cret@127.0.0.1/journal",
        "",
    ],
)
def test_url_that_is_none_is_said_without_its_password(url: str) -> None:
    """A setting that names no store is a ProtocolError that does not quote it."""
    with pytest.raises(ProtocolError, match="CRISIS_JOURNAL_URL: wanted sqlite:///PATH or postgresql") as caught:
        Journal.open(url)

    assert "s3cret" not in str(caught.value)


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file where a folder should be is a JournalError."""
    (tmp_path / "file").touch()

    with pytest.raises(JournalError, match=r"Not a directory|File exists"):
        Journal.open(f"sqlite:///{tmp_path / 'file' / 'journal.db'}")


def test_name_that_is_no_text_is_said(journal: Journal) -> None:
    """Bytes from a terminal that are no UTF-8 are a JournalError, not a crash."""
    with pytest.raises(JournalError, match="no UTF-8"):
        journal.entries("INC-\udcff")
