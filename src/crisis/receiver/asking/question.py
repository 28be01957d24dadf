"""Question: what a sender is asked for because it may not have reached us, and what comes back in its own words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from crisis.domain.alerting import AlertSender, AskBack
from crisis.errors import ProtocolError

__all__ = ["Answer", "Asker", "Found", "Known", "Question"]


@dataclass(frozen=True, slots=True)
class Known:
    """
    One firing of an alert that fires as far as we know, and the body of the delivery that told of it first.

    Where it is `settled`, a sender that does not list it any more is believed.
    """

    fingerprint: str
    began: str
    settled: bool
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is asked of a sender: what did not reach us since a moment.

    `address` is the receiver's own, as senders see it. `asked` remembers what was to be sent again, and when that was
    said; whoever asks adds to it.
    """

    sender: str
    rule: AlertSender
    since: datetime
    now: datetime
    address: str = ""
    known: tuple[Known, ...] = ()
    asked: dict[str, list[datetime]] = field(default_factory=dict)

    @property
    def place(self) -> AskBack:
        """Where the sender is asked."""
        if self.rule.ask_back is None:
            then = f"add alerts.{self.sender}.ask_back"
            raise ProtocolError(self.sender, wanted="a place to ask it", saw="none", then=then)
        return self.rule.ask_back

    def firings(self) -> set[tuple[str, str]]:
        """Return which alerts we know to fire, each with when that began."""
        return {(one.fingerprint, one.began) for one in self.known}

    def settled(self) -> set[str]:
        """Return the alerts that are over where the sender lists them no more: none that it told of a moment ago."""
        fresh = {one.fingerprint for one in self.known if not one.settled}
        return {one.fingerprint for one in self.known} - fresh


@dataclass(frozen=True, slots=True)
class Found:
    """What the sender would have sent: a body, and the headers without which it cannot be read."""

    raw: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and in words what else was done or could not be. With `more` it is soon to be asked again."""

    found: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()
    more: bool = False


class Asker(NamedTuple):
    """How a kind of sender is asked, and how it is tried without changing anything; both raise what went wrong."""

    ask: Callable[[Question], Answer]
    probe: Callable[[Question], str]
