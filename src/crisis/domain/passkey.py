"""Passkey: what people registered to prove who they are, and the links by which they may. A fold, and no I/O."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from crisis.domain.entry import Entry, canonical
from crisis.domain.seal import is_sealed, seal

__all__ = [
    "LABEL_LIMIT",
    "LINK_LASTS",
    "Codes",
    "Link",
    "Passkey",
    "fold_passkeys",
    "origin_of",
    "passkeys_of",
    "relying_party",
    "seal_passkey",
    "user_handle",
    "works_at",
]

Codes = Literal["", "new", "replace"]
LINK_LASTS = timedelta(minutes=15)
LABEL_LIMIT = 60
_PURPOSE, _LINK = "passkey enrolled", "enrolment"
_SEALED = ("credential", "public_key", "sign_count", "label", "link", "from")
_TOKEN = re.compile(r"1\.([A-Za-z0-9_-]{1,600})\.([0-9a-f]{64})")
_USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Passkey:
    """A credential of one person. `sign_count` is the highest that was seen, 0 where the device does not count."""

    who: str
    credential: str
    public_key: str
    sign_count: int
    label: str
    since: datetime

    @property
    def short(self) -> str:
        """What people type to mean it: a credential's own id may begin with a hyphen and is long."""
        return hashlib.sha256(self.credential.encode()).hexdigest()[:10]


def fold_passkeys(entries: Iterable[Entry], key: bytes) -> dict[str, Passkey]:
    """
    Return the passkeys in force, by credential.

    A row that is not sealed with our key, for this person, does not count. A credential that was removed never comes
    back, or a copy of its old row would bring it back: who wants it again registers anew, as a new credential.
    """
    found: dict[str, Passkey] = {}
    counts: dict[str, int] = {}
    removed: set[str] = set()
    for entry in entries:
        credential = str(entry.body.get("credential", ""))
        if entry.kind == "passkey removed":
            removed.add(credential)
        elif entry.kind == "passkey accepted":
            counts[credential] = max(counts.get(credential, 0), _number(entry.body.get("sign_count")))
        elif entry.kind == "passkey enrolled" and credential not in found and _is_ours(entry, key):
            found[credential] = _read(entry)
    return {
        credential: Passkey(
            one.who, credential, one.public_key, max(one.sign_count, counts.get(credential, 0)), one.label, one.since
        )
        for credential, one in found.items()
        if credential not in removed
    }


def passkeys_of(entries: Iterable[Entry], key: bytes, who: str) -> list[Passkey]:
    """Return one person's passkeys in force."""
    return [one for one in fold_passkeys(entries, key).values() if one.who == who]


def seal_passkey(key: bytes, who: str, body: Mapping[str, Any]) -> str:
    """Return our mark under a row that registers a passkey for somebody."""
    return seal(key, _PURPOSE, _sealed(who, body))


def _sealed(who: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"who": who, **{name: body.get(name) for name in _SEALED}}


def _is_ours(entry: Entry, key: bytes) -> bool:
    return is_sealed(key, _PURPOSE, _sealed(entry.actor, entry.body), str(entry.body.get("seal", "")))


def _read(entry: Entry) -> Passkey:
    body = entry.body
    label, count = str(body["label"]), int(body["sign_count"])
    return Passkey(entry.actor, str(body["credential"]), str(body["public_key"]), count, label, entry.time)


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


@dataclass(frozen=True, slots=True)
class Link:
    """
    What an enrolment link allows: one person, until `ends`, one passkey, and one-time codes as `codes` says.

    `new` codes never take the place of others; `replace` may; where it is empty none are made.
    """

    who: str
    nonce: str
    ends: datetime
    codes: Codes

    def write(self, key: bytes) -> str:
        """Return the token that stands in the address."""
        body = {"who": self.who, "nonce": self.nonce, "ends": int(self.ends.timestamp()), "codes": self.codes}
        raw = base64.urlsafe_b64encode(canonical(body).encode()).rstrip(b"=").decode()
        return f"1.{raw}.{seal(key, _LINK, {'said': raw})}"

    @classmethod
    def read(cls, key: bytes, token: str) -> Self | None:
        """Return what a token allows, or None when it is not ours; whether it has run out is for the caller to see."""
        parts = _TOKEN.fullmatch(token)
        # Nothing is decoded before the seal has shown that it is ours.
        if parts is None or not is_sealed(key, _LINK, {"said": parts[1]}, parts[2]):
            return None
        said = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return cls(said["who"], said["nonce"], datetime.fromtimestamp(said["ends"], UTC), said["codes"])


def origin_of(address: str) -> str:
    """Return the origin of an address as browsers write it: without a path, and without the usual port."""
    parts = urlsplit(address.lower())
    port = parts.port if parts.port != _USUAL_PORTS.get(parts.scheme) else None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{parts.scheme}://{host}:{port}" if port else f"{parts.scheme}://{host}"


def relying_party(origin: str) -> str:
    """Return the domain that passkeys of an origin belong to."""
    return urlsplit(origin).hostname or ""


def works_at(address: str) -> bool:
    """Whether browsers use passkeys at an address at all: https, or this machine, and by a name and not a number."""
    parts = urlsplit(address.lower())
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return bool(host) and (parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"))
    return False


def user_handle(who: str) -> bytes:
    """Return what a device knows a person by: the same each time, and no name (WebAuthn, section 14.6.1)."""
    return hashlib.sha256(f"crisis:{who}".encode()).digest()
