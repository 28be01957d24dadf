"""Notary: signs as each sender does, worked out here from their documents and not by the code under test."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from crisis.errors import RefusedError, TransientError
from crisis.receiver.senders.certificate import Aws

__all__ = ["PEM", "SECRET", "TOPIC", "Cloud", "signed"]

SECRET = "the-secret-that-they-sign-with"
TOPIC = "arn:aws:sns:eu-west-1:1234567890:alerta-test"
PEM = "/SimpleNotificationService-6aad65c2f9911b05cd53efda11f913f9.pem"


def _hex(raw: bytes, secret: str, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), raw, algorithm).hexdigest()


def signed(kind: str, raw: bytes, secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    """Return the headers that prove this body, for a kind that signs."""
    stamp = str(int((at or datetime.now(UTC)).timestamp()))
    if kind == "standard-webhooks":
        text = b"msg_1." + stamp.encode() + b"." + raw
        mark = base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), text, "sha256")).decode()
        return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1a,AAAA v1,{mark}"}
    return {
        "github": {"X-Hub-Signature-256": f"sha256={_hex(raw, secret)}"},
        "pagerduty": {"X-PagerDuty-Signature": f"v1={'0' * 64},v1={_hex(raw, secret)}"},
        "sentry": {"Sentry-Hook-Signature": _hex(raw, secret)},
        "vercel": {"x-vercel-signature": _hex(raw, secret, "sha1")},
        "grafana": {"X-Grafana-Alerting-Signature": _hex(raw, secret)},
    }[kind]


@dataclass
class Cloud(Aws):
    """AWS as far as SNS asks of it: one key, one certificate, and a memory of what was asked."""

    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    away: bool = False
    refuses: bool = False
    pem: bytes = b""

    def __post_init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        made = made.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        self.pem = made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def get(self, host: str, path: str, params: Mapping[str, str] | None = None) -> bytes:
        """Answer as AWS would."""
        self.asked.append((host, path, dict(params or {})))
        if self.away:
            raise TransientError(host, vendor="aws-sns", operation="ask", saw="no answer")
        if self.refuses:
            raise RefusedError(host, vendor="aws-sns", operation="ask", saw="404")
        return self.pem

    def sign(self, body: dict[str, Any], version: str = "2") -> bytes:
        """Sign a message as SNS does, with the time of now where it has none."""
        body = {"Timestamp": datetime.now(UTC).isoformat(), **body, "SignatureVersion": version}
        body.setdefault("SigningCertURL", f"https://sns.eu-west-1.amazonaws.com{PEM}")
        names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        left_out = {"SubscribeURL", "Token"} if body["Type"] == "Notification" else {"Subject"}
        text = "".join(f"{name}\n{body[name]}\n" for name in names if name in body and name not in left_out)
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 - what SNS's version 1 is
        mark = self.key.sign(text.encode(), padding.PKCS1v15(), algorithm)
        return json.dumps({**body, "Signature": base64.b64encode(mark).decode()}).encode()


def token_of_statuscake(user: str, key: str) -> str:
    """Return the token of a StatusCake account, as its page about the Web Hook URL says."""
    return hashlib.md5((user.lower() + key).encode()).hexdigest()  # noqa: S324 - theirs
