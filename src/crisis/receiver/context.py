"""Context: what the web front works with. Values come in here; nothing below reads the environment."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from crisis.domain.protocol import Protocol
from crisis.journal.inbox import Inbox
from crisis.journal.pulses import Pulses
from crisis.journal.sightings import Sightings
from crisis.journal.store import Journal
from crisis.law import Library, library_of
from crisis.receiver.cases import Cases
from crisis.receiver.storm import StormWatch
from crisis.settings import Settings

__all__ = ["Context", "Finished"]


@dataclass(frozen=True, slots=True)
class Finished:
    """An incident that was over when its chain had this head."""

    head: tuple[int, str] | None
    service: str
    playbook: str
    outcome: str
    ended_at: datetime


@dataclass(frozen=True)
class Context:
    """The journal, the inbox, the protocol, and how to wake the responder after a delivery was stored."""

    journal: Journal
    inbox: Inbox
    protocol: Protocol
    settings: Settings
    wake: Callable[[], None]
    prefect_ui: str
    over: dict[str, Finished] = field(default_factory=dict, repr=False)
    """Incidents known to have ended, so that a search need not read them again while their heads stand still."""
    unreadable: set[str] = field(default_factory=set, repr=False)
    """Chains that a warning was logged for."""
    beats: dict[str, float] = field(default_factory=dict, repr=False)
    """When each loop of ours last came round, on the monotonic clock."""
    cut_off: set[str] = field(default_factory=set, repr=False)
    """Senders that have cut off a list: they are to be asked for the whole."""
    stopping: threading.Event = field(default_factory=threading.Event, repr=False)
    """Set when the server is about to stop: rooms that are open would keep it waiting for their end."""

    @cached_property
    def cases(self) -> Cases:
        """The incidents as the rules see them that say which alert belongs to which."""
        return Cases(self.journal, self.protocol.intake, self.settings.incidents_since)

    @cached_property
    def library(self) -> Library:
        """Every instrument that is known, ours and the company's own."""
        return library_of(self.protocol, self.settings.protocol_file)

    @cached_property
    def storm(self) -> StormWatch:
        """How many groups of alerts came lately."""
        return StormWatch(self.protocol.intake.storm)

    @cached_property
    def sightings(self) -> Sightings:
        """Which alert belongs to which incident."""
        return Sightings(self.journal.database)

    @cached_property
    def pulses(self) -> Pulses:
        """When something of ours was last known to work."""
        return Pulses(self.journal.database)
