"""The receiver as a real server on a port: bounds for strangers, and an end that loses no delivery."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from crisis.journal.inbox import Inbox
from crisis.journal.store import Journal
from crisis.receiver.context import Context
from crisis.receiver.serving import BoundedProtocol, server_for
from tests.receiver.conftest import TOKEN
from tests.receiver.payloads import alert, delivery


@pytest.fixture
def port(context: Context) -> Iterator[int]:
    """Serve a receiver, and return its port."""
    context = replace(context, settings=context.settings.model_copy(update={"port": 0}))
    server = server_for(context)
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    until = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.01)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    serving.join(30)


def say(port: int, *pieces: bytes) -> bytes:
    """Send bytes to the server and return all that it answers until it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while more := connection.recv(65536):
                answer += more
        except ConnectionError:
            pass
        return answer


def test_alert_comes_in_over_a_socket(port: int, context: Context) -> None:
    """A delivery, a health check and metrics over real HTTP."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        taken = client.post("/alerts/alertmanager", content=delivery(), headers={"Authorization": f"Bearer {TOKEN}"})
        metrics = client.get("/metrics")

        assert taken.status_code == 202
        assert client.get("/healthz").json() == {"status": "pass"}
        assert metrics.status_code == 200
    assert 'crisis_deliveries_total{answer="202",sender="alertmanager"} 1.0' in metrics.text
    assert context.inbox.count()["new"] == 1


@pytest.mark.parametrize(
    "head",
    [b"GET /healthz HTTP/1.1\r\nX-A: ", b"GET /", b"GET /healthz HTTP/1.1\r\nX", b"GET /healthz HTTP/1.1\r\nA: b\r\n"],
    ids=["value", "address", "name", "many"],
)
def test_head_without_end_is_cut_off(port: int, head: bytes) -> None:
    """Nobody fills our memory with a request that never gets to its body."""
    more = b"A: b\r\n" * 100_000 if head.endswith(b"\r\n") else b"a" * 600_000

    assert b" 200 " not in say(port, head, more)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("sender", ["alertmanager", "nobody"])
@pytest.mark.parametrize(
    ("last", "more"),
    [(b"0\r\n", b"A: b\r\n" * 100_000), (b"0\r\nA: ", b"a" * 600_000), (b"1;a=", b"a" * 600_000)],
    ids=["trailers", "trailer", "extension"],
)
def test_end_without_end_is_cut_off(port: int, context: Context, sender: str, last: bytes, more: bytes) -> None:
    """Nor with one whose body is followed by headers for ever, whether or not it was answered before."""
    head = f"POST /alerts/{sender} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = delivery()
    chunk = b"%x\r\n%s\r\n" % (len(body), body)

    began = time.monotonic()
    assert b" 202 " not in say(port, head.encode() + chunk + last, more)
    assert time.monotonic() < began + BoundedProtocol.head_patience
    assert context.inbox.count()["new"] == 0


def test_trailer_is_no_header(port: int) -> None:
    """What follows a body proves nobody, also where it comes in one piece with the head."""
    head = b"POST /alerts/alertmanager HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    proof = f"0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()

    assert say(port, head + b"2\r\n{}\r\n" + proof).startswith(b"HTTP/1.1 401")


def test_rest_of_an_answered_request_is_waited_for_a_while(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was refused before the end of a body, and lets the rest of it drip, does not hold a connection for ever."""
    monkeypatch.setattr(BoundedProtocol, "head_patience", 0.5)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"POST /alerts/nobody HTTP/1.1\r\nContent-Length: 100000\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 401")
        assert not drips(connection, 20)


def drips(connection: socket.socket, seconds: float) -> bool:
    """Send byte after byte; return whether the server still takes them after so long."""
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            connection.sendall(b"a")
            time.sleep(0.05)
    except ConnectionError:
        return False
    return True


def test_head_of_usual_length_is_no_trouble(port: int) -> None:
    """Thirty thousand bytes of headers, in pieces, are read; so is a body that is longer than any head may be."""
    head = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(30))
    pieces = [b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", head, b"\r\n"]
    raw = delivery(*(alert(fingerprint=f"{n:016x}") for n in range(1000)))

    assert say(port, *pieces).startswith(b"HTTP/1.1 200")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for _ in range(2):
            answer = client.post("/alerts/alertmanager", content=raw, headers={"Authorization": f"Bearer {TOKEN}"})
            assert answer.status_code == 202


def test_silence_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and says nothing, or stops in the middle of a head, does not hold a connection for ever."""
    monkeypatch.setattr(BoundedProtocol, "head_patience", 0.2)

    assert say(port) == b""
    assert say(port, b"GET /healthz HTT") == b""
    assert say(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\xff" * 1000,
        b"POST /alerts/x HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_400(port: int, raw: bytes) -> None:
    """Noise ends the connection and nothing else."""
    assert say(port, raw).startswith(b"HTTP/1.1 400")


def test_stop_answers_what_is_under_way(context: Context) -> None:
    """A server that is told to stop in the middle of a crowd answers it; what it said 202 to is kept, by name."""
    context = replace(context, settings=context.settings.model_copy(update={"port": 0}))

    async def stop_in_a_crowd() -> list[str]:
        server = server_for(context)
        serving = asyncio.create_task(server._serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        limits = httpx.Limits(max_connections=100)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, limits=limits) as client:
            posts = [
                asyncio.create_task(
                    client.post(
                        "/alerts/alertmanager", content=delivery(alert(fingerprint=f"{n:016x}")), headers=headers
                    )
                )
                for n in range(100)
            ]
            await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            answers = await asyncio.gather(*posts, return_exceptions=True)
        await serving
        answered = [one for one in answers if isinstance(one, httpx.Response)]
        assert {one.status_code for one in answered} == {202}
        return [json.loads(one.content)["delivery"] for one in answered]

    names = asyncio.run(stop_in_a_crowd())
    again = Journal.open(context.settings.journal)
    kept = {one.delivery for one in Inbox(again.database).latest(1000)}
    again.close()

    assert names
    assert set(names) <= kept
