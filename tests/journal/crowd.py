"""Several processes at one journal, let loose at the same moment."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Worker", "crowd"]

ROOT = Path(__file__).parents[2]


class Worker:
    """A process of `tests.journal.worker`, killed at the end of the block if it still runs."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.journal.worker", *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """Wait for the next line that it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def wait_until_ready(self) -> None:
        """Wait until it only waits for the signal."""
        said = self.line()
        assert said == "ready", f"{said}{self.process.stderr.read() if self.process.stderr else ''}"

    def let_loose(self) -> None:
        """Give the signal."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def rest(self) -> list[str]:
        """Wait for its end and return what it said; fails the test when it failed."""
        said, wrong = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, wrong
        return said.splitlines()

    def kill(self) -> list[str]:
        """Kill it like a power cut and return what it had said."""
        self.process.kill()
        return self.process.communicate()[0].splitlines()


def crowd(*arguments: Sequence[str]) -> list[list[str]]:
    """Start a worker for each list of arguments, let all loose at once, and return what each one said."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(*one)) for one in arguments]
        for worker in workers:
            worker.wait_until_ready()
        for worker in workers:
            worker.let_loose()
        return [worker.rest() for worker in workers]
