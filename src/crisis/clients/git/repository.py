"""Repository: what the service's git history says, and how one commit gets onto its main branch."""

import hashlib
import re
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from crisis.clients.git import diff, mirror, revert
from crisis.clients.git.plumbing import Git
from crisis.errors import DriftError, RefusedError, TransientError
from crisis.settings import read_address

__all__ = ["Commit", "Repository"]

_FORMAT = "--format=tformat:%H%x00%P%x00%an%x00%aE%x00%aI%x00%s"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; more than one parent makes it a merge."""

    sha: str
    parents: tuple[str, ...]
    author: str
    email: str
    subject: str
    date: datetime


@dataclass(frozen=True)
class Repository:
    """A local mirror of the origin. It has no work tree, so any number of tasks may use it at once."""

    git: Git

    @classmethod
    def mirror(cls, url: str, home: Path) -> Self:
        """
        Copy the origin into a folder below `home`, or bring the copy up to date.

        `url` is anything git can fetch from, or `env:NAME`. TransientError when the origin cannot be reached.
        """
        address = read_address(url)
        # A renewed password keeps its mirror.
        place = hashlib.sha256(re.sub(r"//[^/@]*@", "//", address).encode()).hexdigest()[:16]
        repository = cls(Git((home / f"{place}.git").resolve(), SecretStr(address)))
        repository.refresh()
        return repository

    def refresh(self) -> None:
        """Fetch every branch of the origin."""
        mirror.refresh(self.git)

    def head(self, branch: str) -> str:
        """Return the commit a branch of the origin pointed to when the mirror was last refreshed."""
        return self.git.text("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}", target=branch)

    def branches(self, *patterns: str) -> dict[str, str]:
        """Return the commit of each branch of the origin that fits a pattern such as `fix/*`."""
        wanted = [f"refs/heads/{pattern}" for pattern in patterns]
        lines = self.git.text("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", *wanted).splitlines()
        return {name: sha for sha, name in (line.split(" ", 1) for line in lines)}

    def tree(self, sha: str) -> str:
        """Return the id of a commit's files: two commits with the same files have the same tree."""
        return self.git.text("rev-parse", "--verify", "--quiet", f"{self._known(sha)}^{{tree}}", target=sha)

    def is_ancestor(self, a: str, b: str) -> bool:
        """Tell whether `b` contains `a`."""
        return self.git.attempt("merge-base", "--is-ancestor", self._known(a), self._known(b)).code == 0

    def fork(self, a: str, b: str) -> str | None:
        """Return the newest commit that both contain, or None."""
        done = self.git.attempt("merge-base", self._known(a), self._known(b))
        return done.out.decode().strip() or None if done.code == 0 else None

    def commit(self, sha: str) -> Commit:
        """Return one commit."""
        return self._log("--no-walk", self._known(sha))[0]

    def commits(self, good: str, bad: str, *, first_parent: bool = False) -> list[Commit]:
        """List what `bad` has and `good` has not, oldest first; with `first_parent` only the main line."""
        line = ["--first-parent"] if first_parent else []
        return self._log("--topo-order", "--reverse", *line, f"{self._known(good)}..{self._known(bad)}")

    def diff_size(self, a: str, b: str) -> int:
        """Count the changed lines between two commits; a replaced line is one, a binary file never small."""
        return diff.size(self.git, self._known(a), self._known(b))

    def changed_lines(self, sha: str) -> dict[str, set[int]]:
        """Return the lines a commit brought, against its first parent, numbered as in the new file."""
        return diff.changed_lines(self.git, self._known(sha))

    def prepare_revert(self, good: str, head: str, message: str, when: datetime) -> revert.Prepared:
        """Make one commit on `head` with exactly the files of `good`; nothing is pushed."""
        return revert.prepare_revert(self.git, self._known(good), self._known(head), message, when)

    def push(self, commit: str, branch: str, expected_head: str) -> bool:
        """
        Move a branch of the origin forward to a commit that contains the expected head.

        Again  finds the branch there already, and returns False.
        Fails  DriftError when the branch is elsewhere; nothing is ever overwritten.
        """
        sha, expected = self._known(commit), self._known(expected_head)
        seen = self._origin_head(branch)
        if seen == sha:
            return False
        if seen != expected:
            raise _drift(branch, expected, seen)
        if not self.is_ancestor(expected, sha):
            raise _refused(branch, f"a commit that contains {expected[:7]}", f"{sha[:7]}, which does not", "plan again")
        # Forward only, checked above; the lease makes the origin compare the old head in the same step.
        lease = f"--force-with-lease=refs/heads/{branch}:{expected}"
        done = self.git.attempt("push", "--quiet", lease, "origin", f"{sha}:refs/heads/{branch}")
        after = seen if done.code == 0 else self._origin_head(branch)
        if done.code != 0 and after != sha:
            if after != expected:
                raise _drift(branch, expected, after)
            raise _refused(
                branch, f"the origin to take {sha[:7]}", self.git.complaint(done), "look at its branch rules"
            )
        self.refresh()
        return True

    def export(self, sha: str, into: Path) -> None:
        """Write the files of a commit into a folder, without any `.git`."""
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="crisis-index-") as scratch:
            # Not `git archive`: that leaves out what .gitattributes marks export-ignore, often the tests.
            more = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), "GIT_WORK_TREE": str(into.resolve())}
            self.git.bytes("read-tree", self._known(sha), more=more, target=sha)
            self.git.bytes("checkout-index", "--all", "--force", f"--prefix={into.resolve()}/", more=more, target=sha)

    def _origin_head(self, branch: str) -> str:
        done = self.git.attempt("ls-remote", "origin", f"refs/heads/{branch}")
        if done.code != 0:
            raise TransientError(
                "origin", vendor="git", operation="ls-remote", wanted=f"the head of {branch}",
                saw=self.git.complaint(done) or "no answer in time", then="try again",
            )  # fmt: skip
        return done.out.decode().split("\t")[0].strip()

    def _known(self, sha: str) -> str:
        return self.git.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{sha}^{{commit}}", target=sha)

    def _log(self, *words: str) -> list[Commit]:
        found = []
        for line in filter(None, self.git.text("log", _FORMAT, *words).split("\n")):
            sha, parents, author, email, date, subject = line.split("\0")
            found.append(Commit(sha, tuple(parents.split()), author, email, subject, datetime.fromisoformat(date)))
        return found


def _drift(branch: str, expected: str, seen: str) -> DriftError:
    saw = seen[:7] or "no such branch"
    return DriftError(branch, wanted=f"its head at {expected[:7]}", saw=saw, then="plan again on what is there now")


def _refused(branch: str, wanted: str, saw: str, then: str) -> RefusedError:
    return RefusedError(branch, vendor="git", operation="push", wanted=wanted, saw=saw, then=then)
