"""Hostile bodies: whatever is posted, a reader says ValueError or reads something that can be recorded."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crisis.domain.alerting import ALERT_KINDS
from crisis.domain.clock import utc_now
from crisis.domain.entry import canonical
from crisis.receiver.dispatch import handle
from crisis.receiver.senders.alert import Alert, Message
from crisis.receiver.senders.registry import delivery_key, kind_named, read_as
from tests.receiver.conftest import Browser
from tests.receiver.senders.conftest import SIGNING, WHSEC, Receive, rule_of
from tests.receiver.senders.notary import SECRET, TOPIC, Cloud, signed
from tests.receiver.senders.test_readers import FIRING

WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**400,
    1.5,
    "",
    "x" * 5000,
    "\x00\x1b",
    [],
    [[]],
    {},
    {"a": {}},
    [None, 1],
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["x-github-event", "sentry-hook-resource", "ce-type", "ce-specversion", "content-type", "webhook-id"]
    ),
    st.sampled_from(["", "issue", "1.0", "%ff%00", "workflow_run", "application/cloudevents-batch+json"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
RAW = (
    b"", b"{", b"[]", b"null", b"4", b"\xff\xfe\x00", b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 100_000,
    b'{"a":' * 50_000, b'{"a": ' + b"9" * 5000 + b"}", b'{"a": 1e999}', b"a=b&c", b"%ff=%00", b'{"a": 1, "a": 2}',
)  # fmt: skip


def check(kind: str, raw: bytes, headers: dict[str, str]) -> None:
    """Read a body as intake and inbox do; nothing but ValueError may come of it."""
    rule = rule_of(kind)
    notes: tuple[str, ...]
    alerts: tuple[Alert, ...]
    try:
        reading = read_as(kind, rule, raw, headers)
        delivery_key(kind, rule, Message(raw, headers, rule), reading, utc_now())
    except ValueError as error:
        notes, alerts = (str(error),), ()
    else:
        notes, alerts = reading.notes, reading.alerts
    for alert in alerts:
        canonical([dict(alert.labels), dict(alert.annotations), alert.summary, alert.fingerprint]).encode()
        assert alert.status in ("firing", "resolved")
        assert len(alert.summary) <= 500
    assert all(len(note) < 400 for note in notes)


@pytest.mark.parametrize("kind", ALERT_KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=JSON, headers=HEADERS)
def test_any_json_is_read_or_refused(kind: str, body: Any, headers: dict[str, str]) -> None:
    """Any JSON at all."""
    check(kind, json.dumps(body).encode(), headers)


@pytest.mark.parametrize("kind", ALERT_KINDS)
@settings(max_examples=60, deadline=None)
@given(raw=st.binary(max_size=200), headers=HEADERS)
def test_any_bytes_are_read_or_refused(kind: str, raw: bytes, headers: dict[str, str]) -> None:
    """Any bytes at all."""
    check(kind, raw, headers)


@pytest.mark.parametrize("kind", ALERT_KINDS)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_change_of_a_good_body_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    """A good body with one value changed into anything, which gets further than noise does."""
    body, headers, *_ = FIRING[kind]
    places = list(_places(body))
    where = data.draw(st.sampled_from(places))
    check(kind, json.dumps(_changed(body, where, data.draw(JSON))).encode(), headers)


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_wrong_type_in_every_field_does_no_harm(kind: str) -> None:
    """Each field of a good body in turn is everything that it should not be."""
    body, headers, *_ = FIRING[kind]
    for where in _places(body):
        for wrong in WRONG:
            check(kind, json.dumps(_changed(body, where, wrong)).encode(), headers)


@pytest.mark.parametrize("kind", ALERT_KINDS)
def test_hostile_body_is_never_our_fault(kind: str, receive: Receive, cloud: Cloud) -> None:
    """Over the wire, proved: 202 or 400, and what was kept can be dispatched."""
    browser = receive(kind)
    for raw in RAW:
        if kind == "aws-sns":
            message = {
                "Type": "Notification",
                "TopicArn": TOPIC,
                "MessageId": str(len(raw)),
                "Message": raw.decode("latin-1"),
            }
            raw = cloud.sign(message)  # noqa: PLW2901
            headers: dict[str, str] = {}
        elif kind in SIGNING:
            headers = signed(kind, raw, WHSEC if kind == "standard-webhooks" else SECRET)
        else:
            headers = {"X-Crisis-Token": SECRET}
        assert browser.send("POST", f"/alerts/{kind}", content=raw, headers=headers).status_code in (202, 400)

    for kept in browser.context.inbox.new():
        handle(browser.context, kept)


@pytest.mark.parametrize("name", ["x-github-event", "sentry-hook-resource", "ce-type", "content-type", "ce-id"])
def test_hostile_headers_are_never_our_fault(name: str, receive: Receive) -> None:
    """Headers that say what a body is may say anything."""
    for kind in ("github", "sentry", "cloudevents"):
        browser: Browser = receive(kind)
        for value in (b"", b"\xff\xfe", b"x" * 8000, b"%00%ff%", b"1.0"):
            proof = signed(kind, b"{}") if kind in SIGNING else {"X-Crisis-Token": SECRET}
            headers: Any = {**proof, name: value}
            assert browser.send("POST", f"/alerts/{kind}", content=b"{}", headers=headers).status_code in (202, 400)


def test_compressed_body_is_refused(receive: Receive) -> None:
    """What we would have to unpack is answered 415, once its sender is proved."""
    headers = {"X-Crisis-Token": SECRET, "Content-Encoding": "gzip"}
    browser = receive("opsgenie")

    assert browser.send("POST", "/alerts/opsgenie", content=b"\x1f\x8b", headers=headers).status_code == 415
    headers["X-Crisis-Token"] = "other"
    assert browser.send("POST", "/alerts/opsgenie", content=b"\x1f\x8b", headers=headers).status_code == 401


def test_every_kind_says_how_it_is_read() -> None:
    """Each name of the protocol has its file."""
    assert all(callable(kind_named(name).read) for name in ALERT_KINDS)


def _places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [where] * bool(where) + [place for key, below in pairs for place in _places(below, (*where, key))]


def _changed(value: Any, where: tuple[Any, ...], new: Any) -> Any:
    if not where:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[where[0]] = _changed(value[where[0]], where[1:], new)
    return copy
