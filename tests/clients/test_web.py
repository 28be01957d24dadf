"""The probe does what users do, and says in one line what went wrong."""

import json
import math
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse, Response

from crisis.clients.web import Probe, difference, p95
from crisis.domain.protocol import Answer, Journey, Request
from tests.clients.servers import Vendor

PASSWORD = "shopper-4711"
CHECKOUT: Journey = (
    Request(request="POST /api/login", json={"user": "probe", "password": "env:A_PASSWORD"}),
    Request(
        request="POST /api/checkout",
        json={"items": [{"sku": "mug", "quantity": 1}]},
        headers={"X-Key": "env:A_PASSWORD"},
        answers=Answer(status=201, json={"status": "paid"}),
    ),
)


@pytest.fixture
def shop(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """Let the vendor sell to whoever is logged in."""
    monkeypatch.setenv("A_PASSWORD", PASSWORD)

    def login(_: Asked) -> Response:
        answer = JSONResponse({})
        answer.set_cookie("session", "s1")
        return answer

    def checkout(request: Asked) -> Response:
        paid = request.cookies.get("session") == "s1"
        return JSONResponse({"status": "paid", "id": 1}, 201) if paid else JSONResponse({}, 401)

    vendor.says("POST /api/login", login)
    vendor.says("POST /api/checkout", checkout)
    return vendor


def test_a_journey_shares_one_cookie_jar(shop: Vendor) -> None:
    """The login counts for the checkout, and a reference becomes its secret only on the wire."""
    walk = Probe(shop.url).walk("checkout", CHECKOUT)

    assert (walk.name, walk.ok, walk.saw) == ("checkout", True, "POST /api/checkout answered 201")
    assert walk.seconds > 0
    assert json.loads(shop.bodies("POST /api/login")[0])["password"] == PASSWORD
    assert shop.headers[1]["x-key"] == PASSWORD


def test_the_next_journey_starts_as_a_stranger(shop: Vendor) -> None:
    """Cookies of one walk do not help the next."""
    probe = Probe(shop.url)
    probe.walk("checkout", CHECKOUT)

    assert probe.walk("checkout", CHECKOUT[1:]).saw == "POST /api/checkout answered 401, wanted 201"


def test_a_wrong_status_is_said(shop: Vendor) -> None:
    """The first wrong answer ends the walk."""
    shop.says("POST /api/login", (500, {}))

    walk = Probe(shop.url).walk("checkout", CHECKOUT)

    assert (walk.ok, walk.saw) == (False, "POST /api/login answered 500, wanted 200")
    assert not shop.bodies("POST /api/checkout")


def test_a_wrong_body_is_said_without_a_secret(shop: Vendor) -> None:
    """An answer that echoes a secret does not bring it into the text."""
    shop.says("POST /api/checkout", (201, {"status": f"declined {PASSWORD}"}))

    saw = Probe(shop.url).walk("checkout", CHECKOUT).saw

    assert saw == 'POST /api/checkout answered 201, but status is "declined ***", wanted "paid"'


def test_a_missing_text_is_said(shop: Vendor) -> None:
    """A page without its text is no good answer."""
    shop.says("GET /", "<h1>Oops</h1>")
    front = (Request(request="GET /", answers=Answer(text="Welcome")),)

    assert Probe(shop.url).walk("front", front).saw == 'GET / answered 200 without the text "Welcome"'


def test_nobody_there_is_a_failed_walk(nowhere: str) -> None:
    """A network error is never an exception."""
    probe = Probe(nowhere)

    walk = probe.walk("front", (Request(request="GET /"),))

    assert (walk.ok, walk.saw) == (False, "GET / could not be reached (ConnectError)")
    assert not probe.health("/healthz").ok
    assert probe.page() == (0, "could not be reached (ConnectError)")


def test_silence_is_a_failed_walk(silence: str) -> None:
    """A server that never answers fails the walk after the time-out."""
    walk = Probe(silence, timeout=0.2).walk("front", (Request(request="GET /"),))

    assert walk.saw == "GET / did not answer in 0.2 s"


@pytest.mark.parametrize(
    ("status", "word", "ok"),
    [
        (200, "pass", True),
        (200, "OK", True),
        (200, "Up", True),
        (200, "warn", True),
        (503, "pass", False),
        (200, "fail", False),
        (503, "ERROR", False),
        (200, "down", False),
        (200, "dunno", False),
    ],
)
def test_health_is_what_the_draft_says(vendor: Vendor, status: int, word: str, ok: bool) -> None:
    """Word and status must both be well, in any spelling the draft allows."""
    vendor.says("GET /healthz", (status, {"status": word, "releaseId": "abc123"}))

    health = Probe(vendor.url).health("/healthz")

    assert (health.ok, health.release) == (ok, "abc123")


@pytest.mark.parametrize("body", ["OK", "[1]"])
def test_no_health_document_is_not_healthy(vendor: Vendor, body: str) -> None:
    """Missing data is a failure."""
    vendor.says("GET /healthz", body)

    health = Probe(vendor.url).health("/healthz")

    assert (health.ok, health.saw) == (False, "/healthz answered 200, no known status, release unnamed")


def test_the_bypass_is_for_walks_and_not_for_pages(shop: Vendor) -> None:
    """Walks pass the maintenance page; a page is seen as a stranger sees it."""
    probe = Probe(shop.url, SecretStr("by-pass"))
    shop.says("GET /", (503, "back soon"))

    probe.walk("checkout", CHECKOUT)
    seen = probe.page()

    assert [sent.get("x-maintenance-bypass") for sent in shop.headers] == ["by-pass", "by-pass", None]
    assert seen == (503, "back soon")
    assert "by-pass" not in repr(probe)


@pytest.mark.parametrize(
    ("wanted", "seen", "says"),
    [
        ({}, {"a": 1}, ""),
        ({"a": {"b": [1, {"c": True}]}}, {"a": {"b": [1, {"c": True, "d": 0}]}}, ""),
        ({"a": 1}, {}, "a is missing"),
        ({"a": {"b": 1}}, {"a": {}}, "a.b is missing"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1]}}, "a.b is no list of 2"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "a[0].b is 2, wanted 1"),
        ({"a": True}, {"a": 1}, "a is 1, wanted true"),
        ({"a": 1}, None, "the body is no object"),
    ],
)
def test_the_first_difference_is_named(wanted: Any, seen: Any, says: str) -> None:
    """What an answer lacks is said with its place; more than wanted is no difference."""
    assert difference(wanted, seen) == says


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.1], 0.1), ([float(n) for n in range(1, 21)], 19.0), ([float(n) for n in range(1, 22)], 20.0), ([], math.inf)],
)
def test_p95_is_the_nearest_rank(values: list[float], expected: float) -> None:
    """The percentile is one of the values, and nothing measured is not fast."""
    assert p95(values) == expected
