"""Tether: a child process never outlives the process that started it."""

import ctypes
import os
import runpy
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_LOOK_AGAIN = 0.2
_PROGRAM = "--program"


def hold(parent: int) -> None:
    """Die with the parent: at once where Linux can promise it, else within a fifth of a second."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whatever the starter held back, we hear
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), name="tether", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_AGAIN)
    os._exit(1)


def command(module: str, *arguments: str) -> list[str]:
    """Spell the command that runs a module on a tether to this process."""
    return [sys.executable, "-m", __name__, str(os.getpid()), module, *arguments]


def program(path: str, *arguments: str) -> list[str]:
    """Spell the command that runs another program on a tether to this process; it holds only on Linux."""
    return [sys.executable, "-m", __name__, str(os.getpid()), _PROGRAM, path, *arguments]


def main() -> None:
    """Run `<parent> <module> <arguments>` on a tether, or `<parent> --program <path> <arguments>`."""
    hold(int(sys.argv[1]))
    module = sys.argv[2]
    if module == _PROGRAM:
        os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606 - no shell; the promise of the kernel outlives this image
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
