"""Odd HTTP over a raw socket: what lies about its length, comes in drops, or names what is not there."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from crisis.domain.alerting import ALERT_KINDS
from tests.fuzz.surface import Surface
from tests.receiver.payloads import delivery
from tests.receiver.senders.notary import SECRET

_PROOF = f"X-Crisis-Token: {SECRET}\r\n".encode()
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_ODD: dict[str, tuple[bytes, set[int]]] = {
    "two lengths": (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", {400}),
    "length and chunks": (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        {400},
    ),
    "chunks twice": (b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", {202, 400}),
    "chunks in disguise": (b"Transfer-Encoding: xchunked\r\n\r\n{}", {400}),
    "no chunk": (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", {400}),
    "endless chunk": (b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}", {400}),
    "negative chunk": (b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", {400}),
    "extension of a chunk": (b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n", {202, 400}),
    "negative length": (b"Content-Length: -1\r\n\r\n{}", {400}),
    "length in words": (b"Content-Length: two\r\n\r\n{}", {400}),
    "length of nines": (b"Content-Length: 99999999999999999999999\r\n\r\n{}", {400, 413}),
    "more than we take": (b"Content-Length: 5242881\r\n\r\n{}", {413}),
    "plus": (b"Content-Length: +2\r\n\r\n{}", {400}),
    "line folded": (b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}", {202, 400}),
    "blank before the colon": (b"Content-Length : 2\r\n\r\n{}", {400}),
    "no name": (b": x\r\nContent-Length: 2\r\n\r\n{}", {400}),
    "zero in a value": (b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}", {400}),
    "bare line feeds": (b"X-A: a\nContent-Length: 2\n\n{}", {202, 400}),
    "continue, please": (b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", {202, 400}),
    "upgrade": (b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}", {202, 400, 426}),
    "two hosts": (b"Host: evil.test\r\nContent-Length: 2\r\n\r\n{}", {202, 400}),
}
_PATHS = (
    b"/alerts/%00", b"/alerts/..%2f..%2fetc%2fpasswd", b"/alerts/../metrics", b"/alerts//", b"/alerts/%ff%fe",
    b"/alerts/", b"/alerts/opsgenie/%00%0d%0aX: y", b"/alerts/opsgenie/" + b"a" * 8000, b"//alerts/opsgenie",
    b"/%2e%2e/%2e%2e/etc/passwd", b"/alerts/opsgenie%2f..%2fgithub", b"/alerts/opsgenie?a=%00", b"/decide/%00/%00/%00",
    b"/in/%00", b"/inbox/%00", b"*", b"http://evil.test/alerts/opsgenie", b"/incidents/%f0%9f%98%80/live",
)  # fmt: skip


def say(port: int, *pieces: bytes, patience: float = 10.0) -> bytes:
    """Send pieces and return what is answered until the server hangs up."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            while more := connection.recv(65536):
                answer += more
        except ConnectionError:
            pass
    return answer


def statuses(answer: bytes) -> list[int]:
    """Return the status of each answer, without those that say to go on."""
    return [int(status) for status in _STATUS.findall(answer) if status != b"100"]


def test_odd_request_has_one_answer(port: int, surface: Surface) -> None:
    """Whatever a request says of its length, there is one answer and nothing behind it is taken for a request."""
    for name, (rest, expected) in _ODD.items():
        began = time.monotonic()
        answer = say(port, b"POST /alerts/opsgenie HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + _PROOF + rest)
        found = statuses(answer)

        assert len(found) == 1, name
        assert found[0] in expected, name
        assert time.monotonic() - began < 5, name
        assert SECRET.encode() not in answer
    assert {one.raw for one in surface.context.inbox.new()} <= {b"{}", delivery()}


def test_odd_path_is_found_nowhere(port: int) -> None:
    """A path with zeros, dots, half letters or another host in it is no door, by no method."""
    for method in (b"GET", b"POST", b"PUT", b"CONNECT", b"TRACE", b"OPTIONS", b"M-SEARCH"):
        for path in _PATHS:
            head = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            answer = say(port, method + b" " + path + head)

            assert statuses(answer)[0] in {307, 400, 401, 403, 404, 405}, (method, path)
            assert b"root:" not in answer


def test_body_that_is_cut_off_is_no_delivery(port: int, surface: Surface) -> None:
    """Who promises a hundred bytes and hangs up after two has delivered nothing."""
    head = b"POST /alerts/opsgenie HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n" + _PROOF + b"\r\n{}"

    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(head)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        assert client.get("/healthz").status_code == 200

    assert [one.raw for one in surface.context.inbox.new()] == [delivery()]


@contextmanager
def held_up(port: int, how_many: int, kind: str) -> Iterator[None]:
    """Keep connections open that each have sent the beginning of a body, and a drop more now and then."""
    head = f"POST /alerts/{kind} HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n".encode() + _PROOF + b"\r\n{"
    with ExitStack() as kept:
        for _ in range(how_many):
            one = kept.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            one.sendall(head)
        yield


@pytest.mark.parametrize("kind", ["opsgenie", "github"])
def test_slow_bodies_hold_nobody_up(kind: str, port: int) -> None:
    """Two hundred bodies that never end, of somebody known or of strangers, and the next delivery is taken at once."""
    with held_up(port, 200, kind), httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        began = time.monotonic()
        told = {"action": "Create", "alert": {"alias": "a", "message": "down"}}
        answer = client.post("/alerts/opsgenie", content=json.dumps(told), headers={"X-Crisis-Token": SECRET})

        assert answer.status_code == 202
        assert client.get("/healthz").status_code == 200
        assert time.monotonic() - began < 5


def test_header_that_says_many_things(port: int) -> None:
    """The same proof twice, or in pieces, is no proof."""
    for proof in (
        _PROOF * 2,
        _PROOF[:-2] + b", " + SECRET.encode() + b"\r\n",
        b"X-Crisis-Token:\r\n",
        b"x-crisis_token: x\r\n",
    ):
        head = b"POST /alerts/opsgenie HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n" + proof
        assert statuses(say(port, head + b"\r\n{}")) == [401]


def test_pipelined_requests_are_answered_in_turn(port: int) -> None:
    """Twenty requests in one piece have twenty answers, and each sender is proved anew."""
    good = b"POST /alerts/opsgenie HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" + _PROOF + b"\r\n{}"
    bad = b"POST /alerts/opsgenie HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"

    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    assert statuses(say(port, (good + bad) * 10 + last)) == [*[202, 401] * 10, 200]


def test_every_kind_refuses_a_stranger(port: int) -> None:
    """A stranger's delivery is answered 401, whatever its sender's name is."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        answers = {kind: client.post(f"/alerts/{kind}", content=b"{}") for kind in (*ALERT_KINDS, "nobody")}

    assert {kind: one.status_code for kind, one in answers.items() if one.status_code != 401} == {}
    assert len({one.content for one in answers.values()}) == 1
