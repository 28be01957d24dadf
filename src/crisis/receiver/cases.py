"""Cases: every incident as the rules of correlation see it, kept as long as its chain does not grow."""

import logging

from crisis.domain.correlation import Case, fold_case
from crisis.errors import JournalError
from crisis.journal.store import Journal

__all__ = ["Cases"]

_LOG = logging.getLogger(__name__)


class Cases:
    """The incidents of a journal. Not for two threads at once: it is used where alerts are judged, and there alone."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._known: dict[str, tuple[str | None, Case | None]] = {}
        self._warned = set[str]()

    def look(self) -> None:
        """Read every chain that has grown since the last look."""
        heads = self.journal.heads()  # a store that is gone altogether is no damaged chain
        for name, head in heads.items():
            known = self._known.get(name)
            if name.startswith("INC-") and (known is None or known[0] != head):
                self._known[name] = head, self._fold(name)

    def all(self) -> list[Case]:
        """Return every case that can be read."""
        return [case for _, case in self._known.values() if case is not None]

    def get(self, incident: str) -> Case | None:
        """Return one case, or None."""
        return self._known.get(incident, (None, None))[1]

    def opened(self, incident: str) -> Case | None:
        """Read a case that was opened or has grown in this very moment."""
        self._known[incident] = None, self._fold(incident)
        return self.get(incident)

    def changed(self, case: Case) -> None:
        """Take over what we have just written ourselves; the next look reads it."""
        self._known[case.incident] = None, case

    def forget(self) -> None:
        """Forget everything: what was written was taken back."""
        self._known.clear()

    def _fold(self, name: str) -> Case | None:
        try:
            return fold_case(name, self.journal.entries(name))
        except (JournalError, LookupError, TypeError, ValueError) as error:
            if name not in self._warned:
                self._warned.add(name)
                _LOG.warning("%s cannot be read and takes no alert in: %s", name, error)
            return None
