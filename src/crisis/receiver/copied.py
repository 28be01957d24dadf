"""Copied: which deliveries somebody put into the inbox again. Their alerts are old news."""

from collections.abc import Mapping

from crisis.journal.inbox import Delivery

__all__ = ["headers_of_copy", "original_of"]

_ORIGIN = "crisis-replays"
"""Kept with the headers of a copy. No sender can say it: of theirs only those that its kind names are kept."""


def headers_of_copy(delivery: Delivery) -> Mapping[str, str]:
    """Return the headers that a copy of a delivery is kept with."""
    return {**delivery.headers, _ORIGIN: delivery.delivery}


def original_of(delivery: Delivery) -> str:
    """Return the name of the delivery that this is a copy of; nothing for one that came from its sender."""
    return delivery.headers.get(_ORIGIN, "")
