"""Diff: how much a change is, and which lines it brought."""

import re
from collections.abc import Iterator

from crisis.clients.git.plumbing import Git

__all__ = ["changed_lines", "size"]

_PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv")
_BINARY = 1000  # git counts no lines in a binary file; it must never pass for a small change
_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def size(git: Git, a: str, b: str) -> int:
    """Count changed lines; a replaced line is one, and every touched file at least one."""
    table = git.text("diff", "--numstat", "--no-renames", *_PLAIN, a, b)
    return sum(_weight(*line.split("\t")[:2]) for line in table.split("\n") if line)


def changed_lines(git: Git, sha: str) -> dict[str, set[int]]:
    """Return the added and changed lines by file, numbered as in the new file."""
    parents = git.text("rev-list", "--parents", "--max-count=1", sha).split()[1:]
    before = parents[0] if parents else git.text("hash-object", "-t", "tree", "--stdin", said=b"")
    words = ("-U0", "-M", "--diff-filter=d", "--src-prefix=a/", "--dst-prefix=b/")
    found: dict[str, set[int]] = {}
    for path, lines in _hunks(git.text("diff", *words, *_PLAIN, before, sha).split("\n")):
        found.setdefault(path, set()).update(lines)
    return {path: lines for path, lines in found.items() if lines}


def _hunks(text: list[str]) -> Iterator[tuple[str, range]]:
    path, skip = "", 0
    for line in text:
        if skip and not line.startswith("\\"):  # a line of the hunk may look like a header
            skip -= 1
        elif line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/").rstrip("\t")
        elif hunk := _HUNK.match(line):
            gone, start, come = (int(part or 1) for part in hunk.groups())
            skip = gone + come
            yield path, range(start, start + come)


def _weight(added: str, removed: str) -> int:
    if added == "-":
        return _BINARY
    return max(int(added), int(removed), 1)
