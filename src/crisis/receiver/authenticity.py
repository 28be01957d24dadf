"""Authenticity: is this the sender it says it is. Nothing of a request is read or kept before this says yes."""

import base64
import hmac
import logging

from crisis.domain.protocol import AlertSender, Protocol
from crisis.errors import ProtocolError
from crisis.settings import read_reference

__all__ = ["is_authentic"]

_LOG = logging.getLogger(__name__)
_NOBODY = b"no sender has this name"


def is_authentic(protocol: Protocol, sender: str, authorization: list[str]) -> bool:
    """Say whether the one Authorization header proves the sender; an unknown sender never is."""
    known = protocol.alerts.get(sender)
    offered = authorization[0].strip() if len(authorization) == 1 else ""
    scheme, _, value = offered.partition(" ")
    credential = value.strip().encode("utf-8", "surrogateescape")
    if known is None:
        # Compared all the same, so that the time an answer takes tells no names.
        hmac.compare_digest(credential, _NOBODY)
        return False
    if scheme.lower() == "bearer":
        return _bearer(known, credential)
    return scheme.lower() == "basic" and _basic(known, credential)


def _bearer(sender: AlertSender, token: bytes) -> bool:
    # Every reference is tried, without stopping at the first that fits: two stand there during a rotation.
    return sum(_equal(token, reference) for reference in sender.bearer) > 0


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
    try:
        secret = read_reference(reference).get_secret_value().encode()
    except ProtocolError as error:
        _LOG.error("%s", error)
        return False
    return bool(secret) and hmac.compare_digest(offered, secret)
