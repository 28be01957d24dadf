"""Untested: the lines of a commit that no test of its own suite ran."""

import ast
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crisis.clients.checkout import exported, fill, last_line, run_in
from crisis.clients.git import Repository
from crisis.domain.protocol import Build
from crisis.errors import RefusedError

__all__ = ["Untested", "summary", "untested_lines"]

_LONGEST = 300.0
_RAN_TESTS = {0, 1, 5}  # passed, some failed, there are none
_COUNTS = re.compile(r"\b\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed|deselected)\b")


@dataclass(frozen=True, slots=True)
class Untested:
    """How many statements a commit changed, which of them no test ran, and what the suite came to."""

    changed: int
    untested: dict[str, list[int]]
    suite: str


def untested_lines(repository: Repository, build: Build, sha: str, *, timeout: float = _LONGEST) -> Untested:
    """Run the commit's own tests under coverage and compare with the lines it changed against its first parent."""
    changed = repository.changed_lines(sha)
    with exported(repository, sha) as folder:
        data, report = folder.parent / "coverage.data", folder.parent / "coverage.json"
        config = f"--rcfile={os.devnull}"  # the shop's own settings could hide the very lines we look for
        start = [config, f"--data-file={data}", f"--source={build.source}"]
        done = run_in(folder, build, _under_coverage(build.test, start), more={}, timeout=timeout)
        if done.code not in _RAN_TESTS:
            raise _refused(sha, "no end in time" if done.code is None else last_line(done.err) or last_line(done.out))
        words = fill(
            ["{python}", "-m", "coverage", "json", config, f"--data-file={data}", "-q", "-i", "-o", str(report)]
        )
        written = run_in(folder, build, words, more={}, timeout=timeout)
        if written.code != 0:
            raise _refused(sha, last_line(written.err) or last_line(written.out))
        files = json.loads(report.read_text(encoding="utf-8"))["files"]
        counted = {path: _count(folder / path, lines, files[path]) for path, lines in changed.items() if path in files}
    untested = {path: missing for path, (_, missing) in counted.items() if missing}
    return Untested(sum(number for number, _ in counted.values()), untested, summary(done.out))


def summary(output: bytes) -> str:
    """Say what a test suite came to, for example `14 passed`."""
    line = last_line(output)
    return ", ".join(_COUNTS.findall(line)) or line


def _under_coverage(test: Sequence[str], options: Sequence[str]) -> list[str]:
    if tuple(test[:2]) != ("{python}", "-m"):
        raise RefusedError(
            "build.test", vendor="build", operation="measure coverage", wanted="{python} -m …", saw=test[0],
            then="start the tests as a Python module",
        )  # fmt: skip
    return fill(["{python}", "-m", "coverage", "run", *options, *test[1:]])


def _count(path: Path, lines: set[int], measured: dict[str, list[int]]) -> tuple[int, list[int]]:
    starts = _statement_starts(path)
    touched = {starts.get(line, line) for line in lines}
    missing = touched & set(measured["missing_lines"])
    return len(missing | (touched & set(measured["executed_lines"]))), sorted(missing)


def _statement_starts(path: Path) -> dict[int, int]:
    """Map each line of a statement that spans several to its first: coverage knows only that one."""
    tree = ast.walk(ast.parse(path.read_bytes()))
    simple = [node for node in tree if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    return {line: one.lineno for one in simple for line in range(one.lineno, (one.end_lineno or one.lineno) + 1)}


def _refused(sha: str, saw: str) -> RefusedError:
    return RefusedError(
        sha[:7], vendor="build", operation="measure coverage", wanted="a test run under coverage", saw=saw,
        then="run build.test by hand, and install coverage beside pytest",
    )  # fmt: skip
