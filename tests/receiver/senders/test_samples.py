"""Every shared sample: accepted with the right fields, and refused with one byte changed."""

import json
from datetime import datetime, timedelta

import pytest

from crisis.receiver.dispatch import handle
from crisis.receiver.senders.alert import Alert, Message
from crisis.receiver.senders.registry import kind_named, read
from tests.receiver.conftest import CAPTURED, Browser, delivered
from tests.receiver.senders.conftest import SIGNING, WHSEC, Receive
from tests.receiver.senders.expected import SAMPLES, Sample
from tests.receiver.senders.notary import SECRET, Cloud, signed

_NO_DELIVERIES = {
    "alertmanager/retry_timing_observed.json",
    "alertmanager/sequence_flapping_and_prometheus_death.json",  # read in test_alertmanager.py
    "aws-sns/cloudwatch_alarm_message_single_metric.json",  # the inner message alone: read in test_aws_sns.py
    "aws-sns/lambda_go_sns_event_envelope.json",  # what a Lambda gets
    "aws-sns/moto_5_2_5_http_deliveries.json",  # several, whose certificates are gone
}


def sample(name: str) -> bytes:
    """Return a shared sample, or skip by name where it is not."""
    file = CAPTURED / name
    if not file.exists():
        pytest.skip(f"{name} of the captured webhooks is not here")
    return file.read_bytes()


def say(browser: Browser, told: Sample, raw: bytes, proof: dict[str, str]) -> int:
    """Post a sample and return the status of the answer."""
    return browser.send("POST", f"/alerts/{told.kind}", content=raw, headers={**told.headers, **proof}).status_code


def prove(told: Sample, raw: bytes, cloud: Cloud) -> tuple[bytes, dict[str, str]]:
    """Return a body with what proves it; SNS's samples are signed anew, theirs were anonymised."""
    if told.kind == "aws-sns":
        return cloud.sign(json.loads(raw)), {}
    secret = WHSEC if told.kind == "standard-webhooks" else SECRET
    return raw, signed(told.kind, raw, secret) if told.kind in SIGNING else {"X-Crisis-Token": secret}


def test_every_sample_is_expected() -> None:
    """No shared sample goes without its line in the table."""
    if not CAPTURED.exists():
        pytest.skip("the captured webhooks are not here")
    found = {str(file.relative_to(CAPTURED)) for file in CAPTURED.glob("*/*") if file.suffix in (".json", ".raw")}
    raws = {name.removesuffix(".raw") for name in found if name.endswith(".raw")}
    found = {one for one in found if not one.endswith(".headers.json") and one.removesuffix(".json") not in raws}

    assert found - _NO_DELIVERIES == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_is_kept_and_read(name: str, receive: Receive, cloud: Cloud) -> None:
    """A proved sample is answered 202, and what is kept says what the table says."""
    told = SAMPLES[name]
    browser = receive(told.kind, **({"window": timedelta(days=9999)} if told.kind == "aws-sns" else {}))
    raw, proof = prove(told, sample(name), cloud)

    assert say(browser, told, raw, proof) == 202
    (kept,) = delivered(browser.context)
    reading = read(browser.context.protocol, told.kind, kept.raw, kept.headers)
    if told.note:
        assert reading.alerts == ()
        assert told.note in reading.notes[0]
    else:
        assert_read(reading.alerts[0], told)


def assert_read(alert: Alert, told: Sample) -> None:
    """Compare what was read with what was written out by hand."""
    assert (alert.status, alert.fingerprint, alert.severity, alert.service) == (
        told.status,
        told.key,
        told.severity,
        told.service,
    )
    assert alert.starts_at == (datetime.fromisoformat(f"{told.began}Z") if told.began else None)
    assert dict(alert.labels) | told.labels == dict(alert.labels)


@pytest.mark.parametrize("name", SAMPLES)
def test_changed_byte_is_refused(name: str, receive: Receive, cloud: Cloud) -> None:
    """One byte of what is signed, or of the secret that is shown, and nothing is kept."""
    told = SAMPLES[name]
    browser = receive(told.kind, **({"window": timedelta(days=9999)} if told.kind == "aws-sns" else {}))
    raw, proof = prove(told, sample(name), cloud)
    if told.kind in SIGNING:
        raw = raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]
    elif told.kind == "aws-sns":
        raw = raw.replace(b'"MessageId": "', b'"MessageId": "0', 1)
    else:
        proof = {"X-Crisis-Token": SECRET[:-1] + "x"}

    assert say(browser, told, raw, proof) == 401
    assert delivered(browser.context) == []


HANDSHAKE = "aws-sns/subscription_confirmation.json"


@pytest.mark.parametrize("name", [name for name, told in SAMPLES.items() if told.note and name != HANDSHAKE])
def test_unwanted_sample_is_noted(name: str, receive: Receive) -> None:
    """What starts nothing has its reason in the journal."""
    told = SAMPLES[name]
    context = receive(told.kind).context
    headers = {key.lower(): value for key, value in told.headers.items()}
    context.inbox.put("d1", told.kind, sample(name), headers)

    assert handle(context, delivered(context)[0]) == []
    (note,) = context.journal.entries("INBOX")
    assert told.note in note.body["says"]


def test_reading_a_sample_of_sns_needs_no_handshake() -> None:
    """Reading alone fetches nothing: the handshake is done from the inbox."""
    raw = sample(HANDSHAKE)

    assert kind_named("aws-sns").read(Message(raw)).alerts == ()
