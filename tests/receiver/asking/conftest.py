"""Senders that can be asked, each a real server on this machine, and a receiver that comes and goes."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from crisis.domain.alerting import AlertSender
from crisis.domain.clock import utc_now
from crisis.journal.inbox import Delivery
from crisis.receiver.app import create_app
from crisis.receiver.catch_up import CatchUp, Report
from crisis.receiver.context import Context
from crisis.receiver.dispatch import handle_all
from crisis.receiver.senders.alert import Alert
from crisis.receiver.senders.registry import read_as
from tests.clients.servers import METHODS, Served, Vendor

T = TypeVar("T")

API_TOKEN = "a-token-for-the-api-4711"
SECRET = "a-secret-that-signs-4711"
LATER = timedelta(minutes=10)
"""How much later a round pretends to be, where what was seen a moment ago must have settled."""


def any_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_until(look: Callable[[], T], seconds: float = 20) -> T:
    """Look until there is something to see."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"nothing within {seconds:g} s"
        time.sleep(0.02)
    return found


class _At(Served):
    """A server on a port that is given."""

    def __init__(self, app: Callable[..., Any], port: int) -> None:
        super().__init__(app)
        self.socket.close()
        self.socket = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})


@dataclass
class Receiver:
    """A receiver that listens on one port, when it is up."""

    context: Context
    port: int
    _served: Served | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        """Start to listen."""
        self._served = _At(create_app(self.context), self.port)
        self._served.__enter__()

    def down(self) -> None:
        """Stop, if it listens."""
        if self._served is not None:
            self._served.__exit__()
            self._served = None


@dataclass
class Watch:
    """One sender of a receiver: what is in the inbox of it, and rounds of asking."""

    context: Context
    sender: str
    catching: CatchUp

    @property
    def rule(self) -> AlertSender:
        """What protocol.yaml says of the sender."""
        return self.context.protocol.alerts[self.sender]

    def round(self, later: timedelta = timedelta()) -> Report:
        """Ask, now or as if some time had gone by."""
        return self.catching.round(utc_now() + later)

    def kept(self) -> list[Delivery]:
        """Return everything in the inbox, the oldest first."""
        return list(reversed(self.context.inbox.latest(1000)))

    def alerts(self) -> list[Alert]:
        """Return every alert of the inbox, as it is read."""
        return [alert for one in self.kept() for alert in read_as(self.sender, self.rule, one.raw, one.headers).alerts]

    def judge(self) -> None:
        """Let the inbox be judged, as `crisis up` does."""
        while waiting := self.context.inbox.new():
            handle_all(self.context, waiting)

    def incidents(self) -> list[str]:
        """Return the incidents that were opened."""
        return [name for name in self.context.journal.incidents() if name.startswith("INC-")]

    def notes(self) -> list[str]:
        """Return what the chain of the inbox says."""
        return [str(entry.body["says"]) for entry in self.context.journal.entries("INBOX")]

    def payloads(self) -> list[dict[str, Any]]:
        """Return what is in the inbox, as JSON."""
        return [json.loads(one.raw) for one in self.kept()]

    def again(self, alive: datetime | None = None) -> "Watch":
        """Return it after a restart of ours."""
        return replace(self, catching=CatchUp(self.context, alive))


Watching = Callable[..., Watch]


@pytest.fixture
def watch(context: Context, monkeypatch: pytest.MonkeyPatch) -> Watching:
    """Put a receiver together that takes from one sender, and may ask it."""
    monkeypatch.setenv("THEIR_SECRET", SECRET)
    monkeypatch.setenv("API_TOKEN", API_TOKEN)

    def watch(
        kind: str, ask_back: dict[str, Any] | None, *, sender: str = "", alive: datetime | None = None, **more: Any
    ) -> Watch:
        proof = {"secret": ["env:THEIR_SECRET"]} if kind in ("github", "sentry") else {"bearer": ["env:THEIR_SECRET"]}
        routes = [{"when": {}, "start": "bad-deploy", "service": "shop"}]
        rule = {"kind": kind, **proof, "ask_back": ask_back, "routes": routes, **more}
        alerts = {sender or kind: AlertSender.model_validate(rule)}
        mine = replace(context, protocol=context.protocol.model_copy(update={"alerts": alerts}))
        return Watch(mine, sender or kind, CatchUp(mine, alive))

    return watch


@pytest.fixture
def free_port() -> int:
    """Return a port that nobody listens on."""
    return any_port()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """Start a server that answers as a test says."""
    vendor = Vendor()
    with Served(Starlette(routes=[Route("/{path:path}", vendor.answer, methods=METHODS)])) as url:
        vendor.url = url
        yield vendor
