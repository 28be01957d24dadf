"""A whole stack of its own for each test: sandbox world, `crisis up`, journal."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from ruamel.yaml import YAML

from crisis.domain.entry import Entry
from crisis.drill.people import answer_page
from crisis.drill.stack import Stack
from crisis.engine.votes import open_gates
from crisis.journal.lease import Leases
from crisis.journal.store import Journal
from crisis.sandbox.world import World
from tests.conftest import PROJECT
from tests.stack.killing import seed_prefect

T = TypeVar("T")


@dataclass
class Site:
    """A running stack over a shop, and the means to break it and to watch."""

    world: World
    stack: Stack
    journal: Journal

    @property
    def leases(self) -> Leases:
        """Who drives which run."""
        return Leases(self.journal.database, 3.0)

    def break_shop(self) -> None:
        """Let a developer push the bad release, and the prober alert us."""
        self.world.alert(f"{self.stack.receiver}/alerts/alertmanager")
        self.world.push_bad_release()

    def incident(self) -> str:
        """Return the incident's name, waiting for it to open."""
        return self.wait(lambda: next((name for name in self.journal.incidents() if name.startswith("INC-")), None))

    def wait_for(self, kind: str, says: str = "", *, seconds: float = 60) -> Entry:
        """Wait until the incident has an entry of a kind whose body holds some words."""
        incident = self.incident()

        def look() -> Entry | None:
            entries = self.journal.entries(incident)
            return next((entry for entry in entries if entry.kind == kind and says in str(entry.body)), None)

        return self.wait(look, seconds=seconds)

    def wait(self, look: Callable[[], T | None], *, seconds: float = 60) -> T:
        """Look until there is something to see."""
        until = time.monotonic() + seconds
        while True:
            found = look()
            if found:
                return found
            assert time.monotonic() < until, f"nothing within {seconds:g} s; the stack says: {self.tail()}"
            time.sleep(0.05)

    def tail(self) -> str:
        """Return the last lines of the stack's log."""
        return "\n".join(self.stack.log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])

    def decide(self, who: str = "ada") -> None:
        """Let a person approve the open question on the decision page, from a thread of its own."""
        asked = self.wait_for("asked")
        page = f"{self.stack.receiver}/decide/{asked.incident}/{asked.run}/{asked.body['gate']}"
        answer = asked.body["plan"]["choices"][0]["name"]
        answer_page(page, who, answer, lambda: self.world.one_time_code(who), reads=0, reason="as planned")

    def decide_when_asked(self, who: str = "ada") -> None:
        """Let a person approve as soon as they are asked."""
        threading.Thread(target=self.decide, args=(who,), daemon=True).start()

    def open(self) -> bool:
        """Whether a question waits."""
        return bool(open_gates(self.journal, self.incident()))


@pytest.fixture(scope="session")
def prefect_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Prefect database that has been migrated once."""
    return seed_prefect(tmp_path_factory.mktemp("seed"))


@pytest.fixture
def environment() -> dict[str, str]:
    """More variables for the stack; a test module may say its own."""
    return {}


@pytest.fixture
def edit() -> Callable[[dict[str, Any]], None]:
    """What protocol.yaml says differently; a test module may say its own."""
    return lambda _protocol: None


@pytest.fixture
def embedded() -> bool:
    """Whether the stack brings its own Prefect, or uses the one that all tests of this process share."""
    return False


@pytest.fixture
def site(
    tmp_path: Path,
    environment: dict[str, str],
    edit: Callable[[dict[str, Any]], None],
    embedded: bool,
    request: pytest.FixtureRequest,
) -> Iterator[Site]:
    """A stack that is up and waits for alerts."""
    if embedded:
        shutil.copytree(request.getfixturevalue("prefect_seed"), tmp_path / "home" / "prefect")
        with run_site(tmp_path, environment, edit) as made:
            yield made
        return
    with _shared(request.getfixturevalue("prefect")) as shared, run_site(tmp_path, shared | environment, edit) as made:
        yield made


@pytest.fixture(scope="module")
def lasting_site(tmp_path_factory: pytest.TempPathFactory, prefect: str) -> Iterator[Site]:
    """A stack for all tests of a module that do not stand in each other's way."""
    folder = tmp_path_factory.mktemp("lasting")
    with _shared(prefect) as shared, run_site(folder, shared, lambda _protocol: None) as made:
        yield made


@contextmanager
def run_site(folder: Path, environment: dict[str, str], edit: Callable[[dict[str, Any]], None]) -> Iterator[Site]:
    """Run a stack over a shop of its own."""
    home = folder / "home"
    protocol = _quick_protocol(folder, edit)
    with World.start() as world:
        world.shoppers(0)  # they cost every other test more than they tell this one
        more = {**world.env, "CRISIS_PROTOCOL": str(protocol), "CRISIS_LEASE": "3", **environment}
        journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
        with Stack(home, more, PROJECT) as stack:
            stack.wait()
            yield Site(world, stack, journal)
        journal.close()


@contextmanager
def _shared(api: str) -> Iterator[dict[str, str]]:
    """Lend the shared Prefect to a stack, and take out of it what the stack leaves: the next one must not see it."""
    try:
        yield {"PREFECT_API_URL": api}
    finally:
        with httpx.Client(base_url=api, trust_env=False, timeout=30) as client:
            ours = {"deployments": {"operator": "and_"}, "limit": 200}
            while runs := client.post("/flow_runs/filter", json=ours).raise_for_status().json():
                for one in runs:
                    client.delete(f"/flow_runs/{one['id']}")


def _quick_protocol(folder: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    yaml = YAML(typ="safe")
    data = yaml.load((PROJECT / "protocol.yaml").read_text(encoding="utf-8"))
    shop = data["services"]["shop"]
    shop["verify"] = {"passes": 5, "every": "50ms", "p95": "3s", "give_up_after": "20s"}
    del shop["build"]
    edit(data)
    file = folder / "protocol.yaml"
    with file.open("w", encoding="utf-8") as stream:
        yaml.dump(data, stream)
    return file
