"""Links: signed, expiring words of ours that a browser carries: who may see what, and until when."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from crisis.domain.clock import utc_now
from crisis.domain.entry import canonical
from crisis.domain.seal import is_sealed, seal
from crisis.settings import Settings

__all__ = ["LINK", "LINK_LASTS", "link_for", "read_token", "sign_token"]

LINK = "link"
LINK_LASTS = timedelta(hours=12)
_TOKEN = re.compile(r"1\.([A-Za-z0-9_-]{1,400})\.([0-9a-f]{64})")


def link_for(settings: Settings, who: str, incident: str = "", *, lasts: timedelta = LINK_LASTS) -> str:
    """
    Return an address that lets a person in, to the room of an incident or to the list of all.

    `who` is a short name of protocol.yaml. Whoever has the link is let in as that person: it shows, and decides
    nothing. Raises ProtocolError when the signing key cannot be used.
    """
    return f"{settings.address}/in/{sign_token(settings, LINK, {'who': who, 'to': incident}, lasts)}"


def sign_token(settings: Settings, use: str, body: Mapping[str, str], lasts: timedelta) -> str:
    """Return a token that says `body` for a while, good for one use alone."""
    said = canonical({**body, "exp": int((utc_now() + lasts).timestamp())})
    raw = base64.urlsafe_b64encode(said.encode()).rstrip(b"=").decode()
    return f"1.{raw}.{_mark(settings, use, raw)}"


def read_token(settings: Settings, use: str, token: str) -> dict[str, Any] | None:
    """Return what a token of ours says; None when it is not ours, made for another use, or too old."""
    parts = _TOKEN.fullmatch(token)
    # Nothing is decoded before the seal has shown that it is ours, so what is inside has the shape that we gave it.
    if parts is None or not is_sealed(settings.signing_key(), _purpose(use), {"said": parts[1]}, parts[2]):
        return None
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return said if utc_now().timestamp() < said["exp"] else None


def _mark(settings: Settings, use: str, raw: str) -> str:
    return seal(settings.signing_key(), _purpose(use), {"said": raw})


def _purpose(use: str) -> str:
    return f"crisis.access/1/{use}"
