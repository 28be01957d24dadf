"""The receiver of tests/receiver, with a sender of every kind, a question that waits, and a delivery that was kept."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest
from fastapi import FastAPI

from crisis.domain.alerting import ALERT_KINDS
from crisis.receiver.context import Context
from crisis.receiver.serving import server_for
from tests.fuzz.surface import QUICK, Surface, surface_of
from tests.receiver.asking.conftest import wait_until
from tests.receiver.conftest import Room, context, journal, protocol, room, wakes
from tests.receiver.senders.conftest import cloud, rule_of
from tests.receiver.senders.notary import SECRET, Cloud

__all__ = ["cloud", "context", "journal", "protocol", "room", "wakes"]


@pytest.fixture
def surface(context: Context, room: Room, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Surface:
    """Put the whole web front up, and find out what it takes."""
    for name in ("THEIR_SECRET", "CRISIS_SANDBOX_SLACK_SIGNING_SECRET", "CRISIS_SANDBOX_TWILIO_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    routes = [{"when": {}, "start": "bad-deploy", "service": "shop", "level": 2}]
    alerts = {kind: rule_of(kind, routes=routes) for kind in ALERT_KINDS}
    whole = context.protocol.model_copy(update={"alerts": alerts})
    settings = context.settings.model_copy(update={"port": 0})
    return surface_of(replace(context, protocol=whole, settings=settings), room.ask(), cloud)


@pytest.fixture
def port(surface: Surface) -> Iterator[int]:
    """Serve the web front on a port of this machine."""
    server = server_for(surface.context)
    cast(FastAPI, server.config.app).state.live.pace = QUICK
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    wait_until(lambda: server.started)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    serving.join(30)
