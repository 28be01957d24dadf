"""Look: read the world. Never cached, retried when the error is transient, changes nothing."""

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from crisis.engine.action import retried
from crisis.engine.run import current_run
from crisis.errors import CrisisError

__all__ = ["Says", "observation", "progress"]

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
            seen = as_task(*args, **kwargs)
        except CrisisError as error:
            took = round(time.monotonic() - began, 3)
            run.record("seen", {**about, "says": str(error), "ok": False, "seconds": took})
            raise
        took = round(time.monotonic() - began, 3)
        run.record("seen", {**about, "says": seen.says, "ok": True, "seconds": took})
        return seen

    return looked


def progress(done: int, total: int, says: str) -> None:
    """Show how far a long look or action is."""
    run = current_run()
    run.mirror.show(f"progress-{run.playbook}", "progress", round(100 * done / max(total, 1), 1), says)
