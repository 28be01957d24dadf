"""Look: read the world. Never cached, retried when the error is transient, changes nothing."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from crisis.engine.action import retried
from crisis.engine.run import Run, current_run
from crisis.errors import CrisisError, JournalError

__all__ = ["Says", "observation", "progress"]

_LONG_SECONDS = 3.0

P = ParamSpec("P")


class Says(Protocol):
    """What a look saw, in one line for the timeline."""

    @property
    def says(self) -> str:
        """The line."""
        ...


S = TypeVar("S", bound=Says)


def observation(function: Callable[P, S]) -> Callable[P, S]:
    """Make a function a look. What it returns says in one line what it saw."""
    as_task = retried(function)

    @wraps(function)
    def looked(*args: P.args, **kwargs: P.kwargs) -> S:
        run, began = current_run(), time.monotonic()
        about = {"look": function.__name__, "target": str(next(iter((*args, *kwargs.values())), ""))}
        try:
            with _said_when_long(run, about):
                seen = as_task(*args, **kwargs)
        except CrisisError as error:
            took = round(time.monotonic() - began, 3)
            run.record("seen", {**about, "says": str(error), "ok": False, "seconds": took})
            raise
        took = round(time.monotonic() - began, 3)
        run.record("seen", {**about, "says": seen.says, "ok": True, "seconds": took})
        return seen

    return looked


@contextmanager
def _said_when_long(run: Run, about: Mapping[str, str]) -> Iterator[None]:
    """Put on record that a look is under way once it takes long: whoever watches must see what is being waited for."""

    def say() -> None:
        # No look fails because nobody could be told of it; a record that is gone stops the run at its next entry.
        with suppress(JournalError):
            run.record("looking", about)

    timer = threading.Timer(_LONG_SECONDS, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # so that it cannot be said after what was seen


def progress(done: int, total: int, says: str) -> None:
    """Show how far a long look or action is."""
    run = current_run()
    run.mirror.show(f"progress-{run.playbook}", "progress", round(100 * done / max(total, 1), 1), says)
