"""Mirror: make the local copy equal to the origin, healing what a killed process left behind."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crisis.clients.git.plumbing import Git
from crisis.errors import TransientError

__all__ = ["refresh"]

_FETCH = ("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "origin", "+refs/heads/*:refs/heads/*")
_LONGEST_FETCH = 180.0
_LOOK_AGAIN = 0.05


def refresh(git: Git) -> None:
    """
    Fetch every branch of the origin.

    One process at a time; TransientError when the origin cannot be reached.
    """
    with _alone(git.path) as lock:
        _sweep(git.path)
        if git.path.exists() and _fetched(git, lock):
            return
        _reachable(git, lock)
        # The origin answers, so the copy is missing or broken: a half-made clone, or a disk that lost power.
        shutil.rmtree(git.path, ignore_errors=True)
        _create(git, lock)
        if not _fetched(git, lock):
            raise _away("its branches cannot be fetched")


def _fetched(git: Git, lock: int) -> bool:
    return git.attempt(*_FETCH, timeout=_LONGEST_FETCH, keep=(lock,)).code == 0


def _reachable(git: Git, lock: int) -> None:
    with tempfile.TemporaryDirectory(prefix="crisis-git-") as elsewhere:  # the copy itself may be broken
        done = git.attempt("ls-remote", "--heads", "origin", folder=Path(elsewhere), keep=(lock,))
    if done.code != 0:
        raise _away(git.complaint(done) or "no answer in time")


def _create(git: Git, lock: int) -> None:
    """Make an empty copy under another name and move it into place, so that a copy is either whole or absent."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{git.path.name}.new-", dir=git.path.parent))
    git.bytes("init", "--quiet", "--bare", "--initial-branch=main", str(fresh), folder=fresh, keep=(lock,))
    fresh.rename(git.path)


def _sweep(path: Path) -> None:
    """Remove what a killed process left: half-made copies and lock files. We are alone, so nobody needs them."""
    for left in path.parent.glob(f"{path.name}.new-*"):
        shutil.rmtree(left, ignore_errors=True)
    for stale in (*path.glob("*.lock"), *(path / "refs").rglob("*.lock")):
        stale.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path, timeout: float = 240.0) -> Iterator[int]:
    """
    Hold the lock of a mirror.

    The git processes inherit it: when we are killed, nobody else enters before they have ended too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + timeout
        while not _taken(lock):
            if time.monotonic() > end:
                raise _away(f"another process kept the mirror for {timeout:g} s")
            time.sleep(_LOOK_AGAIN)
        yield lock
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _away(saw: str) -> TransientError:
    return TransientError(
        "origin", vendor="git", operation="fetch", wanted="the origin's branches", saw=saw,
        then="check the repository's address and credentials, then try again",
    )  # fmt: skip
