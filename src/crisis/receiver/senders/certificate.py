"""Certificate: what is asked of AWS for SNS, its public keys and a confirmation; seldom, and briefly."""

import threading
import time
from collections.abc import Callable, Mapping

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from crisis.clients.http import Api
from crisis.errors import RefusedError, TransientError

__all__ = ["Aws", "Certificates", "is_signed"]

_PATIENCE = 3.0
_REST = 10.0
"""Seconds in which a host that did not answer is not asked again: every delivery would wait for it."""

_ASKED_PER_MINUTE = 20
"""More certificates than AWS has; a stranger who makes up addresses must not make us ask for each."""

_MISSED = 60.0
"""Seconds in which what is no certificate is not asked for again. Not for good: a proxy may have said that, not AWS."""

_HASHES = {"1": SHA1, "2": SHA256}


class Aws:
    """SNS's own hosts, asked without credentials."""

    def __init__(self) -> None:
        self._rests: dict[str, float] = {}

    def get(self, host: str, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """Return the answer; TransientError when there is none now, RefusedError when it is another than 200."""
        if time.monotonic() < self._rests.get(host, 0.0):
            raise TransientError(host, vendor="aws-sns", operation="ask", saw="no answer a moment ago")
        try:
            with Api("aws-sns", f"https://{host}", timeout=_PATIENCE) as api:
                return api.get(path, operation="ask", target=host, params=params or {}).content
        except TransientError:
            self._rests[host] = time.monotonic() + _REST
            raise


class Certificates:
    """The public keys of certificates, each fetched once; what is no certificate is remembered for a while as well."""

    def __init__(self, aws: Aws, clock: Callable[[], float] = time.monotonic) -> None:
        self.aws, self.clock = aws, clock
        # Those that are there are AWS's, and few: no stranger makes us forget one.
        self._keys: dict[tuple[str, str], RSAPublicKey] = {}
        self._missed: dict[tuple[str, str], float] = {}
        self._asked: list[float] = []
        self._lock = threading.Lock()

    def key(self, host: str, path: str) -> RSAPublicKey | None:
        """Return a key, or None where no certificate is; TransientError when that cannot be told now."""
        with self._lock:
            now, place = self.clock(), (host, path)
            self._missed = {one: until for one, until in self._missed.items() if until > now}
            if place not in self._keys and place not in self._missed:
                self._count(host, now)
                key = self._fetch(host, path)
                if key is None:
                    self._missed[place] = now + _MISSED
                else:
                    self._keys[place] = key
            return self._keys.get(place)

    def _count(self, host: str, now: float) -> None:
        self._asked = [moment for moment in self._asked if moment > now - 60]
        if len(self._asked) >= _ASKED_PER_MINUTE:
            raise TransientError(host, vendor="aws-sns", operation="ask", saw="too many certificates asked for")
        self._asked.append(now)

    def _fetch(self, host: str, path: str) -> RSAPublicKey | None:
        try:
            key = x509.load_pem_x509_certificate(self.aws.get(host, path)).public_key()
        except (RefusedError, ValueError):
            return None
        return key if isinstance(key, RSAPublicKey) else None


def is_signed(key: RSAPublicKey, version: str, signature: bytes, text: bytes) -> bool:
    """Say whether a key signed this text, by SNS's version 1 (SHA-1) or 2 (SHA-256)."""
    if version not in _HASHES:
        return False
    try:
        key.verify(signature, text, PKCS1v15(), _HASHES[version]())
    except InvalidSignature:
        return False
    return True
