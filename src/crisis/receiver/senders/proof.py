"""Proof: what a request shows of its sender, and the signatures it may bear, compared in constant time."""

import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

__all__ = ["Offer", "fits", "is_fresh", "signed"]

_STAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURES = 16
"""More than any rotation needs; a header full of them is no reason to work."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A request that wants to be believed. `secrets` are those in force, `window` is how old a signed time may be."""

    headers: Sequence[tuple[str, str]]
    raw: bytes = field(repr=False)
    secrets: Sequence[bytes] = field(default=(), repr=False)
    now: datetime = field(default_factory=datetime.now)
    window: timedelta | None = None
    topics: Sequence[str] = ()
    hosts: Sequence[str] = ()

    def header(self, name: str) -> str:
        """Return the one header of this name; nothing when there is none or more than one."""
        found = [value for key, value in self.headers if key.lower() == name]
        return found[0].strip() if len(found) == 1 else ""


def fits(offered: str | Iterable[str], secrets: Iterable[bytes], sign: Callable[[bytes], str]) -> bool:
    """Say whether one of the offered signatures is that of one of the secrets."""
    given = [offered] if isinstance(offered, str) else list(offered)[:_SIGNATURES]
    # Signed once for each secret: a stranger who offers many signatures of a long body must not make us sign as often.
    ours = [sign(secret).encode() for secret in secrets]
    # All are tried, without stopping at the first that fits: the time it takes must not tell which one it was.
    return sum([hmac.compare_digest(mine, one.encode("utf-8", "replace")) for mine in ours for one in given]) > 0


def signed(header: str, *, prefix: str = "", algorithm: str = "sha256") -> Callable[[Offer], bool]:
    """Return the proof of a sender that signs the raw body, in hex, in this header; several stand between commas."""

    def proves(offer: Offer) -> bool:
        offered = [one.strip() for one in offer.header(header).split(",")]
        return fits(offered, offer.secrets, lambda key: prefix + hmac.new(key, offer.raw, algorithm).hexdigest())

    return proves


def is_fresh(stamp: str, offer: Offer, default: timedelta = timedelta(minutes=5)) -> bool:
    """Say whether a signed time, in seconds, is no older than the window, and no further ahead of our clock."""
    window = (offer.window or default).total_seconds()
    return bool(_STAMP.fullmatch(stamp)) and abs(offer.now.timestamp() - int(stamp)) <= window
