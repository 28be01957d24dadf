"""Schemathesis against every route, in this process and over a real socket: no 5xx, no hang, no secret, no trace."""

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.surface import Surface
from tests.receiver.senders.conftest import SIGNING, WHSEC
from tests.receiver.senders.notary import SECRET, signed
from tests.receiver.test_telephone import independent

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
requests = pytest.importorskip("requests")

_ALERTS = {202, 400, 401, 403, 404, 405, 413, 415, 422}
_PATIENCE = 5.0
_EXAMPLES, _MANY = 4, 400
"""Requests for each operation, and with --long."""

Send = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def here(surface: Surface) -> Iterator[Send]:
    """Ask the web front in this process."""
    transport = httpx.ASGITransport(surface.app, raise_app_exceptions=False)
    with asyncio.Runner() as loop:
        client = httpx.AsyncClient(transport=transport)
        yield lambda request: loop.run(_within(client, request))
        loop.run(client.aclose())


@pytest.fixture
def far(port: int) -> Iterator[Send]:
    """Ask the web front over a socket."""
    with httpx.Client(trust_env=False, timeout=_PATIENCE) as client:

        def send(request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_with(host="127.0.0.1", port=port)
            return client.send(request)

        yield send


@pytest.mark.timeout(3600)  # with --long
@pytest.mark.parametrize("known", [False, True], ids=["stranger", "known"])
@pytest.mark.parametrize("way", ["here", "far"])
def test_no_request_is_our_fault(
    way: str, known: bool, surface: Surface, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is asked, by a stranger or by somebody who proves who they are."""
    caplog.set_level(logging.DEBUG, "crisis")
    examples = _MANY if request.config.getoption("--long") else _EXAMPLES
    seen = fuzz(surface, request.getfixturevalue(way), examples, known)

    logged = [one.getMessage() + str(one.__dict__) for one in caplog.records if one.name.startswith("crisis")]
    assert not _told(surface, "".join(logged))
    assert seen >= ({200, 202, 400} if known else {200, 401, 403})


def fuzz(surface: Surface, send: Send, examples: int, known: bool) -> set[int]:
    """Send what schemathesis makes of each operation; return the statuses of the answers."""
    session = surface.session if known else ""
    seen = set[int]()
    for found in schemathesis.openapi.from_dict(surface.openapi).get_all_operations():

        def ask(case: Any) -> None:
            request = request_of(case, surface.context.settings.address, session)
            began = time.monotonic()
            try:
                answer = send(request)
            except httpx.InvalidURL:
                return  # which no client sends
            check(surface, request, answer, time.monotonic() - began)
            seen.add(answer.status_code)

        bounds = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seed(1)(bounds(given(case=found.ok().as_strategy())(ask)))()
    return seen


def request_of(case: Any, address: str, session: str) -> httpx.Request:
    """Return a case as a request, proved where it is somebody known who asks."""
    told = case.as_transport_kwargs(base_url=address)
    names = ("method", "url", "headers", "params", "data", "json", "cookies", "files")
    ready = requests.Request(**{name: told[name] for name in names if told.get(name) is not None}).prepare()
    body = ready.body.encode("utf-8", "replace") if isinstance(ready.body, str) else ready.body or b""
    left_out = ("content-length", *(("cookie",) if session else ()))
    pairs = [(name, value) for name, value in ready.headers.items() if name.lower() not in left_out]
    pairs += _proofs(address, urlsplit(ready.url).path, body, session) if session else []
    headers = [(_bytes(name), _bytes(value)) for name, value in pairs]
    return httpx.Request(ready.method, ready.url, headers=headers, content=body)


def _proofs(address: str, path: str, body: bytes, session: str) -> list[tuple[str, str]]:
    kind = path.split("/")[2] if path.startswith("/alerts/") else ""
    proof = signed(kind, body, WHSEC if kind == "standard-webhooks" else SECRET) if kind in SIGNING else {}
    if path == "/slack/actions":
        stamp = str(int(time.time()))
        mark = hmac.digest(SECRET.encode(), f"v0:{stamp}:".encode() + body, "sha256").hex()
        proof = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={mark}"}
    if path.startswith("/twilio/"):
        told = parse_qs(body.decode("latin-1"), keep_blank_values=True)
        proof = {"X-Twilio-Signature": independent(SECRET, f"{address}{path}", told)}
    return [("Cookie", session), ("X-Crisis-Token", SECRET), *proof.items()]


def check(surface: Surface, request: httpx.Request, answer: httpx.Response, took: float) -> None:
    """Check one answer."""
    asked = f"{request.method} {request.url.raw_path[:120]!r}: {answer.status_code} after {took:.1f} s"
    # /readyz tells the truth: here is nobody who looks at the inbox.
    later = answer.status_code == 503 and ("retry-after" in answer.headers or request.url.path == "/readyz")
    assert took < _PATIENCE, asked
    assert answer.status_code < 500 or later, asked
    if request.url.path.startswith("/alerts/") and not later:
        assert answer.status_code in _ALERTS, asked
    assert "Traceback" not in answer.text, asked
    assert not _told(surface, f"{answer.headers}{answer.text}"), asked


async def _within(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    async with asyncio.timeout(_PATIENCE):
        return await client.send(request)


def _told(surface: Surface, text: str) -> list[str]:
    return [f"secret {number}" for number, one in enumerate(surface.secrets) if one in text]


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1", "replace")
