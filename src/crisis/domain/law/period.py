"""
Period: how long the law gives, and the last moment that is still in time.

Every result errs early: it is never later than the law. Hours are those of the wall clock, to the minute, through
nights, weekends and holidays; Regulation (EEC, Euratom) 1182/71, art. 3, would allow the next full hour, which is not
used. Days and months end with their last day in the zone of the recipient, and are never moved to a working day.
"""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from crisis.domain.model import Strict, Text

__all__ = ["Calendar", "Due", "Period", "end_of_year", "last_moment"]

_END_OF_DAY = time(23, 59)
_SATURDAY = 5
_MONTHS = 12

Amount = Annotated[int, Field(ge=1, le=3660)]


class Calendar(Strict):
    """
    The holidays of one place: a table of dates, with the version of the data and the years it covers.

    A year that it does not cover counts as one without holidays: a deadline then comes out early, never late.
    """

    name: Text
    version: Text
    years: tuple[int, int]
    holidays: frozenset[date] = frozenset()

    def is_business_day(self, day: date) -> bool:
        """Whether it is neither a Saturday, a Sunday, nor a holiday."""
        return day.weekday() < _SATURDAY and day not in self.holidays

    def covers(self, year: int) -> bool:
        """Whether the table has that year."""
        return self.years[0] <= year <= self.years[1]


class Period(Strict):
    """One length of time: in hours, calendar days, business days (of a named calendar) or months."""

    hours: Amount | None = Field(default=None, description="hours of the wall clock, to the minute")
    days: Amount | None = Field(default=None, description="calendar days; the day of the event is not counted")
    business_days: Amount | None = Field(default=None, description="neither weekend nor holiday of `calendar`")
    months: Amount | None = Field(default=None, description="to the same date, or the last day of a shorter month")
    calendar: Text | None = Field(default=None, description="whose holidays: a country as ISO 3166-1 writes it")
    cut_off: time | None = Field(default=None, description="until when on the last day, where offices close")

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        given = [one for one in (self.hours, self.days, self.business_days, self.months) if one is not None]
        if len(given) != 1:
            msg = "a period has one of hours, days, business_days and months"
            raise ValueError(msg)
        if (self.business_days is None) != (self.calendar is None):
            msg = "a period in business days names the calendar, and no other period does"
            raise ValueError(msg)
        if self.hours is not None and self.cut_off is not None:
            msg = "hours know no cut-off"
            raise ValueError(msg)
        return self

    def __str__(self) -> str:
        """Say it: `72 hours`, `1 month`, `4 business days (US)`."""
        for amount, unit in ((self.hours, "hour"), (self.days, "calendar day"), (self.months, "month")):
            if amount is not None:
                return f"{amount} {unit}{'' if amount == 1 else 's'}"
        return f"{self.business_days} business day{'' if self.business_days == 1 else 's'} ({self.calendar})"


class Due(Strict):
    """The last moment that is in time, in UTC, and what must be said about how it was worked out."""

    at: datetime
    notes: tuple[str, ...] = ()


def last_moment(start: datetime, period: Period, zone: ZoneInfo, calendar: Callable[[str], Calendar]) -> Due:
    """
    Return the last moment of a period that began at `start` (aware), for a recipient in `zone`.

    `calendar` returns the holidays of a country. Raises ValueError for a start without a zone.
    """
    if start.tzinfo is None:
        msg = "a clock starts at a moment with a zone"
        raise ValueError(msg)
    if period.hours is not None:
        return Due(at=start.astimezone(UTC) + timedelta(hours=period.hours))
    first, notes = start.astimezone(zone).date(), tuple[str, ...]()
    if period.days is not None:
        last = first + timedelta(days=period.days)
    elif period.months is not None:
        last = _months_later(first, period.months)
    else:
        last, notes = _business_days_later(first, period.business_days or 0, calendar(period.calendar or ""))
    return Due(at=_moment(last, period.cut_off or _END_OF_DAY, zone), notes=notes)


def end_of_year(start: datetime, zone: ZoneInfo) -> datetime:
    """Return the last minute of the year in which something happened, there where it is counted."""
    return _moment(date(start.astimezone(zone).year, 12, 31), _END_OF_DAY, zone)


def _months_later(first: date, months: int) -> date:
    """Return the same date, or the last day of a shorter month (Regulation 1182/71, art. 3(2)(c))."""
    year, month = divmod(first.year * _MONTHS + first.month - 1 + months, _MONTHS)
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))


def _business_days_later(first: date, days: int, calendar: Calendar) -> tuple[date, tuple[str, ...]]:
    day, missing = first, set[int]()
    while days:
        day += timedelta(days=1)
        if not calendar.covers(day.year):
            missing.add(day.year)
        days -= calendar.is_business_day(day)
    says = f"the table {calendar.name} {calendar.version} has no holidays for"
    notes = [f"{says} {year}: counted as if there were none, which is early" for year in sorted(missing)]
    return day, tuple(notes)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    # Where a local time comes twice (the clocks go back), `fold=0` takes the earlier one.
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
