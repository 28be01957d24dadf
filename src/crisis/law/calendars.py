"""Calendars: the holidays of a country, from the tables of the package `holidays`, with its version."""

from functools import lru_cache
from importlib.metadata import version

import holidays

from crisis.domain.law.period import Calendar

__all__ = ["calendar_of"]

_FIRST, _LAST = 2020, 2040
"""The years that are worked out; any other counts as one without holidays, and says so."""


@lru_cache
def calendar_of(country: str) -> Calendar:
    """
    Return the nationwide public holidays of a country (ISO 3166-1 alpha-2), as they are observed.

    `US` has the federal holidays. Raises ValueError for a country without a table.
    """
    try:
        days = holidays.country_holidays(country, years=range(_FIRST, _LAST + 1))
    except NotImplementedError:
        msg = f"there is no table of holidays for {country!r}"
        raise ValueError(msg) from None
    made = f"holidays {version('holidays')}"
    return Calendar(name=f"holidays of {country}", version=made, years=(_FIRST, _LAST), holidays=frozenset(days))
