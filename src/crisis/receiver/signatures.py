"""Signatures: what others hand on to us, an answer typed on a phone: signed by whom, new or a repeat, and its vote."""

import base64
import hmac
import logging
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from crisis.domain.decision import Decision, Gate
from crisis.domain.person import PEOPLE
from crisis.engine.booth import Answer, Booth, RefusedVote
from crisis.engine.votes import cast
from crisis.errors import CrisisError, ProtocolError
from crisis.journal.store import AlreadyRecordedError
from crisis.receiver.context import Context
from crisis.settings import read_reference

__all__ = [
    "cast_in_words",
    "is_new",
    "note_stranger",
    "outcome_in_words",
    "secrets_of",
    "signed_by_slack",
    "signed_by_twilio",
]

REASON_LIMIT = 2000
_LOG = logging.getLogger(__name__)
_SHIFT = 300
"""Seconds that a Slack request may be old, or ahead of our clock: what Slack itself recommends."""

_PORTS = {"https": 443, "http": 80}


def secrets_of(*references: str | None) -> list[bytes]:
    """Return the secrets in force: the present one, and the one before it while it is being rotated."""
    found: list[bytes] = []
    for reference in references:
        if reference is None:
            continue
        try:
            found.append(read_reference(reference).get_secret_value().strip().encode())
        except ProtocolError as error:
            _LOG.error("%s", error)
    # An empty key would be one that anybody can sign with.
    return [secret for secret in found if secret]


def signed_by_slack(secrets: Iterable[bytes], stamp: str, body: bytes, offered: str, now: datetime) -> bool:
    """
    Say whether Slack signed this body at that second, not longer ago than five minutes.

    HMAC-SHA256 over `v0:<stamp>:<body>`, in hex: Slack's "Verifying requests".
    """
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(now.timestamp() - int(stamp)) > _SHIFT:
        return False
    base = b"v0:" + stamp.encode() + b":" + body
    return _one_fits(secrets, offered, lambda secret: "v0=" + hmac.new(secret, base, "sha256").hexdigest())


def signed_by_twilio(secrets: Iterable[bytes], url: str, pairs: Iterable[tuple[str, str]], offered: str) -> bool:
    """
    Say whether Twilio signed this form for this URL.

    HMAC-SHA1, base64, over the URL as Twilio was given it and every name with its value, sorted: Twilio's "Validating
    signatures". A name that comes twice counts once for each of its values. Twilio writes the port or leaves it out.
    """
    form = "".join(name + value for name, value in sorted(set(pairs)))
    texts = [(one + form).encode("utf-8", "surrogatepass") for one in _with_and_without_port(url)]

    def sign(text: bytes) -> Callable[[bytes], str]:
        return lambda secret: base64.b64encode(hmac.digest(secret, text, "sha1")).decode()

    keys = list(secrets)
    return sum([_one_fits(keys, offered, sign(text)) for text in texts]) > 0


def _one_fits(secrets: Iterable[bytes], offered: str, sign: Callable[[bytes], str]) -> bool:
    # All are tried, without stopping at the first that fits: the time it takes must not tell which one it was.
    given = offered.encode("utf-8", "replace")
    return sum([hmac.compare_digest(sign(secret).encode(), given) for secret in secrets]) > 0


def _with_and_without_port(url: str) -> list[str]:
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    ports = (parts.netloc, host, f"{host}:{parts.port or _PORTS.get(parts.scheme, 443)}")
    return list(dict.fromkeys(urlunsplit(parts._replace(netloc=netloc)) for netloc in ports))


def is_new(context: Context, way: str, name: str) -> bool:
    """
    Say whether this signed request comes for the first time, and note that it came.

    The note is an entry of the chain about people: what was seen must outlive a restart, be seen by every process at
    once, and never be forgotten, since Twilio's signatures have no date. Only what is signed gets this far, so that
    strangers cannot make it grow.
    """
    try:
        context.journal.append(PEOPLE, "request seen", way, {"way": way}, key=f"seen:{way}:{name}"[:300])
    except AlreadyRecordedError:
        return False
    return True


def note_stranger(context: Context, way: str, now: datetime) -> None:
    """Note, once a minute at most, that somebody whom protocol.yaml does not know has written."""
    with suppress(AlreadyRecordedError):
        key = f"stranger:{way}:{int(now.timestamp()) // 60}"
        context.journal.append(PEOPLE, "stranger", way, {"because": "this number is nobody's"}, key=key)


def cast_in_words(context: Context, gate: Gate, said: Answer) -> tuple[bool, str]:
    """Cast a vote; return whether it was taken, and what came of it in words for the person who gave it."""
    try:
        result = cast(Booth.of(context.journal, context.protocol, context.settings), gate, said)
    except CrisisError as error:
        _LOG.error("%s", error)
        return False, "it is not certain that this was recorded; look at the decision page"
    if isinstance(result, RefusedVote):
        return False, result.because
    if result is None:
        return True, f"Recorded: {said.answer}. More people must agree."
    return True, outcome_in_words(context, result)


def outcome_in_words(context: Context, decision: Decision) -> str:
    """Say how a question was decided."""
    people = context.protocol.people
    names = " and ".join(people[who].name if who in people else who for who in decision.by) or "nobody"
    chosen = f": {decision.choice}" if decision.choice else ""
    return f"Decided, {decision.outcome}{chosen}, by {names}."
