"""Seeds: good deliveries of each kind, signed where it signs: the shared samples, where they are, and our own."""

import json
from typing import Any
from urllib.parse import urlencode

from tests.fuzz.wire import joined
from tests.receiver.conftest import CAPTURED
from tests.receiver.senders.conftest import SIGNING, WHSEC
from tests.receiver.senders.expected import SAMPLES
from tests.receiver.senders.notary import SECRET, TOPIC, Cloud, signed
from tests.receiver.senders.test_hostile import RAW
from tests.receiver.senders.test_readers import FIRING, NOTHING

__all__ = ["seeds_of"]


def seeds_of(kind: str, cloud: Cloud) -> list[bytes]:
    """Return the inputs that fuzzing a kind begins with."""
    body, headers, *_ = FIRING[kind]
    told: list[tuple[dict[str, str], bytes]] = [(headers, json.dumps(body).encode())]
    told += [(more, json.dumps(one).encode()) for name, one, more, _ in NOTHING if name == kind]
    told += [(one.headers, raw) for name, one in SAMPLES.items() if one.kind == kind and (raw := _sample(name))]
    if kind in ("statuscake", "uptimerobot"):
        told += [(headers, urlencode(body).encode())]
    if kind == "cloudevents":
        told += [({"content-type": "application/cloudevents-batch+json"}, json.dumps([body, body]).encode())]
        told += [({"ce-type": "t", "ce-specversion": "1.0", "ce-id": "%31", "ce-source": "s"}, b'{"status": "down"}')]
    if kind == "aws-sns":
        told += [({}, _sns(body, cloud)) for body in _notices(body)]
    told += [({}, raw) for raw in RAW if len(raw) < 1000]
    return [joined({**headers, **_proof(kind, raw)}, raw) for headers, raw in told]


def _sample(name: str) -> bytes:
    file = CAPTURED / name
    return file.read_bytes() if file.exists() else b""


def _proof(kind: str, raw: bytes) -> dict[str, str]:
    return signed(kind, raw, WHSEC if kind == "standard-webhooks" else SECRET) if kind in SIGNING else {}


def _notices(body: dict[str, Any]) -> list[dict[str, Any]]:
    confirmation = {"Type": "SubscriptionConfirmation", "Message": "you have chosen to subscribe", "Token": "2336412f"}
    event = json.dumps(FIRING["aws-eventbridge"][0])
    inside = [{**body, "Message": event}, body, {**confirmation, "SubscribeURL": "https://sns.example/?x"}]
    return [{**one, "TopicArn": TOPIC, "MessageId": str(number)} for number, one in enumerate(inside)]


def _sns(body: dict[str, Any], cloud: Cloud) -> bytes:
    return cloud.sign(body)
