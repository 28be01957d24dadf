"""Codes: a one-time code is good once, whatever it is shown for; five wrong ones lock."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from crisis.domain.clock import write_time
from crisis.domain.person import PEOPLE, STRIKES, fold_strikes, locked_until, matching_step
from crisis.errors import ProtocolError
from crisis.journal.store import AlreadyRecordedError, Journal
from crisis.settings import read_reference

__all__ = ["Showing", "unproved_by_code"]

_CLOCK_IS_WRONG, _FAR_OFF = 4, 40
"""Steps of 30 s: from where to where a code is that of a telephone with a wrong clock, and not of a slow person."""


@dataclass(frozen=True, slots=True)
class Showing:
    """Somebody shows a code: who, where their secret is kept, and for what: a gate or a task of an incident."""

    who: str
    code: str = field(repr=False)
    reference: str
    incident: str
    about: str


def unproved_by_code(journal: Journal, shown: Showing, now: datetime) -> str | None:
    """Spend a code; say why it does not prove who they are, or None when it does."""
    strikes = fold_strikes(journal.entries(PEOPLE), shown.who)
    until = locked_until(strikes)
    if until is not None and now < until:
        _note_lock(journal, shown, strikes)
        return f"locked after {STRIKES} wrong codes until {until:%H:%M} UTC"
    step = _step_of(shown, now)
    if step is None:
        return _strike(journal, shown, f"wrong or outdated code{_clock(shown, now)}")
    try:
        # One key per person and step: a code is good once, whatever the number of gates, ways and processes.
        key = f"code:{shown.who}:{step}"
        journal.append(PEOPLE, "code accepted", shown.who, {"incident": shown.incident}, key=key)
    except AlreadyRecordedError as used:
        says = "this code was used already; wait for the next one"
        # A double click is no guess; the same code at another incident may be one.
        here = used.entry.body.get("incident") == shown.incident
        return says if here else _strike(journal, shown, says)
    return None


def _clock(shown: Showing, now: datetime) -> str:
    """Say so when the code would be right at another time: it tells an honest person what to mend, nobody else much."""
    far = _step_of(shown, now, drift=_FAR_OFF)
    off = 0 if far is None else abs(far - int(now.timestamp()) // 30)
    return f"; it is {now:%H:%M} UTC here, and your phone's clock is minutes off" if off >= _CLOCK_IS_WRONG else ""


def _step_of(shown: Showing, now: datetime, drift: int = 1) -> int | None:
    secret = read_reference(shown.reference).get_secret_value()
    try:
        return matching_step(secret, shown.code.strip(), now, drift)
    except ProtocolError as error:
        target = f"{shown.who}: {shown.reference}"
        raise ProtocolError(target, wanted=error.wanted, saw=error.saw, then=error.then) from None


def _strike(journal: Journal, shown: Showing, because: str) -> str:
    journal.append(PEOPLE, "code refused", shown.who, {"because": because, "incident": shown.incident})
    _note_lock(journal, shown, fold_strikes(journal.entries(PEOPLE), shown.who))
    return because


def _note_lock(journal: Journal, shown: Showing, strikes: list[datetime]) -> None:
    """Put a lock on record, once, for those who must hear of it; also when whoever wrote the fifth strike died."""
    until = locked_until(strikes)
    if until is None:
        return
    body = {"incident": shown.incident, "gate": shown.about, "until": write_time(until)}
    with suppress(AlreadyRecordedError):
        journal.append(PEOPLE, "locked", shown.who, body, key=f"locked:{shown.who}:{write_time(strikes[STRIKES - 1])}")
