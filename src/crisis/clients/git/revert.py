"""Revert: one commit that makes the tree equal to a good one again, whatever merges lie between."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from crisis.clients.git.plumbing import Git

__all__ = ["Prepared", "prepare_revert"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A revert that waits to be pushed; or, with no commit, why there is none."""

    commit: str | None
    how: Literal["revert", "none", "conflict"]
    note: str


def prepare_revert(git: Git, good: str, head: str, message: str, when: datetime) -> Prepared:
    """Make the commit in the mirror's object store; no branch moves, and the same inputs make the same commit."""
    wanted = git.text("rev-parse", f"{good}^{{tree}}")
    if wanted == git.text("rev-parse", f"{head}^{{tree}}"):
        return Prepared(None, "none", f"{head[:7]} has the files of {good[:7]} already")
    if git.attempt("merge-base", "--is-ancestor", good, head).code != 0:
        return Prepared(None, "conflict", f"{good[:7]} is no ancestor of {head[:7]}")
    line = git.text("rev-list", "--first-parent", "--parents", f"{good}..{head}").splitlines()
    with tempfile.TemporaryDirectory(prefix="crisis-revert-") as name:
        scratch = _Scratch(git, Path(name))
        scratch.open(head)
        for sha, *parents in (entry.split() for entry in line):
            conflict = scratch.revert(sha, parents)
            if conflict:
                return Prepared(None, "conflict", conflict)
        tree = scratch.tree()
    if tree != wanted:
        note = f"reverting {len(line)} commits of the main line does not lead back to the files of {good[:7]}"
        return Prepared(None, "conflict", note)
    commit = _commit(git, tree, head, message, when)
    return Prepared(commit, "revert", f"{_count(line)} reverted: {', '.join(entry[:7] for entry in line)}")


@dataclass(frozen=True)
class _Scratch:
    """A work tree of its own that only borrows the mirror's objects: killed at any point, the mirror stays whole."""

    git: Git
    folder: Path

    def open(self, head: str) -> None:
        self._run("init", "--quiet", ".")
        # Files are taken as they are stored: a line end that checkout converts would count as a local change.
        attributes = self.folder / ".git" / "info" / "attributes"
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text("* -text -ident -filter -working-tree-encoding\n", encoding="ascii")
        self._run("checkout", "--quiet", "--detach", head)

    def revert(self, sha: str, parents: Sequence[str]) -> str:
        """Take one commit back; return what conflicts, or nothing."""
        if parents and self._tree_of(sha) == self._tree_of(parents[0]):
            return ""
        mainline = ["-m", "1"] if len(parents) > 1 else []
        done = self.git.attempt("revert", "--no-commit", *mainline, sha, folder=self.folder, more=self._objects())
        if done.code == 0:
            return ""
        files = self._run("diff", "--name-only", "--diff-filter=U", "-z").split("\0")
        subject = self._run("log", "-1", "--format=%s", sha)
        where = ", ".join(sorted(filter(None, files))) or self.git.complaint(done) or "no file, it took too long"
        return f"reverting {sha[:7]} ({subject}) conflicts in {where}"

    def tree(self) -> str:
        return self._run("write-tree")

    def _tree_of(self, sha: str) -> str:
        return self._run("rev-parse", f"{sha}^{{tree}}")

    def _run(self, *words: str) -> str:
        return self.git.text(*words, folder=self.folder, more=self._objects())

    def _objects(self) -> dict[str, str]:
        return {"GIT_OBJECT_DIRECTORY": str((self.git.path / "objects").resolve())}


def _commit(git: Git, tree: str, head: str, message: str, when: datetime) -> str:
    date = f"{int(when.timestamp())} +0000"
    text = f"{message.strip()}\n".encode()
    return git.text(
        "commit-tree", tree, "-p", head, "-F", "-",
        said=text, more={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
    )  # fmt: skip


def _count(line: Sequence[str]) -> str:
    return f"{len(line)} commit{'s' if len(line) != 1 else ''}"
