"""Authenticity: is this the sender it says it is. Nothing of a request is read or kept before this says yes."""

import base64
import hmac
import logging
from collections.abc import Sequence
from datetime import datetime

from crisis.domain.alerting import AlertSender
from crisis.domain.clock import utc_now
from crisis.domain.protocol import Protocol
from crisis.errors import ProtocolError
from crisis.protocol_rules import ALWAYS_SIGNED
from crisis.receiver.senders.proof import Offer
from crisis.receiver.senders.registry import kind_named
from crisis.settings import read_reference

__all__ = ["Headers", "is_authentic", "is_signed", "signs"]

Headers = Sequence[tuple[str, str]]

_LOG = logging.getLogger(__name__)
_NOBODY = b"no sender has this name"


def signs(protocol: Protocol, sender: str) -> bool:
    """Say whether the body is needed to know who sent it: a signature, where one is due, is the only proof."""
    rule = protocol.alerts.get(sender)
    return rule is not None and bool(rule.secret or rule.topics or rule.kind_as(sender) in ALWAYS_SIGNED)


def is_authentic(protocol: Protocol, sender: str, headers: Headers, in_address: str = "") -> bool:
    """Say whether a shown secret proves the sender; an unknown sender never is."""
    known = protocol.alerts.get(sender)
    scheme, _, value = _one(headers, "authorization").partition(" ")
    credential = _bytes(value.strip())
    if known is None:
        # Compared all the same, so that the time an answer takes tells no names.
        hmac.compare_digest(credential, _NOBODY)
        return False
    ways = [
        scheme.lower() == "bearer" and _any(credential, known.bearer),
        scheme.lower() == "basic" and _basic(known, credential),
        known.header is not None and _any(_bytes(_one(headers, known.header.name.lower())), [known.header.value]),
        known.url_secret is not None and _any(_bytes(in_address), [known.url_secret]),
    ]
    return any(ways)


def is_signed(protocol: Protocol, sender: str, headers: Headers, raw: bytes, now: datetime | None = None) -> bool:
    """Say whether a signature proves the sender; TransientError when that cannot be told at the moment."""
    known = protocol.alerts[sender]
    proves = kind_named(known.kind_as(sender)).proves
    secrets = [secret for reference in known.secret if (secret := _secret(reference))]
    offer = Offer(headers, raw, secrets, now or utc_now(), known.window, known.topics, known.hosts)
    return proves is not None and proves(offer)


def _one(headers: Headers, name: str) -> str:
    found = [value for key, value in headers if key.lower() == name]
    return found[0].strip() if len(found) == 1 else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _any(offered: bytes, references: Sequence[str]) -> bool:
    # Every reference is tried, without stopping at the first that fits: two stand there during a rotation.
    return sum([_equal(offered, reference) for reference in references]) > 0


def _basic(sender: AlertSender, credential: bytes) -> bool:
    if sender.basic is None:
        return False
    try:
        user, _, password = base64.b64decode(credential, validate=True).partition(b":")
    except ValueError:
        return False
    named = hmac.compare_digest(user, sender.basic.user.encode())
    return _equal(password, sender.basic.password) and named


def _equal(offered: bytes, reference: str) -> bool:
    secret = _secret(reference)
    return bool(secret) and hmac.compare_digest(offered, secret)


def _secret(reference: str) -> bytes:
    try:
        return read_reference(reference).get_secret_value().encode()
    except ProtocolError as error:
        _LOG.error("%s", error)
        return b""
