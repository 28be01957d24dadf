"""Real servers on a thread and real git repositories for the tests of the clients."""

import os
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from crisis.clients.git import Repository

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
EPOCH = 1_760_000_000


@dataclass
class Vendor:
    """A server that answers as a test says: a list is used up answer by answer, its last one stays."""

    url: str = ""
    answers: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

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


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A server that is told by the test what to answer."""
    vendor = Vendor()
    with served(Starlette(routes=[Route("/{path:path}", vendor.answer, methods=METHODS)])) as url:
        vendor.url = url
        yield vendor


class served:  # noqa: N801 - used as `with served(app) as url`
    """Serve an application on a free port for the length of a block."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
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


@pytest.fixture
def nowhere() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@dataclass
class Origin:
    """A real repository that developers commit and merge in, one second after the other."""

    path: Path
    clock: int = EPOCH

    def git(self, *words: str) -> str:
        """Run git as a developer would, without anybody's configuration."""
        self.clock += 1
        date = f"{self.clock} +0000"
        who = {f"GIT_{role}_NAME": "Ida Quist" for role in ("AUTHOR", "COMMITTER")}
        mail = {f"GIT_{role}_EMAIL": "ida@example.com" for role in ("AUTHOR", "COMMITTER")}
        environment = {
            **who, **mail, "PATH": os.environ["PATH"], "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date,
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
        }  # fmt: skip
        done = subprocess.run(
            ["git", *words], cwd=self.path, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str, **files: str) -> str:
        """Commit files (`shop__app_py` is shop/app.py) and return the commit; no files make an empty commit."""
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_py", ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.head()

    def branch(self, name: str, start: str = "main") -> None:
        """Start a branch and work on it."""
        self.git("checkout", "--quiet", "-b", name, start)

    def merge(self, name: str) -> str:
        """Merge a branch into main and return the merge."""
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "-m", f"Merge {name}", name)
        return self.head()

    def head(self) -> str:
        """Return the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def main(self) -> str:
        """Return the commit main points to."""
        return self.git("rev-parse", "main")

    def rest(self) -> None:
        """Check out no branch, so that main can be pushed to."""
        self.git("checkout", "--quiet", "--detach")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """A repository with one commit on main."""
    path = tmp_path / "origin"
    path.mkdir()
    origin = Origin(path)
    origin.git("init", "--quiet", "--initial-branch=main")
    origin.commit("Open the shop", a="1\n2\n3\n", b="one\n")
    return origin


@pytest.fixture
def mirror(origin: Origin, tmp_path: Path) -> Callable[[], Repository]:
    """Mirror the origin as it is now."""
    return lambda: Repository.mirror(str(origin.path), tmp_path / "home")
