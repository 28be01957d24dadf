"""Law: one file for each instrument, the facts they ask for, and the holidays they count with. Counsel decides."""

from crisis.law.calendars import calendar_of
from crisis.law.files import Library, load_law

__all__ = ["Library", "calendar_of", "load_law"]
