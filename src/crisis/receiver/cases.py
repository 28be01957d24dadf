"""Cases: every incident as the rules of correlation see it, kept as long as it may still matter to an alert."""

import logging
from datetime import datetime, timedelta

from crisis.domain.alerting import Intake
from crisis.domain.clock import utc_now
from crisis.domain.correlation import PATIENCE, Case, fold_case
from crisis.errors import JournalError
from crisis.journal.store import Journal

__all__ = ["Cases"]

_LOG = logging.getLogger(__name__)


class Cases:
    """
    The incidents of a journal, those alone that were opened since a moment where one is given.

    Not for two threads at once: it is used where alerts are judged, and there alone.
    """

    def __init__(self, journal: Journal, intake: Intake, since: datetime | None = None) -> None:
        self.journal, self.since = journal, since
        self.unreadable = set[str]()
        # What is over for longer than any rule looks back is read again only when somebody asks for it by name.
        self._horizon = max(intake.window, intake.flapping.per, intake.cool_down.lasts, PATIENCE) + timedelta(minutes=1)
        self._heads: dict[str, str] = {}
        self._kept: dict[str, Case] = {}
        self._ours = set[str]()

    def look(self) -> None:
        """Read every chain that has grown since the last look."""
        heads = self.journal.heads()  # a store that is gone altogether is no damaged chain
        for name, head in heads.items():
            if name.startswith("INC-") and self._heads.get(name) != head:
                self._heads[name] = head
                self._keep(name, self._fold(name))
        self._ours.clear()
        horizon = utc_now() - self._horizon
        for name in [name for name, case in self._kept.items() if _is_past(case) and case.touched_at < horizon]:
            del self._kept[name]

    def all(self) -> list[Case]:
        """Return every case that may matter to an alert."""
        return list(self._kept.values())

    def get(self, incident: str) -> Case | None:
        """Return one case, however old; None when there is none, or when it cannot be read."""
        if incident in self._kept:
            return self._kept[incident]
        return self._fold(incident) if incident in self._heads or incident in self._ours else None

    def opened(self, incident: str) -> Case | None:
        """Read a case that was opened or has grown in this very moment."""
        self._ours.add(incident)
        self._heads.pop(incident, None)
        self._keep(incident, self._fold(incident))
        return self._kept.get(incident)

    def changed(self, case: Case) -> None:
        """Take over what we have just written ourselves; the next look reads it."""
        self._ours.add(case.incident)
        self._heads.pop(case.incident, None)
        self._kept[case.incident] = case

    def forget(self) -> None:
        """Forget what we have written ourselves since the last look: it was taken back."""
        for name in self._ours:
            self._heads.pop(name, None)
            self._kept.pop(name, None)
        self._ours.clear()

    def _keep(self, name: str, case: Case | None) -> None:
        if case is None:
            self._kept.pop(name, None)
        else:
            self._kept[name] = case

    def _fold(self, name: str) -> Case | None:
        try:
            found = fold_case(name, self.journal.entries(name))
        except (JournalError, LookupError, TypeError, ValueError) as error:
            if name not in self.unreadable:
                self.unreadable.add(name)
                _LOG.warning("%s cannot be read and takes no alert in: %s", name, error)
            return None
        self.unreadable.discard(name)
        return None if found and self.since and found.opened_at < self.since else found


def _is_past(case: Case) -> bool:
    return not case.running and not case.storm and (case.recovered or not case.measures)
