"""Culprit: the commit that broke a journey, found by starting the service from the commits in question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from crisis.clients.checkout import NotStartedError, serve
from crisis.clients.git import Commit, Repository
from crisis.clients.web import Probe
from crisis.domain.protocol import Build, Journey

__all__ = ["Culprit", "Tried", "first_bad"]

Verdict = Literal["works", "fails", "does not start"]


@dataclass(frozen=True, slots=True)
class Tried:
    """What the service of one commit did."""

    sha: str
    verdict: Verdict
    saw: str


@dataclass(frozen=True, slots=True)
class Culprit:
    """
    The first commit with which the journey fails, or None with the reason in `why`.

    `suspects` are commits next to it that did not start, so that one of them may have done it instead.
    """

    commit: Commit | None
    tried: list[Tried]
    suspects: tuple[Commit, ...] = ()
    why: str = ""


def first_bad(
    repository: Repository,
    build: Build,
    good: str,
    bad: str,
    journey: Journey,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> Culprit:
    """
    Bisect from a good to a bad commit: first along the main line, then inside a merge that brought the fault.

    Both ends are tried too: a fault that does not show here, or shows with the good commit as well, has no culprit.
    """
    search = _Search(repository, build, journey, say)
    for sha, wanted in ((bad, "fails"), (good, "works")):
        if search.verdict(sha) != wanted:
            return Culprit(None, search.tried, why=f"{sha[:7]} {search.verdict(sha)} here, wanted one that {wanted}")
    commit, suspects = search.hunt(good, bad)
    return Culprit(commit, search.tried, tuple(suspects))


@dataclass
class _Search:
    repository: Repository
    build: Build
    journey: Journey
    say: Callable[[str], None]
    tried: list[Tried] = field(default_factory=list)
    _known: dict[str, Verdict] = field(default_factory=dict)

    def verdict(self, sha: str) -> Verdict:
        """Try a commit once; commits with the same files behave the same."""
        tree = self.repository.tree(sha)
        if tree not in self._known:
            tried = self._try(sha)
            self.tried.append(tried)
            self.say(f"{sha[:7]} {tried.verdict}: {tried.saw}")
            self._known[tree] = tried.verdict
        return self._known[tree]

    def hunt(self, good: str, bad: str) -> tuple[Commit, list[Commit]]:
        """Find the first bad commit between one that works and one that fails."""
        line = self.repository.commits(good, bad, first_parent=True)
        commit, suspects = self._bisect(line)
        for side in commit.parents[1:]:
            fork = self.repository.fork(commit.parents[0], side)
            if fork is None or fork == side or self.verdict(side) != "fails" or self.verdict(fork) != "works":
                continue  # the branch alone did not break it: the merge did
            self.say(f"{commit.sha[:7]} is a merge: looking inside its branch")
            return self.hunt(fork, side)
        return commit, suspects

    def _bisect(self, line: Sequence[Commit]) -> tuple[Commit, list[Commit]]:
        low, high, silent = -1, len(line) - 1, set[int]()
        while between := [i for i in range(low + 1, high) if i not in silent]:
            middle = between[len(between) // 2]
            verdict = self.verdict(line[middle].sha)
            if verdict == "works":
                low = middle
            elif verdict == "fails":
                high = middle
            else:
                silent.add(middle)
        return line[high], list(line[low + 1 : high])

    def _try(self, sha: str) -> Tried:
        try:
            with serve(self.repository, self.build, sha) as address:
                walk = Probe(address).walk("journey", self.journey)
        except NotStartedError as error:
            return Tried(sha, "does not start", error.saw)
        return Tried(sha, "works" if walk.ok else "fails", walk.saw)
