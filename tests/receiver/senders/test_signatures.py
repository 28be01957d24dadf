"""How each sender proves itself: the shared vectors, rotation, stale times, replays, and what does not count."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crisis.domain.alerting import AlertSender
from crisis.receiver.authenticity import is_signed
from crisis.receiver.context import Context
from crisis.receiver.senders.proof import Offer
from crisis.receiver.senders.registry import kind_named
from tests.receiver.conftest import CAPTURED, Browser, delivered
from tests.receiver.senders.conftest import SIGNING, WHSEC, Receive, rule_of
from tests.receiver.senders.notary import SECRET, signed, token_of_statuscake

OLD = datetime.fromtimestamp(1_700_000_000, UTC)
BODIES = {
    "pagerduty": b'{"event": {"id": "E1", "event_type": "incident.triggered", "data": {"id": "P1"}}}',
    "standard-webhooks": b'{"type": "check.failed", "data": {"id": "c1", "status": "down"}}',
    "grafana": b'{"alerts": [{"status": "firing", "labels": {"alertname": "A"}, "fingerprint": "f1"}]}',
}


def post(browser: Browser, kind: str, raw: bytes, headers: dict[str, str]) -> int:
    """Post a body and return the status of the answer."""
    return browser.send("POST", f"/alerts/{kind}", content=raw, headers=headers).status_code


def body_of(kind: str) -> bytes:
    """Return a small body of a kind."""
    return BODIES.get(kind, b'{"action": "created", "type": "other"}')


def offer(raw: bytes, secret: str, *headers: tuple[str, str], now: datetime = OLD) -> Offer:
    """Return a request as the proof of a sender sees it."""
    return Offer(headers, raw, [secret.encode()], now)


def proves(kind: str, shown: Offer) -> bool:
    """Say whether this request proves a sender of this kind."""
    check = kind_named(kind).proves
    assert check is not None
    return check(shown)


def test_documented_vector_of_github_holds() -> None:
    """What GitHub's own documentation works out is accepted, and nothing near it."""
    mark = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    secret, body = "It's a Secret to Everybody", b"Hello, World!"

    assert proves("github", offer(body, secret, ("X-Hub-Signature-256", mark)))
    assert not proves("github", offer(body + b" ", secret, ("X-Hub-Signature-256", mark)))
    assert not proves("github", offer(body, secret, ("X-Hub-Signature-256", mark[7:])))
    assert not proves("github", offer(body, secret, ("X-Hub-Signature", mark)))


def test_standard_vector_holds() -> None:
    """The vector of a fixed key, id, time and body is accepted at its time."""
    body = b'{"type":"example.event","timestamp":"2022-11-03T20:26:10.344522Z","data":{"foo":"bar","fizzbuzz":2}}'
    headers = (
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", "v1,r6EaO/9rl4oXmExatVz3kCr9GbB/1v/xfu++F6QlfA0="),
    )

    assert proves("standard-webhooks", offer(body, WHSEC, *headers))
    assert proves("standard-webhooks", offer(body, WHSEC.removeprefix("whsec_"), *headers))
    assert not proves("standard-webhooks", offer(body, "whsec_%%%", *headers))
    assert not proves("standard-webhooks", offer(body, WHSEC, *headers, now=OLD + timedelta(minutes=6)))
    assert not proves("standard-webhooks", offer(body, WHSEC, *headers[1:]))


def vectors() -> dict[str, Any]:
    """Read the shared vectors; none where they are not."""
    file = CAPTURED / "signature_vectors.json"
    return json.loads(file.read_bytes()) if file.exists() else {}


@pytest.mark.parametrize(
    "name", ["github", "pagerduty", "sentry", "grafana_no_timestamp", "grafana_with_timestamp", "vercel"]
)
def test_shared_vector_holds(name: str) -> None:
    """Each shared vector is accepted as it stands, and with one byte changed it is not."""
    found = vectors().get(name)
    if found is None:
        pytest.skip(f"signature_vectors.json ({name}) of the captured webhooks is not here")
    raw = found["body"].encode() if "body" in found else Path(CAPTURED / found["body_file"]).read_bytes()
    headers = [(found["header"], found["value"])]
    headers += [("X-Grafana-Alerting-Timestamp", found["timestamp"])] if "timestamp" in found else []
    kind = name.partition("_")[0]

    assert proves(kind, offer(raw, found["secret"], *headers))
    assert not proves(kind, offer(raw[:-1] + bytes([raw[-1] ^ 1]), found["secret"], *headers))
    assert not proves(kind, offer(raw, found["secret"] + "x", *headers))


@pytest.mark.parametrize("kind", SIGNING)
def test_both_secrets_count_while_they_are_rotated(
    kind: str, receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old and new secret are accepted together; one that is not set locks nobody out, and proves nobody."""
    old, new = (WHSEC, "whsec_bmV3LXNlY3JldC0xMjM0") if kind == "standard-webhooks" else (SECRET, "the-new-secret-1")
    browser = receive(kind, secret=["env:NOT_SET_HERE", "env:THEIR_SECRET", "env:THE_NEW_ONE"])
    monkeypatch.setenv("THE_NEW_ONE", new)
    raw = body_of(kind)

    assert post(browser, kind, raw, signed(kind, raw, old)) == 202
    assert post(browser, kind, raw, signed(kind, raw, new)) == 202
    assert post(browser, kind, raw, signed(kind, raw, "whsec_AAAA" if kind == "standard-webhooks" else "other")) == 401
    if kind != "standard-webhooks":
        assert post(browser, kind, raw, signed(kind, raw, "")) == 401


@pytest.mark.parametrize("kind", SIGNING)
@pytest.mark.parametrize("hostile", ["", "v1=", "sha256=", "v1,", "\xff" * 40, "a," * 5000, " , ,", "v1,%%% v1,"])
def test_hostile_signature_is_refused(kind: str, hostile: str, receive: Receive) -> None:
    """Whatever stands where the signature belongs, the answer is 401."""
    raw = body_of(kind)
    good = signed(kind, raw, WHSEC if kind == "standard-webhooks" else SECRET)
    headers: Any = {name: hostile.encode("latin-1") if "ignature" in name else value for name, value in good.items()}

    assert post(receive(kind), kind, raw, headers) == 401


@pytest.mark.parametrize("kind", SIGNING)
def test_two_signature_headers_prove_nothing(kind: str, receive: Receive) -> None:
    """A header that stands there twice is one too many, even when both are right."""
    raw = body_of(kind)
    pairs = [*signed(kind, raw, WHSEC if kind == "standard-webhooks" else SECRET).items()]
    doubled = [*pairs, *(pair for pair in pairs if "ignature" in pair[0])]

    assert receive(kind).send("POST", f"/alerts/{kind}", content=raw, headers=doubled).status_code == 401


@pytest.mark.parametrize("minutes", [-6, 6])
def test_stale_time_is_refused(minutes: float, receive: Receive) -> None:
    """A signed time outside the window is refused, whichever way; a wider window takes it."""
    kind, raw = "standard-webhooks", body_of("standard-webhooks")
    headers = signed(kind, raw, WHSEC, datetime.now(UTC) + timedelta(minutes=minutes))

    assert post(receive(kind), kind, raw, headers) == 401
    assert post(receive(kind, window="10m"), kind, raw, headers) == 202


@pytest.mark.parametrize("stamp", ["", "soon", "1e9", "-5", "9" * 400, "\u0661\u0667", "1700000000.0"])
def test_hostile_time_is_refused(stamp: str) -> None:
    """What is no whole number of seconds is no time."""
    assert not proves("standard-webhooks", offer(b"{}", WHSEC, ("webhook-id", "m"), ("webhook-timestamp", stamp)))
    assert not proves("grafana", offer(b"{}", SECRET, ("X-Grafana-Alerting-Timestamp", stamp)))


def test_grafana_without_a_time_cannot_be_made_of_one_with(context: Context) -> None:
    """Taking the header with the time away, and putting it before the body, makes no delivery."""
    raw = b'1700000000:{"alerts": []}'
    rule = rule_of("grafana")
    protocol = context.protocol.model_copy(update={"alerts": {"grafana": rule}})
    browser = Browser(context)
    browser.context.__dict__["protocol"] = protocol

    assert post(browser, "grafana", raw, signed("grafana", raw)) in (400, 401)


def test_grafana_repeat_with_a_time_of_its_own_is_heard(receive: Receive) -> None:
    """The same words signed at another moment are a repeat; signed at the same one, or at none, they are a replay."""
    browser, raw = receive("grafana"), body_of("grafana")
    now = int(datetime.now(UTC).timestamp())
    for stamp in (str(now), str(now - 60), str(now)):
        mark = hmac.new(SECRET.encode(), f"{stamp}:".encode() + raw, "sha256").hexdigest()
        headers = {"X-Grafana-Alerting-Signature": mark, "X-Grafana-Alerting-Timestamp": stamp}
        assert post(browser, "grafana", raw, headers) == 202
    for _ in range(2):
        assert post(browser, "grafana", raw, signed("grafana", raw)) == 202

    assert len(delivered(browser.context)) == 3


@pytest.mark.parametrize("kind", ["github", "pagerduty", "sentry", "vercel"])
def test_replay_is_one_delivery(kind: str, receive: Receive) -> None:
    """What was captured and is sent again is answered 202, and is not kept again, whatever its free headers say."""
    browser, raw = receive(kind), body_of(kind)
    for number in range(3):
        headers = signed(kind, raw) | {"X-GitHub-Delivery": f"d{number}", "Request-ID": f"r{number}"}
        assert post(browser, kind, raw, headers) == 202

    assert len(delivered(browser.context)) == 1


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        (
            "pagerduty",
            {"event": {"id": "E1", "event_type": "incident.triggered"}},
            {"event": {"event_type": "incident.triggered", "id": "E1"}},
        ),
        ("vercel", {"id": "e1", "type": "deployment.error"}, {"id": "e1", "type": "deployment.error", "more": 1}),
    ],
)
def test_number_of_the_sender_makes_one_delivery(
    kind: str, first: dict[str, Any], second: dict[str, Any], receive: Receive
) -> None:
    """Where the sender's own number is signed, it names the delivery, even if the bytes differ."""
    browser = receive(kind)
    for one in (first, second):
        raw = json.dumps(one).encode()
        assert post(browser, kind, raw, signed(kind, raw)) == 202

    assert len(delivered(browser.context)) == 1


def test_standard_id_makes_one_delivery(receive: Receive) -> None:
    """The signed id is the delivery's name."""
    browser = receive("standard-webhooks")
    for raw in (body_of("standard-webhooks"), b'{"type": "other"}'):
        assert post(browser, "standard-webhooks", raw, signed("standard-webhooks", raw, WHSEC)) == 202

    assert len(delivered(browser.context)) == 1


def test_same_words_of_a_later_outage_are_a_new_delivery(receive: Receive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that says neither time nor number uses the same words for the next outage: that one counts too."""
    raw, header = b'{"alertType": "1", "monitorID": "7"}', {"X-Crisis-Token": SECRET}
    browser, moment = receive("uptimerobot"), datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
    for minutes in (0, 1, 61):
        monkeypatch.setattr("crisis.receiver.intake.utc_now", lambda: moment + timedelta(minutes=minutes))  # noqa: B023
        assert post(browser, "uptimerobot", raw, header) == 202

    assert len(delivered(browser.context)) == 2


def test_token_beside_a_signature_is_no_help(receive: Receive) -> None:
    """Where a signature is due, a bearer token that fits does not replace it."""
    rule = AlertSender(kind="github", secret=("env:THEIR_SECRET",), bearer=("env:THEIR_SECRET",))

    assert post(receive("github", rule), "github", b"{}", {"Authorization": f"Bearer {SECRET}"}) == 401


def test_signing_kind_without_a_secret_proves_nobody(receive: Receive) -> None:
    """A protocol built by hand that forgot the secret lets nobody in."""
    shown = receive("github", AlertSender(kind="github", bearer=("env:THEIR_SECRET",)))
    assert post(shown, "github", b"{}", {"Authorization": f"Bearer {SECRET}"}) == 401
    browser = receive("github", AlertSender(kind="github", secret=("env:NOT_SET_HERE",)))

    assert post(browser, "github", b"{}", signed("github", b"{}", "")) == 401
    assert not is_signed(browser.context.protocol, "github", [], b"{}")


def test_own_header_proves(receive: Receive) -> None:
    """A header of the sender's own counts when it is there once and right."""
    browser, raw = receive("opsgenie"), b'{"action": "Create", "alert": {"alias": "a"}}'

    assert post(browser, "opsgenie", raw, {"x-crisis-token": SECRET}) == 202
    assert post(browser, "opsgenie", raw, {"x-crisis-token": "other"}) == 401
    assert post(browser, "opsgenie", raw, {}) == 401
    twice = [("x-crisis-token", SECRET), ("x-crisis-token", SECRET)]
    assert browser.send("POST", "/alerts/opsgenie", content=raw, headers=twice).status_code == 401


def test_secret_in_the_address_proves(receive: Receive) -> None:
    """The last part of the address counts where protocol.yaml says so, and nowhere else."""
    rule = AlertSender(kind="azure-monitor", url_secret="env:THEIR_SECRET")
    browser = receive("azure-monitor", rule)

    assert post(browser, f"azure-monitor/{SECRET}", b"{}", {}) == 202
    for wrong in ("azure-monitor/other", "azure-monitor", "azure-monitor/", f"nobody/{SECRET}", "azure-monitor/%ff%00"):
        assert post(browser, wrong, b"{}", {}) in (401, 404, 307)
    assert post(receive("opsgenie"), f"opsgenie/{SECRET}", b"{}", {}) == 401


def test_token_of_statuscake_proves(receive: Receive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token in the form counts, in either case; a form without it, or no form, does not."""
    token = token_of_statuscake("Ada", "key")
    browser = receive("statuscake", AlertSender(kind="statuscake", secret=("env:STATUSCAKE",)))
    monkeypatch.setenv("STATUSCAKE", token)
    form = f"Token={token}&Status=Down&Name=shop&URL=https%3A%2F%2Fshop.example".encode()

    assert post(browser, "statuscake", form, {}) == 202
    assert post(browser, "statuscake", form.upper().replace(b"TOKEN", b"Token"), {}) == 202
    for wrong in (b"", b"Token=", b"Token=x&Status=Down", b"\xff\xfe", b"Token", b"{"):
        assert post(browser, "statuscake", wrong, {}) == 401
