"""Export: what an outsider needs to verify an incident, with nothing of ours but a page of the docs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crisis.journal.store import Journal
from tests.journal.conftest import INCIDENT


@pytest.fixture
def check(project: Path, tmp_path: Path) -> Path:
    """Save the program that docs/how-to/verify-an-export.md shows to an outsider."""
    page = (project / "docs" / "how-to" / "verify-an-export.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "check.py"
    file.write_text(program, encoding="utf-8")
    return file


@pytest.fixture
def export(story: Journal, tmp_path: Path) -> Path:
    """Export an incident as `crisis export` does, with a line separator inside a text."""
    story.append(INCIDENT, "note", "ben", {"says": "one\u2028two"})
    file = tmp_path / "export.jsonl"
    file.write_bytes(exported(story.database.url.render_as_string(hide_password=False)))
    return file


def exported(url: str) -> bytes:
    """Run `crisis export` in a terminal that speaks no UTF-8."""
    more = {"CRISIS_JOURNAL_URL": url, "PYTHONIOENCODING": "latin-1", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "crisis", "export", INCIDENT]
    return subprocess.run(command, env=more, capture_output=True, check=True).stdout


def run(check: Path, export: Path) -> tuple[int, str]:
    """Run the outsider's program, with Python's own library alone."""
    command = [sys.executable, "-I", "-S", str(check), str(export)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def test_program_in_the_docs_is_short(check: Path) -> None:
    """An outsider can read it before running it: at most twenty lines."""
    lines = check.read_text(encoding="utf-8").splitlines()

    assert len(lines) <= 20


def test_good_export_is_verified(check: Path, export: Path, story: Journal) -> None:
    """The program prints the number of entries and the head that we know."""
    head = story.head(INCIDENT)

    assert head is not None
    assert run(check, export) == (0, f"7 entries, unbroken; head {head[1]}")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("old", "new"),
    [("step 3", "step 8"), ('"actor": "ada"', '"actor": "adb"'), ("Zoë", "Zoe"), ("1e+22", "2e+22")],
)
def test_tampered_export_names_the_entry(check: Path, export: Path, old: str, new: str) -> None:
    """One changed word is found."""
    lines = export.read_text(encoding="utf-8").split("\n")
    lines[2] = lines[2].replace(old, new)
    export.write_text("\n".join(lines), encoding="utf-8")

    assert run(check, export) == (1, "entry 3 is not what was recorded")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_dropped_line_is_found(check: Path, export: Path) -> None:
    """An export without its third entry does not pass."""
    lines = export.read_text(encoding="utf-8").split("\n")
    export.write_text("\n".join(lines[:2] + lines[3:]), encoding="utf-8")

    assert run(check, export) == (1, "entry 3 is not what was recorded")


def test_each_line_is_an_entry(export: Path, story: Journal) -> None:
    """An export is JSON Lines with every field of every entry."""
    lines = export.read_bytes().decode().rstrip("\n").split("\n")

    assert [json.loads(line) for line in lines] == [entry.as_dict() for entry in story.entries(INCIDENT)]
