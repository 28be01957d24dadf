"""Standard Webhooks: signs `id.time.body` with HMAC-SHA256 and a `whsec_` secret, several during a rotation."""

import base64
import hmac

from crisis.domain.alerting import AlertFields
from crisis.receiver.senders.alert import Kind, Message, Reading
from crisis.receiver.senders.generic import read_by_fields
from crisis.receiver.senders.proof import Offer, fits, is_fresh
from crisis.receiver.senders.reading import ignored, parse_object, said_alone

__all__ = ["KIND"]

_DEFAULT = AlertFields(
    state="data.status", firing=("firing", "triggered", "open", "down", "critical", "error"), key="data.id",
    severity="data.severity", service="data.service", started="timestamp", summary="data.summary",
)  # fmt: skip
"""The standard leaves what is in `data` to the sender: where protocol.yaml says nothing, these are tried."""


def proves(offer: Offer) -> bool:
    """Say whether this id, this time and this body were signed together, and lately; `v1a` is not read."""
    name, stamp = offer.header("webhook-id"), offer.header("webhook-timestamp")
    if not name or not is_fresh(stamp, offer):
        return False
    text = f"{name}.{stamp}.".encode("utf-8", "replace") + offer.raw
    offered = [one.removeprefix("v1,") for one in offer.header("webhook-signature").split() if one.startswith("v1,")]
    keys = [key for secret in offer.secrets if (key := _key(secret))]
    return fits(offered, keys, lambda key: base64.b64encode(hmac.digest(key, text, "sha256")).decode())


def _key(secret: bytes) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
    except ValueError:
        return b""


def read(message: Message) -> Reading:
    """Read an event by the paths of protocol.yaml, or by those that are usual."""
    body = parse_object(message.raw)
    rule = (message.rule.fields if message.rule else None) or _DEFAULT
    what = body.text("type")
    if rule is _DEFAULT and not body.text(rule.state):
        return ignored("it says no state: nothing stands at data.status; say in `fields` where it does")
    return read_by_fields(body, rule, body.inside("data").said() | said_alone(alertname=what, event=what))


def delivery_id(message: Message) -> str:
    """Return the signed id, the same at every try."""
    return message.headers.get("webhook-id", "")


KIND = Kind(read, proves, headers=("webhook-id",), delivery_id=delivery_id)
