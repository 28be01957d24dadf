"""Context: what the web front works with. Values come in here; nothing below reads the environment."""

from collections.abc import Callable
from dataclasses import dataclass, field

from crisis.domain.protocol import Protocol
from crisis.journal.inbox import Inbox
from crisis.journal.store import Journal
from crisis.settings import Settings

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """The journal, the inbox, the protocol, and how to wake the responder after a delivery was stored."""

    journal: Journal
    inbox: Inbox
    protocol: Protocol
    settings: Settings
    wake: Callable[[], None]
    prefect_ui: str
    over: set[str] = field(default_factory=set, repr=False)
    """Incidents known to have ended, so that a search for open ones need not read them again."""
