"""StatusCake: posts a form with a token that never changes; `secret` is that token, or it shows its address."""

import hmac

from crisis.receiver.senders.alert import Alert, Kind, Message, Reading
from crisis.receiver.senders.proof import Offer
from crisis.receiver.senders.reading import SUMMARY, ignored, parse_form, said_alone, shown, states, tags_of

__all__ = ["KIND"]

_LONGEST = 64 * 1024
"""Bytes of a form that can be StatusCake's: a stranger's body is not read any further to find a token in it."""


def proves(offer: Offer) -> bool:
    """Say whether the form bears the token: md5 of the user's name in lower case and the API key, made by the user."""
    if len(offer.raw) > _LONGEST:
        return False
    try:
        token = parse_form(offer.raw).text("Token").lower().encode()
    except ValueError:
        return False
    return sum([hmac.compare_digest(token, secret.lower()) for secret in offer.secrets]) > 0


def read(message: Message) -> Reading:
    """Read a test that went down or up; it says no time."""
    body = parse_form(message.raw)
    state = body.text("Status")
    status = states(state, ("down",), ("up",))
    if not status:
        return ignored(f"the status {shown(state)} is neither Down nor Up")
    name, link = body.text("Name"), body.text("URL")
    key = body.text("TestID") or f"{name} {link}".strip()
    tags = tags_of(body.at("Tags"))
    labels = tags | said_alone(alertname=name, test=name, address=link, code=body.text("StatusCode"))
    alert = Alert(
        status=status,
        labels=labels,
        fingerprint=key,
        group_key=key,
        summary=f"{name or 'a test'} is {state.lower()}"[:SUMMARY],
        service=tags.get("service", ""),
        url=link,
    )
    return Reading((alert,))


KIND = Kind(read, proves, replayable=True)
