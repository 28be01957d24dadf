"""One AWS account in a process of its own for all tests, with fine weather before each, and a run to act in."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest

from crisis.engine.run import Run
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.settings import Settings
from tests.aws.account import Cloud
from tests.aws.databases import Base, guard
from tests.aws.databases import make as make_base
from tests.journal.postgres import PostgreSQL


@pytest.fixture(scope="session")
def served() -> Iterator[Cloud]:
    """Start the stand-in once; it needs moto's server, which needs flask."""
    if find_spec("flask") is None or find_spec("flask_cors") is None:
        pytest.skip("moto[server] is not installed")
    process = subprocess.Popen([sys.executable, "-m", "crisis.sandbox.aws"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    yield Cloud.at(url)
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def cloud(served: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Give a test the account, and put its key where protocol.yaml would refer to it."""
    served.as_admin(monkeypatch.setenv)
    served.clear()
    yield served
    served.clear()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS may need seconds to hear of a deny; the stand-in hears at once."""
    monkeypatch.setattr("tasks.contain_aws._SETTLE", timedelta(seconds=0.5))


@pytest.fixture
def run(cloud: Cloud, project: Path, migrated: Path, tmp_path: Path) -> Iterator[Run]:
    """Let actions find the account under the name `cloud`; they are called without Prefect and without a gate."""
    file = tmp_path / "journal.db"
    file.write_bytes(migrated.read_bytes())
    journal = Journal.open(f"sqlite:///{file}")
    protocol = load_protocol(project / "protocol.yaml").model_copy(update={"systems": {"cloud": cloud.system()}})
    nobody = cast("Any", None)  # no lease is held and nothing is mirrored: these bodies record nothing
    with Run("run", "INC-20261126-abcdef", "drill", journal, protocol, Settings(home=tmp_path), nobody, nobody) as run:
        yield run
    journal.close()


@pytest.fixture(scope="session")
def base_server() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL server that asks for passwords; skipped by name where none is installed, an error in CI."""
    binaries = PostgreSQL.binaries_here()
    if binaries is None:
        says = "postgresql is not installed: initdb was not found"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(says)
    with PostgreSQL(binaries) as server:
        guard(server)
        yield server


@pytest.fixture
def make(cloud: Cloud, base_server: PostgreSQL) -> Iterator[Callable[..., Base]]:
    """Make databases that this test has to itself."""
    made = list[Base]()

    def work(**how: bool) -> Base:
        made.append(make_base(cloud, base_server, **how))
        return made[-1]

    yield work
    for base in made:
        base.drop()
