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
    HTTP as httptools reads it, a quarter cheaper than h11, and with bounds on the head of a request and on its end.

    httptools takes any number of bytes for a header, also behind a body, and uvicorn waits for them for ever.
    """

    head_limit = 64 * 1024
    head_patience = 15.0

    _in_head = True
    _in_message = False
    _moved = False
    _nowhere = 0
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
        """Read on; hang up on a head, a size of a chunk or a trailer that is too long."""
        self._moved = False
        super().data_received(data)
        # A piece in which something begins, ends or is body is not counted: which part of it was, is not told.
        self._nowhere = 0 if self._moved else self._nowhere + len(data)
        if self._nowhere > self.head_limit and not self.transport.is_closing():
            if self._in_head:
                self.send_400_response("The head of the request is too long.")
            else:
                self.transport.close()  # its answer is on the way, or was given

    def on_message_begin(self) -> None:
        """Count from here."""
        super().on_message_begin()
        self._in_head = self._in_message = self._moved = True
        self._wait()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take what stands in a head; a trailer is nothing that anybody here wants."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Wait no more: whoever reads the body knows for how long."""
        self._in_head, self._moved = False, True
        self._wait_no_more()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count from here."""
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait no more for the rest of a request that was answered before its end."""
        self._in_message, self._moved = False, True
        if self.cycle.response_complete:
            self._wait_no_more()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of the request, but not for ever."""
        super().on_response_complete()
        if self._in_message and self.cycle.response_complete and not self.transport.is_closing():
            self._wait()

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
