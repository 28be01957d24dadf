"""What is committed: no address of a package index, no path of somebody's machine, everything locked."""

import re
import subprocess
from functools import cache
from pathlib import Path

from tests.contracts.source import PROJECT

_README_LINES = 120
_INDEX = re.compile(
    r"pypi\.(?:org|python\.org)|pythonhosted\.org|(?:registry\.)?npmjs\.(?:org|com)|deb\.debian\.org|archive\.ubuntu\.com"
    r"|--(?:extra-)?index-url[ =]\S*://"
)
_LOCAL = re.compile(r"""(?:^|[\s"'`(=:])/(?:root|home|work|Users)/""", re.MULTILINE)


@cache
def tracked() -> tuple[Path, ...]:
    """Return the files that are committed or could be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    files = [PROJECT / name for name in done.stdout.split("\0") if name]
    return tuple(file for file in files if file.is_file())


def holding(pattern: re.Pattern[str]) -> list[str]:
    """Return where a pattern stands in a committed file."""
    found = []
    for file in tracked():
        text = file.read_bytes().decode("utf-8", "replace")
        found += [f"{file.relative_to(PROJECT)}: {match[0].strip()}" for match in pattern.finditer(text)]
    return found


def test_no_package_index_is_named() -> None:
    """Where packages come from is the user's own setting."""
    assert holding(_INDEX) == []


def test_no_path_of_a_machine_is_named() -> None:
    """Nothing points into somebody's folders."""
    assert holding(_LOCAL) == []


def test_the_readme_is_short() -> None:
    """A newcomer reads it in one go."""
    lines = (PROJECT / "README.md").read_text(encoding="utf-8").splitlines()

    assert len(lines) <= _README_LINES


def locked() -> list[str]:
    """Return the entries of requirements.lock, each with its continuation lines as one."""
    text = (PROJECT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_everything_is_locked_by_hash() -> None:
    """Each entry has one exact version and its hashes."""
    entry = re.compile(r"^[A-Za-z0-9._-]+(?:\[[a-z0-9, _-]+\])?==\S+(?: ;[^#]*?)?(?: +--hash=sha256:[0-9a-f]{64})+\s*$")
    loose = [line.split()[0] for line in locked() if not entry.match(line)]

    assert len(locked()) > 20
    assert loose == []


def test_the_lock_names_no_address() -> None:
    """Neither an index nor a direct download stands in it."""
    assert [line for line in locked() if "://" in line] == []


def test_no_file_is_a_leftover() -> None:
    """Databases, logs and keys are never committed."""
    ending = re.compile(r"\.(?:db|sqlite3?|log|pem|key|orig|rej|pyc)$|(?:^|/)\.env$")

    assert [str(file.relative_to(PROJECT)) for file in tracked() if ending.search(str(file))] == []
