"""Together: parts of a playbook side by side, so that a gate that waits does not hold up the rest."""

import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from crisis.engine.run import ParkedError

__all__ = ["together"]

T = TypeVar("T")


def together(*parts: Callable[[], T]) -> list[T]:
    """
    Do parts of a playbook at the same time and return what each returned, in their order.

    Each part runs to its own end, whatever becomes of the others; then the first error is raised. Where all that is
    left waits for people, the run is put aside until the first of them has to go on.
    """
    with ThreadPoolExecutor(len(parts), thread_name_prefix="together") as threads:
        # Each part sees the run it belongs to: contexts are copied, never shared.
        works = [threads.submit(contextvars.copy_context().run, part) for part in parts]
    errors = [error for work in works if (error := work.exception()) is not None]
    parked = [error for error in errors if isinstance(error, ParkedError)]
    others = [error for error in errors if not isinstance(error, ParkedError)]
    if others:
        raise others[0]
    if parked:
        raise min(parked, key=lambda one: one.until)
    return [work.result() for work in works]
