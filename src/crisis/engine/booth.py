"""Booth: where answers are taken: the record, the rules, and the key that marks what was proved."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from crisis.domain.decision import Gate, Vote
from crisis.domain.protocol import Protocol
from crisis.domain.seal import is_sealed, seal
from crisis.errors import ProtocolError
from crisis.journal.store import Journal
from crisis.settings import Settings

__all__ = ["Answer", "Booth", "RefusedVote", "Way"]

Way = Literal["page", "command line", "Prefect form", "Slack", "SMS", "phone"]
"""The ways to answer. All of them lead to the same check."""

_PURPOSE = "vote"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What somebody said at a gate, by which way, and what proves that it was they.

    `code` is their one-time code; `passkey` the assertion of their passkey, JSON as the browser made it; one of them.
    `steps` are the numbers of the steps they approve, from 0, or None for all. `glass` breaks glass.
    """

    who: str
    answer: str
    code: str = field(default="", repr=False)
    reason: str = ""
    how: Way = "page"
    steps: tuple[int, ...] | None = None
    glass: bool = False
    passkey: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RefusedVote:
    """Why an answer does not count, in words for the person who gave it."""

    because: str


@dataclass(frozen=True, slots=True)
class Booth:
    """A journal, the protocol in force, and the deployment's signing key."""

    journal: Journal
    protocol: Protocol
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, journal: Journal, protocol: Protocol, settings: Settings) -> Self:
        """Return the booth of a deployment."""
        return cls(journal, protocol, settings.signing_key())

    @property
    def fingerprint(self) -> str:
        """What tells our key from another, and nothing about it."""
        return seal(self.key, "fingerprint", {})[:16]

    def expect(self, gate: Gate) -> None:
        """Raise ProtocolError where the responder's key is another than ours: what we mark would not count."""
        if gate.signed_by and gate.signed_by != self.fingerprint:
            saw, then = "another", "use the CRISIS_HOME or CRISIS_SIGNING_KEY that the responder uses"
            raise ProtocolError("signing key", wanted="the responder's", saw=saw, then=then)

    def mark(self, incident: str, who: str, body: Mapping[str, Any]) -> str:
        """Seal a vote whose proof of identity was found good."""
        return seal(self.key, _PURPOSE, _statement(incident, who, body))

    def mark_question(self, incident: str, body: Mapping[str, Any]) -> str:
        """Seal a question: who may answer it, how many must agree, since when and until when."""
        return seal(self.key, "question", {**body, "incident": incident})

    def is_ours(self, gate: Gate) -> bool:
        """Whether we asked this question as it stands: nobody wrote another in its place."""
        return is_sealed(self.key, "question", {**gate.said, "incident": gate.incident}, gate.seal)

    def mark_silence(self, gate: Gate) -> str:
        """Seal that the time to answer a question was over, and nobody had stopped it."""
        return seal(self.key, "silence", {"incident": gate.incident, "asked_as": gate.asked_as, "hash": gate.plan.hash})

    def is_our_silence(self, gate: Gate) -> bool:
        """Whether we said so, and not somebody who wrote it down before its time."""
        return gate.decision is not None and hmac.compare_digest(self.mark_silence(gate), gate.decision.seal)

    def mark_beginning(self, call: str) -> str:
        """Seal that a call of an action is about to begin: it may then end, however late."""
        return seal(self.key, "intended", {"call": call})

    def has_begun(self, call: str, mark: str) -> bool:
        """Whether we said so."""
        return is_sealed(self.key, "intended", {"call": call}, mark)

    def votes(self, gate: Gate) -> list[Vote]:
        """Return the genuine votes of a question, each once: a copy further down the chain is no second word."""
        once: dict[str, Vote] = {}
        for vote in gate.votes:
            if self.is_genuine(gate, vote):
                once.setdefault(vote.seal, vote)
        return list(once.values())

    def is_genuine(self, gate: Gate, vote: Vote) -> bool:
        """Whether we marked this vote, for this very question: nobody wrote it past us."""
        if vote.said.get("asked_as") != gate.asked_as or vote.said.get("hash") != gate.plan.hash:
            return False
        return is_sealed(self.key, _PURPOSE, _statement(gate.incident, vote.who, vote.said), vote.seal)


def _statement(incident: str, who: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "incident": incident, "who": who}
