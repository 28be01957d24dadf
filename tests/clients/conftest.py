"""Real servers on a thread and real git repositories for the tests of the clients."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from crisis.clients.git import Repository
from tests.clients.history import Origin
from tests.clients.servers import METHODS, Served, Vendor


@pytest.fixture(scope="session")
def counter() -> Iterator[Vendor]:
    """Start the one server behind all vendors."""
    vendor = Vendor()
    with Served(Starlette(routes=[Route("/{path:path}", vendor.answer, methods=METHODS)])) as url:
        vendor.url = url
        yield vendor


@pytest.fixture
def vendor(counter: Vendor) -> Vendor:
    """Give a test a server that it tells what to answer."""
    counter.forget()
    return counter


@pytest.fixture
def nowhere() -> str:
    """Name an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """Make a repository with one commit on main."""
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


@pytest.fixture
def silence() -> Iterator[str]:
    """Listen at an address and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}"
