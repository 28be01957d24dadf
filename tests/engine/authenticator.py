"""A software authenticator: real ES256 keys, WebAuthn's own formats, attestation "none"; and ways to lie."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

__all__ = ["Authenticator"]

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One device with one credential, at one origin. `counter` stays 0 on devices that do not count."""

    origin: str
    party: str
    counter: int = 0
    counts: bool = True
    verifies: bool = True
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def id(self) -> str:
        """The credential's id, as it travels."""
        return bytes_to_base64url(self.credential)

    def make(self, options: Mapping[str, Any], **lies: str) -> str:
        """Answer `navigator.credentials.create()`, as JSON."""
        client = self._client("webauthn.create", options["challenge"], lies)
        length = len(self.credential).to_bytes(2)
        attested = secrets.token_bytes(16) + length + self.credential + self._public_key()
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(_ATTESTED, lies) + attested}
        response = {"clientDataJSON": client, "attestationObject": encode_cbor(attestation)}
        return json.dumps(self._made(response))

    def sign(self, told: Mapping[str, Any], **lies: str) -> str:
        """Answer `navigator.credentials.get()`, put together as the decision page does."""
        client = self._client("webauthn.get", told["publicKey"]["challenge"], lies)
        data = self._data(0, lies)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        made = self._made({"clientDataJSON": client, "authenticatorData": data, "signature": signature})
        return json.dumps({**{name: told[name] for name in ("nonce", "at", "origin", "seal")}, "credential": made})

    def _made(self, response: Mapping[str, bytes]) -> dict[str, Any]:
        texts = {name: bytes_to_base64url(value) for name, value in response.items()}
        return {"id": self.id, "rawId": self.id, "type": "public-key", "response": texts}

    def _client(self, kind: str, challenge: str, lies: Mapping[str, str]) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | {name: lie for name, lie in lies.items() if name in said}).encode()

    def _data(self, flags: int, lies: Mapping[str, str]) -> bytes:
        self.counter += 1 if self.counts else 0
        flags |= _PRESENT | (_VERIFIED if self.verifies else 0)
        party = hashlib.sha256(lies.get("party", self.party).encode()).digest()
        return party + bytes([flags]) + self.counter.to_bytes(4)

    def _public_key(self) -> bytes:
        at = self.key.public_key().public_numbers()
        # RFC 9053, section 7.1: kty EC2, alg ES256, crv P-256, x, y
        return encode_cbor({1: 2, 3: -7, -1: 1, -2: at.x.to_bytes(32), -3: at.y.to_bytes(32)})

    def copy(self) -> "Authenticator":
        """Return a clone of the device, with its key and its counter."""
        return Authenticator(
            self.origin, self.party, self.counter, self.counts, self.verifies, self.credential, self.key
        )

    def recall(self, options: Mapping[str, Any]) -> bool:
        """Whether a request names this credential among those it allows."""
        allowed = [base64url_to_bytes(one["id"]) for one in options["publicKey"]["allowCredentials"]]
        return self.credential in allowed
