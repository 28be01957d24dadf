"""Room for bodies: strangers who keep memory taken, by bodies that never end, hold up no sender for long."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest

from crisis.receiver.serving import server_for
from tests.receiver.asking.conftest import wait_until
from tests.receiver.senders.conftest import Receive, cloud, receive
from tests.receiver.senders.notary import signed

__all__ = ["cloud", "receive"]

_PIECE, _WHOLE = b"a" * 200_000, b" " * 300_000 + b"{}"


@pytest.fixture
def port(receive: Receive) -> Iterator[int]:
    """Serve a receiver that GitHub may send to."""
    context = receive("github").context
    server = server_for(replace(context, settings=context.settings.model_copy(update={"port": 0})))
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    wait_until(lambda: server.started)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    serving.join(30)


def test_bodies_that_never_end_make_room(port: int) -> None:
    """Forty megabytes of them, for which there is no room: soon the next signed delivery is taken again."""
    head = b"POST /alerts/github HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n"
    with ExitStack() as kept, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for _ in range(200):
            one = kept.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            one.sendall(head + _PIECE)
        sent = time.monotonic()

        def is_taken_late() -> bool:
            """Say whether a delivery is taken once all of it must have arrived."""
            answer = client.post("/alerts/github", content=_WHOLE, headers=signed("github", _WHOLE))
            return answer.is_success and time.monotonic() > sent + 2

        assert wait_until(is_taken_late, 8)
