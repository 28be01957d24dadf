"""Trying: many probes at once, each within its time, and what each came to in one line."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Thread
from types import TracebackType
from typing import NamedTuple, Self

from rich.table import Table
from rich.text import Text

from crisis.errors import CrisisError, ProtocolError, TransientError

__all__ = ["LIMIT", "Check", "Finding", "Probe", "render", "try_all", "worst_exit"]

Probe = Callable[[], str]
"""Says what it saw, or raises what is wrong; it changes nothing."""

LIMIT = 10.0
"""Seconds that one probe may take."""

_AT_ONCE = 16


class Check(NamedTuple):
    """One thing to try. `mend` says what to do when the error itself does not."""

    what: str
    target: str
    probe: Probe
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What trying it came to, in one line without a secret."""

    what: str
    target: str
    ok: bool
    says: str
    mend: str = ""


def try_all(checks: Sequence[Check], limit: float = LIMIT) -> list[Finding]:
    """Try them, some at once; failures first."""
    findings: list[Finding] = []
    for start in range(0, len(checks), _AT_ONCE):
        findings += _try_together(checks[start : start + _AT_ONCE], limit)
    return sorted(findings, key=lambda found: (found.ok, found.what, found.target))


def worst_exit(findings: Iterable[Finding]) -> int:
    """Return the exit code: 0 when everything is ready, else 2."""
    return 0 if all(found.ok for found in findings) else ProtocolError.exit_code


def render(findings: Sequence[Finding]) -> Table:
    """Draw the findings for the terminal."""
    failed = sum(not found.ok for found in findings)
    table = Table(
        "", "what", "where", "says", "mend", title=f"{len(findings)} tried, {failed} failed", title_justify="left"
    )
    for found in findings:
        mark = Text("ok", "green") if found.ok else Text("failed", "bold red")
        table.add_row(mark, *(Text(part) for part in (found.what, found.target, found.says, found.mend)))
    return table


class _Attempt(Thread):
    """One probe on a thread that may be left behind: a hung one must not keep `crisis check` from ending."""

    def __init__(self, check: Check) -> None:
        super().__init__(daemon=True)
        self.check = check
        self.said: str | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        with self:
            self.said = self.check.probe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> bool:
        self.error = error
        return True


def _try_together(checks: Sequence[Check], limit: float) -> list[Finding]:
    attempts = [_Attempt(check) for check in checks]
    end = time.monotonic() + limit
    for attempt in attempts:
        attempt.start()
    for attempt in attempts:
        attempt.join(max(0.0, end - time.monotonic()))
    return [_judge(attempt, limit) for attempt in attempts]


def _judge(attempt: _Attempt, limit: float) -> Finding:
    check, error, said = attempt.check, attempt.error, attempt.said
    if said is not None:
        return Finding(check.what, check.target, ok=True, says=said)
    if isinstance(error, CrisisError):
        says = ", ".join(
            part for part in (error.wanted and f"wanted {error.wanted}", error.saw and f"saw {error.saw}") if part
        )
        mend = check.mend if isinstance(error, TransientError) and check.mend else error.then or check.mend
        return Finding(check.what, check.target, ok=False, says=says or error.target, mend=mend)
    # A foreign error's text may hold a secret; its kind does not.
    says = f"no answer in {limit:g} s" if error is None else f"it broke with {type(error).__name__}"
    return Finding(check.what, check.target, ok=False, says=says, mend=check.mend or "check where it points")
