"""Reading: what the law asks of an incident, from its journal: rulings, clocks, and what is still to be said."""

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from crisis.domain.entry import Entry
from crisis.domain.law.clocks import Clock, run_clocks
from crisis.domain.law.duties import Case, Ruling, judge_duties, unknown_places
from crisis.domain.law.fact import Facts, fold_facts
from crisis.domain.law.receipt import fold_receipts
from crisis.domain.protocol import Protocol
from crisis.errors import ProtocolError
from crisis.law.calendars import calendar_of
from crisis.law.files import Library, load_law

__all__ = ["Reading", "library_of", "read_law"]


@dataclass(frozen=True)
class Reading:
    """How the law stands to an incident at one moment."""

    library: Library
    case: Case
    rulings: list[Ruling]
    clocks: list[Clock]
    unknown: tuple[str, ...]

    @property
    def facts(self) -> Facts:
        """What people have stated."""
        return self.case.facts

    def questions(self) -> list[tuple[str, int]]:
        """Return the questions that nobody has answered, those first that would decide the most duties."""
        asked = Counter(one for ruling in self.rulings if not ruling.is_remote for one in ruling.missing)
        for clock in self.clocks:
            if clock.state == "not started" and clock.starts in self.library.kinds:
                asked[self.library.kinds[clock.starts].asks] += 1
        return asked.most_common()


def library_of(protocol: Protocol, protocol_file: Path) -> Library:
    """
    Read all instruments, and the files that the protocol adds from its own folder.

    Raises ProtocolError for a file that cannot be read, and for a role that no instrument knows: a misspelt one would
    leave duties unclear, or out.
    """
    library = load_law(protocol_file.resolve().parent / name for name in protocol.law.more)
    known = library.roles()
    strange = [one for one in (*protocol.law.roles, *protocol.law.not_roles) if one not in known]
    if strange:
        close = difflib.get_close_matches(strange[0], known, 1)
        then = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}"
        raise ProtocolError(f"role {strange[0]!r}", wanted="one that a law asks for", saw="an unknown one", then=then)
    return library


def read_law(
    library: Library, protocol: Protocol, incident: str, entries: Iterable[Entry], key: bytes | None, now: datetime
) -> Reading:
    """Apply the law to what an incident's journal holds; ProtocolError for one without entries."""
    every = list(entries)
    if not every:
        raise ProtocolError(incident, wanted="an incident of this journal", saw="none", then="check the name")
    facts, receipts = fold_facts(every, key), fold_receipts(every, key)
    case = Case(every[0].time, facts, protocol.law, library.kinds, receipts)
    rulings = judge_duties(library.instruments, case, now)
    clocks = run_clocks(rulings, case, now, calendar_of)
    return Reading(library, case, rulings, clocks, unknown_places(library.instruments, case))
