"""The last moment of a period: never later than the law, in no zone but the recipient's, and never going back."""

import datetime as dt
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crisis.domain.law.period import Calendar, Period, end_of_year, last_moment
from crisis.law import calendar_of

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC")]

moments = st.integers(0, 17 * 365 * 24 * 60).map(
    lambda minutes: datetime(2021, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
zones = st.sampled_from(ZONES)
periods = st.one_of(
    st.builds(lambda n: Period(hours=n), st.integers(1, 200)),
    st.builds(lambda n: Period(days=n), st.integers(1, 90)),
    st.builds(lambda n: Period(months=n), st.integers(1, 24)),
    st.builds(lambda n: Period(business_days=n, calendar="US"), st.integers(1, 30)),
)


def law_says(start: datetime, period: Period, zone: ZoneInfo) -> datetime:
    """Work out when the law's own time is over, by walking day by day; hours are the plain sum."""
    if period.hours is not None:
        return start + timedelta(hours=period.hours)
    day = start.astimezone(zone).date()
    if period.months is not None:
        for _ in range(period.months):
            day = first_of_next(day)
        wanted = start.astimezone(zone).day
        while (day + timedelta(days=1)).month == day.month and day.day < wanted:
            day += timedelta(days=1)
    else:
        left = period.days or period.business_days or 0
        holidays = calendar_of("US").holidays
        while left:
            day += timedelta(days=1)
            works = day.isoweekday() <= 5 and day not in holidays  # Friday
            left -= 1 if period.days is not None or works else 0
    return datetime.combine(day + timedelta(days=1), dt.time(), tzinfo=zone).astimezone(UTC)


def first_of_next(day: date) -> date:
    """Return the first day of the month after."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


@settings(deadline=None)  # the first asks for twenty years of holidays
@given(moments, periods, zones)
def test_it_is_never_later_than_the_law_and_at_most_a_minute_earlier(
    start: datetime, period: Period, zone: ZoneInfo
) -> None:
    """An independent walk through the days agrees; our day ends a minute before midnight."""
    due, law = last_moment(start, period, zone, calendar_of).at, law_says(start, period, zone)

    assert law - timedelta(minutes=1) <= due <= law


@given(moments, moments, periods, zones)
def test_who_knows_later_is_never_due_earlier(one: datetime, other: datetime, period: Period, zone: ZoneInfo) -> None:
    """It is monotone in the start."""
    first, second = sorted((one, other))

    assert last_moment(first, period, zone, calendar_of).at <= last_moment(second, period, zone, calendar_of).at


@given(moments, periods, zones, zones)
def test_the_zone_in_which_a_start_is_written_changes_nothing(
    start: datetime, period: Period, zone: ZoneInfo, written: ZoneInfo
) -> None:
    """The same instant is the same deadline; only the recipient's zone counts."""
    due = last_moment(start.astimezone(written), period, zone, calendar_of)

    assert due == last_moment(start, period, zone, calendar_of)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        # 2026-03-29, 02:00 CET becomes 03:00 CEST: 72 hours later it is an hour later on the wall.
        ("2026-03-27T20:00+01:00", 72, "2026-03-30T21:00+02:00"),
        # 2026-10-25, 03:00 CEST becomes 02:00 CET: an hour earlier on the wall.
        ("2026-10-23T20:00+02:00", 72, "2026-10-26T19:00+01:00"),
    ],
)
def test_hours_go_through_a_change_of_the_clocks(start: str, hours: int, due: str) -> None:
    """Seventy-two hours are seventy-two hours."""
    found = last_moment(datetime.fromisoformat(start), Period(hours=hours), BERLIN, calendar_of)

    assert found.at == datetime.fromisoformat(due)


def test_a_month_from_the_31st_ends_with_the_shorter_month() -> None:
    """Regulation 1182/71, art. 3(2)(c)."""
    found = last_moment(datetime(2026, 1, 31, 12, tzinfo=UTC), Period(months=1), BERLIN, calendar_of)

    assert found.at == datetime(2026, 2, 28, 23, 59, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-11-24T10:00", "2026-12-01T17:30"),  # Tuesday; Thursday the 26th is Thanksgiving
        ("2026-11-28T10:00", "2026-12-03T17:30"),  # Saturday: Monday is day one
        ("2026-07-01T23:50", "2026-07-08T17:30"),  # Friday the 3rd is Independence Day as observed
        ("2026-12-24T09:00", "2026-12-31T17:30"),  # Christmas Day is a Friday
    ],
)
def test_four_business_days_of_the_sec(start: str, due: str) -> None:
    """Day one is the first business day after the determination; EDGAR closes at half past five."""
    began = datetime.fromisoformat(start).replace(tzinfo=NEW_YORK)
    period = Period(business_days=4, calendar="US", cut_off=dt.time(17, 30))

    assert last_moment(began, period, NEW_YORK, calendar_of).at == datetime.fromisoformat(due).replace(tzinfo=NEW_YORK)


def test_a_year_without_a_table_has_no_holidays_and_says_so() -> None:
    """It comes out early, and the note says why."""
    empty = Calendar(name="holidays of XX", version="1", years=(2020, 2026))
    start = datetime(2026, 12, 30, 9, tzinfo=UTC)
    found = last_moment(start, Period(business_days=3, calendar="XX"), ZoneInfo("UTC"), lambda _: empty)

    assert found.at == datetime(2027, 1, 4, 23, 59, tzinfo=UTC)
    assert found.notes == (
        "the table holidays of XX 1 has no holidays for 2027: counted as if there were none, which is early",
    )


def test_a_start_without_a_zone_is_refused() -> None:
    """Nine o'clock is no moment."""
    with pytest.raises(ValueError, match="zone"):
        last_moment(datetime(2026, 1, 1, 9, tzinfo=UTC).replace(tzinfo=None), Period(hours=1), BERLIN, calendar_of)


def test_a_year_ends_there_where_it_is_counted() -> None:
    """In New York it is still last year."""
    assert end_of_year(datetime(2027, 1, 1, 2, tzinfo=UTC), NEW_YORK) == datetime(2026, 12, 31, 23, 59, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    "wrong", [{}, {"hours": 1, "days": 1}, {"days": 1, "calendar": "US"}, {"business_days": 2}, {"hours": 0}]
)
def test_a_period_has_one_unit(wrong: dict[str, int]) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"period|greater"):
        Period.model_validate(wrong)
