"""Worlds, shoppers and vendors' clients for the tests of the drill ground."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from crisis.sandbox.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """Start a world for a test that breaks things."""
    with World.start() as world:
        yield world


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    """One world for all tests of a file; they leave it as they found it."""
    with World.start() as world:
        yield world


Client = Callable[..., httpx.Client]


@pytest.fixture
def connect() -> Iterator[Client]:
    """Open clients, and close them at the end."""
    opened: list[httpx.Client] = []

    def client(base_url: str, token: str = "", **parts: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        opened.append(httpx.Client(base_url=base_url, headers=headers, trust_env=False, timeout=10, **parts))
        return opened[-1]

    yield client
    for one in opened:
        one.close()


@pytest.fixture
def github(connect: Client) -> Callable[[World], httpx.Client]:
    """GitHub's API for the shop's repository."""

    def client(world: World) -> httpx.Client:
        repository = f"{world.env['CRISIS_SANDBOX_GITHUB_URL']}/repos/sandbox/shop"
        return connect(repository, world.env["CRISIS_SANDBOX_GITHUB_TOKEN"])

    return client


@pytest.fixture
def shopper(connect: Client) -> Callable[[World], httpx.Client]:
    """Somebody who is logged in at the shop."""

    def client(world: World) -> httpx.Client:
        person = connect(world.shop_url)
        password = world.env["CRISIS_SANDBOX_SHOPPER_PASSWORD"]
        person.post("/api/login", json={"user": "probe", "password": password}).raise_for_status()
        return person

    return client


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Wait for a fact about the machine; `world.wait_until` waits for facts about a world."""

    def wait(fact: Callable[[], object], seconds: float = 10) -> None:
        until = time.monotonic() + seconds
        while not fact():
            assert time.monotonic() < until, "the fact never came true"

    return wait


@pytest.fixture
def processes() -> Callable[[int], list[int]]:
    """Look for the living members of a session."""

    def members(session: int) -> list[int]:
        return [pid for pid in _pids() if _session_of(pid) == session]

    return members


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _session_of(pid: int) -> int | None:
    try:
        state, _, _, session = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(session)


class Receiver:
    """A real webhook that remembers what it was sent and answers with the codes it is given."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.codes: list[int] = []
        outer = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.received.append((self.headers["Authorization"], body))
                self.send_response(outer.codes.pop(0) if outer.codes else 202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Keep the test output quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Listen for alerts."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()
