"""Command: a child process that is bounded in time and never outlives us."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from crisis.errors import ProtocolError

__all__ = ["Finished", "run", "started", "tethered"]

_GRACE = 3.0
# Runs before the real program, so that no code of ours runs between fork and exec: 1 is PR_SET_PDEATHSIG.
_TETHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended; the code is None when it was ended because its time was up."""

    code: int | None
    out: bytes
    err: bytes


def tethered(words: Sequence[str]) -> list[str]:
    """Spell a command so that the kernel ends it with us, whatever ends us."""
    return [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *words]


def run(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    said: bytes = b"",
    timeout: float = 60.0,
    keep: Sequence[int] = (),
) -> Finished:
    """Run a program to its end; what is still alive of it after `timeout` seconds is ended."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(words, environment=environment, folder=folder, keep=keep, **pipes) as child:
        try:
            out, err = child.communicate(said, timeout)
        except subprocess.TimeoutExpired as late:
            return Finished(None, late.stdout or b"", late.stderr or b"")
        return Finished(child.returncode, out, err)


@contextmanager
def started(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    keep: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in a session of its own; it and its children are ended with the block."""
    try:
        child: subprocess.Popen[bytes] = subprocess.Popen(
            list(words), env=dict(environment), cwd=folder, stdin=stdin, stdout=stdout, stderr=stderr,
            start_new_session=True, pass_fds=tuple(keep),
        )  # fmt: skip
    except FileNotFoundError:
        raise ProtocolError(words[0], wanted="an installed program", saw="none", then=f"install {words[0]}") from None
    try:
        yield child
    finally:
        _end(child)


def _end(child: subprocess.Popen[Any]) -> None:
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
    with suppress(ProcessLookupError):  # the whole session, also what the program left behind
        os.killpg(child.pid, signal.SIGKILL)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    child.wait()
