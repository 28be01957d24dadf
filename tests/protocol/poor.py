"""Poor: vendors that answer, and do not let us do what an incident needs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWERS: dict[str, Any] = {
    "/repos/small/shop": {"permissions": {"pull": True, "push": False}},
    "/2010-04-01/Accounts/AC1.json": {"status": "suspended"},
    "/v9/projects/small": {"targets": {}},
    "/healthz": {"status": "pass"},
}


class _Poor(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(ANSWERS.get(self.path, {})).encode()
        self.send_response(200 if self.path in ANSWERS else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def poor_vendors() -> Iterator[str]:
    """Serve them all at one address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Poor)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
