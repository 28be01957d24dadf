"""Law: one file for each instrument, the facts they ask for, and the holidays they count with. Counsel decides."""

from crisis.law.calendars import calendar_of
from crisis.law.files import Library, load_law
from crisis.law.reading import Reading, library_of, read_law

__all__ = ["Library", "Reading", "calendar_of", "library_of", "load_law", "read_law"]
