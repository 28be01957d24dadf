"""Grafana: signs `[time:]body` where a secret is set in the contact point, else it shows a secret."""

import hashlib
import hmac

from crisis.receiver.asking.alertmanager import grafana
from crisis.receiver.senders.alert import Kind, Message, Reading
from crisis.receiver.senders.alertmanager import alerts_of, cut_of
from crisis.receiver.senders.proof import Offer, fits, is_fresh
from crisis.receiver.senders.reading import ignored, parse_object

__all__ = ["KIND"]

STAMP = "x-grafana-alerting-timestamp"
"""What is to be written into Grafana's field "Timestamp header"."""


def proves(offer: Offer) -> bool:
    """Say whether Grafana signed this body; where it sends a time, that one is signed too, and must be fresh."""
    stamps = [value for name, value in offer.headers if name.lower() == STAMP]
    if stamps and not is_fresh(offer.header(STAMP), offer):
        return False
    # Without the header a body that begins with a time would be taken for a signed one: it is no JSON, and is refused.
    text = offer.header(STAMP).encode() + b":" + offer.raw if stamps else offer.raw
    return fits(
        offer.header("x-grafana-alerting-signature"),
        offer.secrets,
        lambda key: hmac.new(key, text, "sha256").hexdigest(),
    )


def read(message: Message) -> Reading:
    """Read a group as Alertmanager's; `valueString` and the like do not matter."""
    payload = parse_object(message.raw).data
    if "alerts" not in payload:
        return ignored("it has no list of alerts: set the contact point to the default payload")
    return Reading(tuple(alerts_of(payload)), cut=cut_of(payload))


def delivery_id(message: Message) -> str:
    """Return the time that is signed with the body: a repeat of what still fires differs in nothing else."""
    stamp = message.headers.get(STAMP, "").strip()
    return f"{stamp} {hashlib.sha256(message.raw).hexdigest()}" if stamp else ""


KIND = Kind(read, proves, headers=(STAMP,), delivery_id=delivery_id, asker=grafana(), repeats=True)
