"""What every test may use: an environment of its own, one Prefect server, and the project's folders."""

import asyncio
import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]


def _environment_for_tests() -> Path:
    """
    Hide what the machine has set for us or for Prefect, and name the server that `prefect` starts.

    Prefect reads its environment once, when it is imported, so this cannot wait for a fixture.
    """
    for name in [name for name in os.environ if name.startswith(("CRISIS_", "PREFECT_"))]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="crisis-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ.update(
        PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
        PREFECT_HOME=str(home / "prefect"),
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="false",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        DO_NOT_TRACK="1",
    )
    return home


_HOME = _environment_for_tests()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let outages last as long as they may in the field, where that is only more waiting."""
    parser.addoption("--long", action="store_true", help="outages of 30 s instead of a few")


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty journal, to be copied: making one takes twenty times as long."""
    from crisis.journal.store import Journal  # noqa: PLC0415 - loads SQLAlchemy

    file = tmp_path_factory.mktemp("migrated") / "journal.db"
    Journal.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(scope="session")
def prefect() -> Iterator[str]:
    """One real Prefect server for all tests that run playbooks in this process; its API's address."""
    from crisis.engine.server import PrefectServer, answers  # noqa: PLC0415 - loads Prefect
    from crisis.settings import Settings  # noqa: PLC0415

    api = os.environ["PREFECT_API_URL"]
    port = int(api.removesuffix("/api").rsplit(":", 1)[1])
    server = PrefectServer(port, Settings(home=_HOME, project=PROJECT).environment(), _HOME / "server.log")
    server.start()
    asyncio.run(answers(api, _HOME / "server.log"))
    yield api
    # What Prefect still wants to send must go before its server does, or it tries for a minute.
    from prefect.events.worker import EventsWorker  # noqa: PLC0415
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415

    APILogWorker.drain_all()
    EventsWorker.drain_all()
    server.stop()
