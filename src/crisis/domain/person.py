"""Person: proof of identity by a one-time code, used once, with a lock after wrong answers."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

import pyotp

from crisis.domain.entry import Entry
from crisis.domain.redaction import Mask
from crisis.errors import ProtocolError

__all__ = ["LOCK", "PEOPLE", "STRIKES", "fold_strikes", "locked_until", "matching_step", "without_codes"]

PEOPLE = "PEOPLE"
"""The chain that notes what concerns people and no single incident: codes, locks, passkeys."""

_CODE_LIKE = re.compile(r"(?<![0-9])(?:[0-9]{3}[ -]?[0-9]{3}|[0-9]{6,8})(?![0-9])")

STRIKES = 5
LOCK = timedelta(minutes=15)


def matching_step(secret: str, code: str, now: datetime, drift: int = 1) -> int | None:
    """
    Return the time step (RFC 6238, 30 s) that a code belongs to, or None.

    One step of clock drift either way is allowed, as RFC 6238 section 5.2 recommends.
    Raises ProtocolError, without the secret, when it is none.
    """
    if not (code.isascii() and code.isdigit()):
        return None
    try:
        totp = pyotp.TOTP("".join(secret.split()).rstrip("="))
    except ValueError:
        saw, then = "one too short or no base32", "enrol them again"
        raise ProtocolError("one-time codes", wanted="a base32 secret of 112 bits", saw=saw, then=then) from None
    present = int(now.timestamp()) // totp.interval
    for step in (present, *(present + sign * far for far in range(1, drift + 1) for sign in (-1, 1))):
        if pyotp.utils.strings_equal(totp.generate_otp(step), code):
            return step
    return None


def fold_strikes(entries: Iterable[Entry], who: str) -> list[datetime]:
    """Return when this person's codes were refused since the last good one or the last lock ran out."""
    strikes: list[datetime] = []
    for entry in entries:
        if entry.actor != who:
            continue
        # The fifth counts, as in `locked_until`: those that came in at the same moment must not postpone the lock.
        until = locked_until(strikes)
        if until is not None and entry.time >= until:
            strikes = []
        if entry.kind == "code accepted":
            strikes = []
        elif entry.kind == "code refused":
            strikes.append(entry.time)
    return strikes


def without_codes(text: str) -> str:
    """Return what somebody typed as their reason, fit for the record: codes and whatever looks secret are taken out."""
    # The secrets first: with its digits taken out, one of them would not be known any more.
    return _CODE_LIKE.sub("(digits)", Mask()(text.replace("\x00", "\N{REPLACEMENT CHARACTER}"))).strip()


def locked_until(strikes: list[datetime]) -> datetime | None:
    """Return when the lock of a person ends, or None while fewer than five answers were wrong."""
    return strikes[STRIKES - 1] + LOCK if len(strikes) >= STRIKES else None
