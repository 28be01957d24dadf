"""A real server on a thread that answers as a test says."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass
class Vendor:
    """A server that answers as a test says: a list is used up answer by answer, its last one stays."""

    url: str = ""
    answers: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def forget(self) -> None:
        """Start anew."""
        for memory in (self.answers, self.asked, self.headers):
            memory.clear()

    def says(self, what: str, *answers: Any) -> None:
        """Answer `GET /path` with these, in turn: a body, a (status, body) pair, or a whole response."""
        self.answers[what] = list(answers)

    def bodies(self, what: str) -> list[str]:
        """List what was sent with a request."""
        return [body for asked, _, body in self.asked if asked == what]

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        what = f"{request.method} {request.url.path}"
        self.asked.append((what, dict(request.query_params), (await request.body()).decode()))
        self.headers.append(dict(request.headers))
        if what not in self.answers:
            return JSONResponse({"message": "Not Found"}, 404)
        ready = self.answers[what]
        said = ready.pop(0) if len(ready) > 1 else ready[0]
        if callable(said) and not isinstance(said, Response):
            said = said(request)
        if isinstance(said, Response):
            return said
        status, body = said if isinstance(said, tuple) else (200, said)
        return PlainTextResponse(body, status) if isinstance(body, str) else JSONResponse(body, status)


class Served:
    """Serve an application on a free port for the length of a block."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()
