"""Authenticity: is this the sender it says it is. Nothing of a request is read or kept before this says yes."""

import base64
import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from crisis.domain.alerting import AlertSender
from crisis.domain.clock import utc_now
from crisis.domain.protocol import Protocol
from crisis.protocol_rules import ALWAYS_SIGNED
from crisis.receiver.keyring import read_secret
from crisis.receiver.senders.proof import Offer
from crisis.receiver.senders.registry import kind_named

__all__ = ["Headers", "fetches", "is_authentic", "is_signed", "references_of", "signs"]

Headers = Sequence[tuple[str, str]]
Read = Callable[[str], bytes]
"""Reads the secret that a reference names; empty when there is none."""

_NOBODY = b"no sender has this name"
_FETCHING = frozenset({"aws-sns"})
"""Kinds that ask somebody else before they believe a signature."""


def signs(protocol: Protocol, sender: str) -> bool:
    """Say whether the body is needed to know who sent it: a signature, where one is due, is the only proof."""
    rule = protocol.alerts.get(sender)
    return rule is not None and bool(rule.secret or rule.topics or rule.kind_as(sender) in ALWAYS_SIGNED)


def fetches(protocol: Protocol, sender: str) -> bool:
    """Say whether somebody else may have to be asked for the proof, which takes a while."""
    return protocol.alerts[sender].kind_as(sender) in _FETCHING


def references_of(protocol: Protocol, sender: str) -> list[str]:
    """Return the references to all secrets that can prove a sender; none for an unknown one."""
    rule = protocol.alerts.get(sender)
    if rule is None:
        return []
    if signs(protocol, sender):
        return list(rule.secret)
    places = (rule.basic and rule.basic.password, rule.header and rule.header.value, rule.url_secret)
    return [*rule.bearer, *(place for place in places if place)]


def is_authentic(
    protocol: Protocol, sender: str, headers: Headers, in_address: str = "", read: Read = read_secret
) -> bool:
    """Say whether a shown secret proves the sender; an unknown sender never is."""
    known = protocol.alerts.get(sender)
    scheme, _, value = _one(headers, "authorization").partition(" ")
    credential = _bytes(value.strip())
    if known is None:
        # Compared all the same, so that the time an answer takes tells no names.
        hmac.compare_digest(credential, _NOBODY)
        return False
    ways = [
        scheme.lower() == "bearer" and _any(credential, _values(known.bearer, read)),
        scheme.lower() == "basic" and _basic(known, credential, read),
        known.header is not None and _any(_bytes(_one(headers, known.header.name.lower())), [read(known.header.value)]),
        known.url_secret is not None and _any(_bytes(in_address), [read(known.url_secret)]),
    ]
    return any(ways)


def is_signed(
    protocol: Protocol,
    sender: str,
    headers: Headers,
    raw: bytes,
    now: datetime | None = None,
    read: Read = read_secret,
) -> bool:
    """Say whether a signature proves the sender; TransientError when that cannot be told at the moment."""
    known = protocol.alerts[sender]
    proves = kind_named(known.kind_as(sender)).proves
    secrets = [secret for secret in _values(known.secret, read) if secret]
    offer = Offer(headers, raw, secrets, now or utc_now(), known.window, known.topics, known.hosts)
    return proves is not None and proves(offer)


def _one(headers: Headers, name: str) -> str:
    found = [value for key, value in headers if key.lower() == name]
    return found[0].strip() if len(found) == 1 else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _values(references: Iterable[str], read: Read) -> list[bytes]:
    return [read(reference) for reference in references]


def _any(offered: bytes, secrets: Sequence[bytes]) -> bool:
    # Every one is tried, without stopping at the first that fits: two stand there during a rotation.
    return sum([_equal(offered, secret) for secret in secrets]) > 0


def _basic(sender: AlertSender, credential: bytes, read: Read) -> bool:
    if sender.basic is None:
        return False
    try:
        user, _, password = base64.b64decode(credential, validate=True).partition(b":")
    except ValueError:
        return False
    named = hmac.compare_digest(user, sender.basic.user.encode())
    return _equal(password, read(sender.basic.password)) and named


def _equal(offered: bytes, secret: bytes) -> bool:
    return bool(secret) and hmac.compare_digest(offered, secret)
