"""Real servers that hold sessions, and a shop in front of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.clients.servers import Served
from tests.clients.sessions.servers import RedisServer
from tests.clients.sessions.shop import Keeping, Shop
from tests.journal.postgres import PostgreSQL

Open = Callable[[Keeping], tuple[Shop, str]]


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_PASSWORD", "correct horse")


@pytest.fixture(scope="session")
def redis_program() -> str:
    """Name the program; skipped by name where none is installed, an error in CI."""
    found = RedisServer.program()
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("redis-server is not installed")
    return str(found)


@pytest.fixture(scope="session")
def running_redis(redis_program: str) -> Iterator[RedisServer]:
    """Run one server for all tests that leave it standing."""
    assert redis_program
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_server(running_redis: RedisServer) -> RedisServer:
    """Give a test an empty server."""
    running_redis.client().flushall()
    return running_redis


@pytest.fixture
def own_redis(redis_program: str) -> Iterator[RedisServer]:
    """Give a test a server that it may end."""
    assert redis_program
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Run a server; skipped by name where none is installed, an error in CI."""
    binaries = PostgreSQL.binaries_here()
    if binaries is None:
        says = "postgresql is not installed: initdb was not found"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(says)
    with PostgreSQL(binaries) as server:
        yield server


@pytest.fixture
def open_shop() -> Iterator[Open]:
    """Open shops that keep their sessions in a given way, until the test is over."""
    with ExitStack() as doors:

        def opened(keeping: Keeping) -> tuple[Shop, str]:
            shop = Shop(keeping)
            return shop, doors.enter_context(Served(shop.app))

        yield opened
