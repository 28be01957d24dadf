"""Leak: what somebody pasted, recognised by its look. The strings themselves are never shown and never kept."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from typing import NoReturn

from pydantic import ConfigDict, Field, SecretStr

from crisis.domain.model import Strict
from crisis.domain.seal import seal
from crisis.domain.sighting import Sighting, is_random, sightings

__all__ = ["Leaked", "fingerprint", "fingerprint_key", "public_name", "recognise"]

_SHOWN = 16
_LONGEST_BARE = 1024
_FINGERPRINT = re.compile(rf"hmac:[0-9a-f]{{{_SHOWN}}}")


class Leaked(Strict):
    """
    One credential that leaked: its kind, the system it probably belongs to, and its public name.

    `name` is the key id where the format has one, and otherwise a fingerprint. `secret` shows in no representation,
    JSON or error, and the whole cannot be pickled; it is None where only the public name was pasted. `checked` says
    whether its checksum fits: where it does not, the string is mistyped or an example, and is treated as leaked anyway.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: str
    system: str = ""
    name: str
    secret: SecretStr | None = Field(default=None, exclude=True, repr=False)
    checked: bool | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError("what leaked is not written anywhere")

    @property
    def says(self) -> str:
        """What it is, in a few words that hold no secret."""
        return f"{self.kind} {self.name}{'; its checksum does not fit' if self.checked is False else ''}"


def fingerprint(key: bytes, secret: str) -> str:
    """
    Return a name for a secret: HMAC-SHA256 with the incident's own key, 16 hex digits after `hmac:`.

    A bare hash would be reversed for a short secret, and would name it alike for everybody. The key must not be
    empty: ValueError.
    """
    if not key:
        raise ValueError("a fingerprint needs the key of its incident")
    mark = hmac.new(key, b"leak\0" + secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    return f"hmac:{mark[:_SHOWN]}"


def fingerprint_key(signing_key: bytes, incident: str) -> bytes:
    """Return the key by which an incident's fingerprints are made."""
    return seal(signing_key, "fingerprints", {"incident": incident}).encode()


def recognise(text: str, key: bytes) -> tuple[Leaked, ...]:
    """
    Say what credentials stand in a text: one string, a file of variables, a JSON, a log; each of them once.

    `key` is the incident's own, for fingerprints. A single string of no known look counts as an unknown secret.
    """
    found = [_leaked(text, one, key) for one in sightings(text)]
    bare = text.strip()
    if not found and len(bare) <= _LONGEST_BARE and len(bare.split()) == 1 and is_random(bare):
        found = [Leaked(kind="unknown secret", name=fingerprint(key, bare), secret=SecretStr(bare))]
    return tuple(_once(found))


def public_name(text: str, key: bytes) -> str:
    """
    Return a name as it is, unless it is a secret that somebody gave instead: then its fingerprint.

    A fingerprint stays as it is: the run may start again with what was kept of its parameters.
    """
    if _FINGERPRINT.fullmatch(text):
        return text
    found = [one.name for one in recognise(text, key) if one.secret is not None]
    return " ".join(found) if found else text


def _leaked(text: str, one: Sighting, key: bytes) -> Leaked:
    name = text[one.name_start : one.name_end]
    if one.public:
        return Leaked(kind=one.kind, system=one.system, name=name)
    secret = _unescaped(text[one.start : one.end])
    # A user's name in an address is no name of a key: many share it.
    known = name if name and one.kind != "password in an address" else fingerprint(key, secret)
    return Leaked(kind=one.kind, system=one.system, name=known, secret=SecretStr(secret), checked=one.checked)


def _unescaped(value: str) -> str:
    """Read what JSON has escaped; a private key keeps its lines."""
    if "\\" not in value:
        return value
    try:
        read = json.loads(f'"{value}"')
    except ValueError:
        return value
    return str(read)


def _once(found: Iterable[Leaked]) -> Iterable[Leaked]:
    seen = dict[str, Leaked]()
    for one in found:
        before = seen.get(one.name)
        if before is None or (before.secret is None and one.secret is not None):
            seen[one.name] = one
    return seen.values()
