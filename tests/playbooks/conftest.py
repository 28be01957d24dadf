"""A playbook run in this process: real shop, real vendors, real Prefect server, people who answer by themselves."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from crisis.domain.decision import Decision
from crisis.domain.entry import Entry
from crisis.domain.incident import Incident, fold_incident
from crisis.engine.votes import Answer, RefusedVote, cast, open_gates
from crisis.errors import CrisisError
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.sandbox.world import World
from crisis.settings import Settings


@pytest.fixture
def world() -> Iterator[World]:
    """A shop with two good releases, its vendors and its people."""
    with World.start() as world:
        yield world


@dataclass
class Ground:
    """A world, a protocol that describes it, and the journal of what was done about it."""

    world: World
    home: Path
    protocol_file: Path
    journal: Journal
    people: list[threading.Thread] = field(default_factory=list)
    incident: str = "INC-20261124-abc123"

    def change(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Edit the protocol before a run."""
        yaml = YAML(typ="safe")
        data = yaml.load(self.protocol_file.read_text(encoding="utf-8"))
        edit(data)
        with self.protocol_file.open("w", encoding="utf-8") as file:
            yaml.dump(data, file)

    def answers(self, who: str, answer: str, *, code: str | None = None, gate: str | None = None) -> None:
        """Let a person answer the next open question, with the code their phone shows or the one given."""
        thread = threading.Thread(target=self._answer, args=(who, answer, code, gate), daemon=True)
        self.people.append(thread)
        thread.start()

    def _answer(self, who: str, answer: str, code: str | None, gate: str | None) -> None:
        until = time.monotonic() + 60
        protocol = load_protocol(self.protocol_file)
        answered: set[str] = set()
        while time.monotonic() < until:
            for one in open_gates(self.journal, self.incident):
                if gate in (None, one.name) and one.plan.hash not in answered:
                    answered.add(one.plan.hash)
                    said = Answer(who, answer, code or self.world.one_time_code(who), "as planned", "command line")
                    result: Decision | RefusedVote | None = cast(self.journal, protocol, one, said)
                    if not isinstance(result, RefusedVote):
                        return
            time.sleep(0.05)

    def run(self, **parameters: Any) -> CrisisError | None:
        """Run `bad_deploy` to its end; return the error it ended with, or None."""
        from flows.bad_deploy import bad_deploy  # noqa: PLC0415 - loads Prefect

        state = bad_deploy(
            **{"service": "shop", "summary": "checkout fails", "incident": self.incident} | parameters,
            return_state=True,
        )
        error = state.result(raise_on_failure=False)  # type: ignore[union-attr]
        if isinstance(error, BaseException) and not isinstance(error, CrisisError):
            raise error
        return error if isinstance(error, CrisisError) else None

    def entries(self, *kinds: str) -> list[Entry]:
        """Return the incident's entries, of these kinds where given."""
        return [entry for entry in self.journal.entries(self.incident) if not kinds or entry.kind in kinds]

    def state(self) -> Incident:
        """Return the incident as the journal tells it."""
        return fold_incident(self.incident, self.entries())

    def done(self, action: str) -> list[Entry]:
        """Return what the journal has of an action that changed something."""
        return [entry for entry in self.entries("done") if entry.body["action"] == action]


@pytest.fixture
def ground(
    world: World, prefect: str, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ground]:
    """A broken shop and a protocol for it, quick enough for tests: five good rounds, no analysis of the code."""
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    protocol = tmp_path / "protocol.yaml"
    protocol.write_text((project / "protocol.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("CRISIS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CRISIS_PROJECT", str(project))
    monkeypatch.setenv("CRISIS_PROTOCOL", str(protocol))
    journal = Journal.open(Settings().journal)
    ground = Ground(world, tmp_path / "home", protocol, journal)
    ground.change(_quick)
    yield ground
    for person in ground.people:
        person.join(timeout=1)
    journal.close()


def _quick(protocol: dict[str, Any]) -> None:
    shop = protocol["services"]["shop"]
    shop["verify"] = {"passes": 5, "every": "50ms", "p95": "3s", "give_up_after": "6s"}
    del shop["build"]


@pytest.fixture
def broken(ground: Ground) -> Ground:
    """The ground after a developer pushed a release that breaks the checkout, and it went live."""
    bad = ground.world.push_bad_release()
    ground.world.wait_until(lambda state: state["serving"] == bad, seconds=30)
    return ground
