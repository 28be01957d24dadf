"""An issuer of signed tokens: it publishes its keys, and a service in front verifies by them."""

import base64
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["Issuer"]

_ALGORITHM = ec.ECDSA(hashes.SHA256())


@dataclass
class Issuer:
    """Issuer and verifier; a `stale` one goes on with the keys that it has read."""

    file: Path
    epochs: redis.Redis | None = None
    stale: bool = False
    keys: list[dict[str, str]] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        """Serve it."""
        return Starlette(
            routes=[
                Route("/login", self.login, methods=["POST"]),
                Route("/jwks.json", self.jwks),
                Route("/me", self.me),
                Route("/restart", self.restart, methods=["POST"]),
            ]
        )

    def read(self) -> list[dict[str, str]]:
        """Read the keys, unless stale."""
        if not (self.stale and self.keys):
            self.keys = json.loads(self.file.read_text())["keys"]
        return self.keys

    async def login(self, _: Request) -> Response:
        """Issue a token, signed by the first key."""
        key = self.read()[0]
        head = {"alg": "ES256", "kid": key["kid"]}
        said = f"{_encoded(head)}.{_encoded({'sub': 'canary', 'iat': int(time.time())})}"
        r, s = utils.decode_dss_signature(_private(key).sign(said.encode(), _ALGORITHM))
        return JSONResponse({"token": f"{said}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"})

    async def jwks(self, _: Request) -> Response:
        """Publish the public halves."""
        return JSONResponse({"keys": [{k: v for k, v in one.items() if k != "d"} for one in self.read()]})

    async def me(self, request: Request) -> Response:
        """Show who a token speaks for, if a published key signed it and it is young enough."""
        claims = self.verify(request.headers.get("authorization", "").partition(" ")[2])
        return Response(status_code=401) if claims is None else JSONResponse(claims)

    def verify(self, token: str) -> dict[str, Any] | None:
        """Return a token's claims, or None."""
        head, body, signature = token.split(".")
        key = next((one for one in self.read() if one["kid"] == json.loads(_bytes(head))["kid"]), None)
        if key is None:
            return None
        raw = _bytes(signature)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        try:
            public = _private(key).public_key()
            public.verify(utils.encode_dss_signature(r, s), f"{head}.{body}".encode(), _ALGORITHM)
        except InvalidSignature:
            return None
        claims: dict[str, Any] = json.loads(_bytes(body))
        epoch: Any = self.epochs.get("auth:epoch") if self.epochs else 0
        return claims if claims["iat"] >= int(epoch or 0) else None

    async def restart(self, _: Request) -> Response:
        """Read the keys again."""
        self.keys = []
        return Response(status_code=204)


def _private(key: dict[str, str]) -> ec.EllipticCurvePrivateKey:
    x, y, d = (int.from_bytes(_bytes(key[name]), "big") for name in "xyd")
    return ec.EllipticCurvePrivateNumbers(d, ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())).private_key()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(body: dict[str, Any]) -> str:
    return _base64(json.dumps(body).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
