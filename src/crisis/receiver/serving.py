"""Serving: the web front as a server, set up as measured in benchmarks/flood.py, with bounds for strangers."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from crisis.receiver.app import create_app
from crisis.receiver.context import Context

__all__ = ["BoundedProtocol", "server_for"]


class BoundedProtocol(HttpToolsProtocol):
    """
    HTTP as httptools reads it, a quarter cheaper than h11, and with a bound on the head of a request.

    httptools takes any number of bytes for a header, and uvicorn waits for them for ever.
    """

    head_limit = 64 * 1024
    head_patience = 15.0

    _in_head = True
    _head = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; hang up on a head that is too long."""
        before = self._in_head
        super().data_received(data)
        # The piece in which a head begins is not counted: the rest of it may be the body of the request before.
        if before and self._in_head:
            self._head += len(data)
            if self._head > self.head_limit and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """Count from here."""
        super().on_message_begin()
        self._in_head, self._head = True, 0
        self._wait()

    def on_headers_complete(self) -> None:
        """Count no more."""
        self._in_head = False
        self._wait_no_more()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._wait_no_more()
        self._timer = self.loop.call_later(self.head_patience, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def server_for(context: Context, **more: Any) -> uvicorn.Server:
    """Return a server for the receiver, at the address of the settings; its log lines go the way of all others."""
    config = uvicorn.Config(
        create_app(context),
        host=context.settings.host,
        port=context.settings.port,
        **{"http": BoundedProtocol, **more},
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)
