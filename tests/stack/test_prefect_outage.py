"""Prefect's API is away in mid-run. Prefect shows runs; it does not hold them up."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from crisis.engine.server import PrefectServer, answers
from crisis.settings import Settings
from tests.stack.conftest import Site

AWAY_SECONDS = 30


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Iterator[PrefectServer]:
    """A Prefect server that is not the stack's own, so that a test can take it away."""
    home = tmp_path_factory.mktemp("outside")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = Settings(home=home, project=project, prefect_port=port)
    environment = {**settings.environment(), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    server = PrefectServer(port, environment, home / "server.log")
    server.start()
    asyncio.run(answers(f"{server.address}/api", home / "server.log"))
    yield server
    server.stop()


@pytest.fixture
def environment(outside: PrefectServer) -> dict[str, str]:
    """The stack uses the outside server."""
    return {"PREFECT_API_URL": f"{outside.address}/api"}


def test_the_playbook_finishes_while_prefect_is_away(site: Site, outside: PrefectServer) -> None:
    """Prefect dies once the question is asked: decision, revert, proof and end all happen without it."""
    site.break_shop()
    run = site.wait_for("asked").run
    outside.stop()
    gone = time.monotonic()
    site.decide()

    ended = site.wait_for("ended", seconds=AWAY_SECONDS)

    assert ended.body["outcome"] == "recovered"
    assert time.monotonic() - gone < AWAY_SECONDS
    while time.monotonic() < gone + AWAY_SECONDS:
        assert list(site.journal.verify(ended.incident)) == []
        time.sleep(1)
    outside.start()
    site.wait(lambda: _state(outside, run) == "COMPLETED", seconds=90)


def _state(server: PrefectServer, run: str) -> str:
    try:
        answer = httpx.get(f"{server.address}/api/flow_runs/{run}", trust_env=False)
    except httpx.HTTPError:
        return "no answer"
    return str(answer.json().get("state", {}).get("type")) if answer.is_success else "no answer"
