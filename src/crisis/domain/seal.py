"""Seal: a mark under something we said, which nobody can make without our key."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from crisis.domain.entry import canonical

__all__ = ["is_sealed", "seal"]


def seal(key: bytes, purpose: str, body: Mapping[str, Any]) -> str:
    """
    Return the mark of a body: HMAC-SHA256, in hex, over purpose, NUL and the body's canonical JSON.

    A mark is good for its purpose alone. Raises UnicodeEncodeError where a text is no UTF-8.
    """
    return hmac.new(key, f"{purpose}\0{canonical(body)}".encode(), hashlib.sha256).hexdigest()


def is_sealed(key: bytes, purpose: str, body: Mapping[str, Any], mark: str) -> bool:
    """Say whether a mark is ours, in a time that does not tell how much of it was right."""
    try:
        ours = seal(key, purpose, body)
    except UnicodeEncodeError:  # nothing that we could have sealed
        return False
    return hmac.compare_digest(ours.encode(), mark.encode("utf-8", "replace"))
