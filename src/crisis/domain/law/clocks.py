"""Clocks: by when each duty must be done, counted from what people stated, and beside it from the first sign."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime

from crisis.domain.law.duties import Case, Ruling
from crisis.domain.law.instrument import RECEIPT, Term
from crisis.domain.law.period import Calendar, end_of_year, last_moment
from crisis.domain.law.receipt import Receipt
from crisis.domain.model import Strict

__all__ = ["ALARMS", "Clock", "State", "run_clocks"]

ALARMS = (0.5, 0.75, 0.9, 1.0)
"""After which share of the time people are warned; the last is when it is over."""

_SIGNS = ("detected", "processor_told_us", "authority_told_us")

State = Literal["running", "overdue", "not started", "held", "filed", "filed late"]

_RANK: dict[State, int] = {"overdue": 0, "running": 1, "not started": 1, "held": 2, "filed late": 4, "filed": 4}
"""What runs, also from the first sign alone, comes before what is held and what is done."""


class Clock(Strict):
    """
    One duty's time. `started` and `due` are from what was stated, in UTC; None while its start is not.

    pessimistic_start, pessimistic   the same, had the company known at the first sign
    zone                             the recipient's, in which a local time is shown
    """

    ruling: Ruling
    state: State
    starts: str
    zone: str
    started: AwareDatetime | None = None
    due: AwareDatetime | None = None
    pessimistic_start: AwareDatetime | None = None
    pessimistic: AwareDatetime | None = None
    period: str = ""
    receipt: Receipt | None = None
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> tuple[datetime, datetime] | None:
        """Start and end of the time that alarms are measured in: as stated, else the pessimistic one."""
        if self.started is not None and self.due is not None:
            return self.started, self.due
        if self.pessimistic_start is not None and self.pessimistic is not None:
            return self.pessimistic_start, self.pessimistic
        return None

    def alarm_at(self, share: float) -> datetime | None:
        """Return when a share of the time is gone."""
        if self.counts is None:
            return None
        start, end = self.counts
        return start + (end - start) * share

    def alarms_due(self, now: datetime) -> list[float]:
        """Return the shares that are gone; none for what is filed or held."""
        if self.state in ("filed", "filed late", "held"):
            return []
        return [share for share in ALARMS if (at := self.alarm_at(share)) is not None and at <= now]

    def left(self, now: datetime) -> timedelta | None:
        """Return how much time is left, negative once it is over."""
        return self.counts[1] - now if self.counts is not None else None


class _Counted(Strict):
    started: AwareDatetime
    due: AwareDatetime
    notes: tuple[str, ...] = ()


def run_clocks(
    rulings: Iterable[Ruling], case: Case, now: datetime, calendar: Callable[[str], Calendar]
) -> list[Clock]:
    """Return a clock for each duty that applies or may, those first that run out first."""
    wanted = [ruling for ruling in rulings if ruling.verdict != "no" and not ruling.is_remote and ruling.duty.terms]
    clocks = [_clock(ruling, case, now, calendar) for ruling in wanted]
    far = datetime.max.replace(tzinfo=UTC)
    return sorted(clocks, key=lambda one: (_RANK[one.state] if one.counts else 3, one.counts[1] if one.counts else far))


def _clock(ruling: Ruling, case: Case, now: datetime, calendar: Callable[[str], Calendar]) -> Clock:
    zone = ZoneInfo(ruling.instrument.zone)
    stated = [(term, _count(term, case, zone, calendar, pessimistic=False)) for term in ruling.duty.terms]
    early = [_count(term, case, zone, calendar, pessimistic=True) for term in ruling.duty.terms]
    running = [(term, found) for term, found in stated if found is not None]
    term, found = min(running, key=lambda pair: pair[1].due, default=(ruling.duty.terms[0], None))
    first = min((one for one in early if one is not None), key=lambda one: one.due, default=None)
    receipt = case.receipts.get(ruling.duty.id)
    state = _state(ruling, case, found, receipt, now)
    return Clock(
        ruling=ruling,
        state=state,
        starts=term.starts,
        zone=ruling.instrument.zone,
        started=found.started if found else None,
        due=found.due if found else None,
        pessimistic_start=first.started if first else None,
        pessimistic=first.due if first else None,
        period=str(term.period),
        receipt=receipt,
        notes=tuple(one for one in (_late(ruling, case, state), term.note, *(found.notes if found else ())) if one),
    )


def _late(ruling: Ruling, case: Case, state: State) -> str:
    """Say what a notice needs because it is late, and nobody has stated yet."""
    wanted = ruling.duty.late if state in ("overdue", "filed late") else ""
    return f"late: state reasons_for_delay ({wanted})" if wanted and not case.facts.of("reasons_for_delay") else ""


def _state(ruling: Ruling, case: Case, found: _Counted | None, receipt: Receipt | None, now: datetime) -> State:
    if receipt is not None:
        return "filed late" if found is not None and receipt.at > found.due else "filed"
    hold = case.hold
    if ruling.duty.may_be_held and hold is not None and now < hold:
        return "held"
    if found is None:
        return "not started"
    return "overdue" if now > found.due else "running"


def _count(
    term: Term, case: Case, zone: ZoneInfo, calendar: Callable[[str], Calendar], *, pessimistic: bool
) -> _Counted | None:
    start = _start(term.starts, case, pessimistic=pessimistic)
    cut = term.not_later_than
    limit = _count(cut, case, zone, calendar, pessimistic=pessimistic) if cut is not None else None
    if start is None:
        return limit
    begins = end_of_year(start, zone) if term.after is not None else start
    due = last_moment(begins, term.period, zone, calendar)
    counted = _Counted(started=start, due=due.at, notes=due.notes)
    # What starts after the limit has run out is not cut short by it (DORA: classified as major only later).
    if limit is not None and start <= limit.due < due.at:
        return counted.model_copy(update={"due": limit.due, "notes": (*counted.notes, *limit.notes)})
    return counted


def _start(starts: str, case: Case, *, pessimistic: bool) -> datetime | None:
    if starts.startswith(RECEIPT):
        receipt = case.receipts.get(starts.removeprefix(RECEIPT))
        return receipt.at if receipt is not None else None
    stated, kind = case.facts.moment(starts), case.kinds[starts]
    if not pessimistic:
        return stated
    # As if it had been known as soon as anybody knew anything.
    signs = [name for name, one in case.kinds.items() if one.pessimistic] if kind.pessimistic else []
    early = [case.facts.moment(name) for name in (*signs, *(_SIGNS if kind.pessimistic else ()))]
    return min((one for one in (stated, *early) if one is not None), default=None)
