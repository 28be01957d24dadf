"""A playbook run in this process: real shop, real vendors, real Prefect server, people who answer by themselves."""

import logging
import os
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow
from ruamel.yaml import YAML

from crisis.domain.decision import Decision, Gate
from crisis.domain.entry import Entry
from crisis.domain.incident import Incident, fold_incident
from crisis.engine.booth import Answer, Booth, RefusedVote
from crisis.engine.votes import cast, open_gates
from crisis.errors import CrisisError
from crisis.journal.lease import Leases
from crisis.journal.store import Journal
from crisis.protocol_file import load_protocol
from crisis.sandbox.world import World
from crisis.settings import Settings

LOOK_AGAIN = 0.02
PROJECT = Path(__file__).parents[2]


@dataclass
class Ground:
    """A world, a protocol that describes it, and the journal of what was done about it."""

    world: World
    home: Path
    protocol_file: Path
    journal: Journal
    incident: str
    people: list[threading.Thread] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def change(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Edit the protocol before a run."""
        yaml = YAML(typ="safe")
        data = yaml.load(self.protocol_file.read_text(encoding="utf-8"))
        edit(data)
        with self.protocol_file.open("w", encoding="utf-8") as file:
            yaml.dump(data, file)

    def change_gate(self, **rule: Any) -> None:
        """Edit what protocol.yaml says of the gate before a restoring action; the level above joins halfway."""
        self.change(lambda protocol: protocol["gates"].update(restore={"ask": "decision maker", **rule}))

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Let this process see the environment that the protocol and the settings refer to."""
        own = {"HOME": self.home, "PROJECT": PROJECT, "PROTOCOL": self.protocol_file}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.world.env, **{f"CRISIS_{name}": str(at) for name, at in own.items()}}.items():
                patch.setenv(name, value)
            yield

    def meanwhile(self, ready: Callable[[], object], act: Callable[[], object]) -> None:
        """Let something happen during the run, as soon as a fact holds."""

        def wait() -> None:
            while not ready():
                if self.over.wait(LOOK_AGAIN):
                    return
            act()

        thread = threading.Thread(target=wait, daemon=True)
        self.people.append(thread)
        thread.start()

    def answers(self, who: str, answer: str, *, plan: int = 1) -> None:
        """Let a person answer with the code their phone shows, once they are asked; `plan` 2 is the second question."""
        self.meanwhile(lambda: self.question(who, plan), lambda: self.says(who, answer))

    def question(self, who: str = "", plan: int = 1) -> Gate | None:
        """Return the open question, if it is the wanted one and waits for this person."""
        if len(self.entries("asked")) < plan:
            return None
        return next((gate for gate in open_gates(self.journal, self.incident) if who in ("", *gate.people)), None)

    def says(self, who: str, answer: str, code: str = "") -> Decision | RefusedVote | None:
        """Cast somebody's answer to the open question, with their present code unless another is given."""
        gate = self.question()
        assert gate is not None
        said = Answer(who, answer, code or self.world.one_time_code(who), "as planned", "command line")
        return cast(self.booth(), gate, said)

    def booth(self) -> Booth:
        """Return where the answers of this deployment are taken."""
        protocol = load_protocol(self.protocol_file)
        return Booth.of(self.journal, protocol, Settings(home=self.home))

    def run(self, **parameters: Any) -> CrisisError | None:
        """Run `bad_deploy` to its end; return the error it ended with, or None."""
        with self.environment():
            from flows.bad_deploy import bad_deploy  # noqa: PLC0415 - loads Prefect, and reads the protocol
        return self.play(bad_deploy, **parameters)

    def play(self, flow: Flow[..., Any], **parameters: Any) -> CrisisError | None:
        """Run any playbook to its end, and send everybody home."""
        given = {"service": "shop", "summary": "checkout fails", "incident": self.incident} | parameters
        with self.environment():
            try:
                state: Any = flow(**given, return_state=True)
                error = state.result(raise_on_failure=False)
            finally:
                self.over.set()
                for person in self.people:
                    person.join()
                self.people.clear()
                self.over.clear()
        if isinstance(error, BaseException) and not isinstance(error, CrisisError):
            raise error
        return error if isinstance(error, CrisisError) else None

    def retry(self, flow: Flow[..., Any]) -> CrisisError | None:
        """Start a run once more: one that has ended, as Prefect's Retry does; one that was killed, as the responder."""
        from prefect.client.orchestration import get_client  # noqa: PLC0415 - loads Prefect
        from prefect.flow_engine import run_flow  # noqa: PLC0415
        from prefect.states import AwaitingRetry  # noqa: PLC0415

        from crisis.engine.playbook import adopted_lease  # noqa: PLC0415

        run = self.entries("started")[0].run
        leases = Leases(self.journal.database, seconds=30)
        before = leases.find(run)
        if before is not None and before.ended is None:
            leases.give_up(before)
        with self.environment(), get_client(sync_client=True) as client:
            client.set_flow_run_state(UUID(run), AwaitingRetry(), force=True)
            known = client.read_flow_run(UUID(run))
            # The responder notices the state, takes the lease once more, and hands both to a new process.
            lease = leases.take(run, self.incident, flow.name, "the test", os.getpid(), again=True)
            mark = adopted_lease.set(lease)
            try:
                state: Any = run_flow(flow, flow_run=known, parameters=known.parameters, return_type="state")
            finally:
                adopted_lease.reset(mark)
        error = state.result(raise_on_failure=False)
        return error if isinstance(error, CrisisError) else None

    def play_body(self, body: Callable[[str], None], **parameters: Any) -> CrisisError | None:
        """Run a function as a playbook that exists for this one test."""
        with self.environment():
            from crisis.engine.playbook import PLAYBOOKS, playbook  # noqa: PLC0415 - loads Prefect
            from tasks.notify import call_for_help  # noqa: PLC0415
        made = playbook(escalate=call_for_help)(body)
        del PLAYBOOKS[body.__name__.replace("_", "-")]
        return self.play(made, **parameters)

    def entries(self, *kinds: str) -> list[Entry]:
        """Return the incident's entries, of these kinds where given."""
        return [entry for entry in self.journal.entries(self.incident) if not kinds or entry.kind in kinds]

    def of(self, action: str, *kinds: str) -> list[Entry]:
        """Return what the journal has of an action or a look, of these kinds where given."""
        return [entry for entry in self.entries(*kinds) if action in (entry.body.get("action"), entry.body.get("look"))]

    def done(self, action: str) -> list[Entry]:
        """Return what the journal has of an action that changed something."""
        return self.of(action, "done")

    def state(self) -> Incident:
        """Return the incident as the journal tells it."""
        return fold_incident(self.incident, self.entries())

    def outcomes(self) -> list[str]:
        """Return how the incident's runs ended."""
        return [entry.body["outcome"] for entry in self.entries("ended")]

    def messages(self, number: str, says: str) -> list[str]:
        """Return the messages that reached a number and say something."""
        sent = self.world.state()["messages"]
        return [one["body"] for one in sent if one["to"] == number and says in one["body"]]

    def git(self, *words: str) -> str:
        """Ask the shop's origin."""
        done = subprocess.run(["git", "--git-dir", str(self.world.origin), *words], capture_output=True, check=True)
        return done.stdout.decode().strip()

    def tree(self, commit: str = "main") -> str:
        """Return the id of a commit's files."""
        return self.git("rev-parse", f"{commit}^{{tree}}")


class Nursery:
    """Broken worlds: the next one is made while a test is still at work with the one before."""

    def __init__(self) -> None:
        self._maker = ThreadPoolExecutor(1)
        self._next: Future[World] = self._maker.submit(_broken_world)

    def take(self) -> World:
        """Return a shop whose newest release breaks the checkout; it is the caller's to stop."""
        world, self._next = self._next.result(), self._maker.submit(_broken_world)
        return world

    def close(self) -> None:
        """Stop the world that nobody took."""
        self._next.result().stop()
        self._maker.shutdown()


def _broken_world() -> World:
    world = World.start()
    world.shoppers(0)
    bad = world.push_bad_release()
    world.wait_until(lambda state: state["serving"] == bad, seconds=60)
    return world


Stage = Callable[[World], Ground]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Make broken worlds ahead."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def stage(prefect: str, tmp_path_factory: pytest.TempPathFactory) -> Stage:  # noqa: ARG001 - it must run
    """Put a quick protocol and an empty journal beside a world: five good rounds, no analysis of the code."""

    def put(world: World) -> Ground:
        folder = tmp_path_factory.mktemp("ground")
        protocol = folder / "protocol.yaml"
        protocol.write_text((PROJECT / "protocol.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        journal = Journal.open(f"sqlite:///{folder / 'home' / 'journal.db'}")
        ground = Ground(world, folder / "home", protocol, journal, f"INC-20261124-{uuid.uuid4().hex[:6]}")
        ground.change(_quick)
        return ground

    return put


def _quick(protocol: dict[str, Any]) -> None:
    shop = protocol["services"]["shop"]
    shop["verify"] = {"passes": 5, "every": "50ms", "p95": "3s", "give_up_after": "30s"}
    del shop["build"]


@contextmanager
def broken_ground(nursery: Nursery, stage: Stage) -> Iterator[Ground]:
    """Yield a ground whose newest release breaks the checkout."""
    world = nursery.take()
    ground = stage(world)
    try:
        yield ground
    finally:
        ground.journal.close()
        world.stop()


@pytest.fixture
def broken(nursery: Nursery, stage: Stage) -> Iterator[Ground]:
    """Let a developer push a release that breaks the checkout, and wait until it is live."""
    with broken_ground(nursery, stage) as ground:
        yield ground


@pytest.fixture(scope="session")
def calm_world() -> Iterator[World]:
    """Start a healthy shop that no test changes for good."""
    with World.start() as world:
        world.shoppers(0)
        yield world


@pytest.fixture
def calm(calm_world: World, stage: Stage) -> Iterator[Ground]:
    """Set up a ground where nothing is broken, for what is about people and records alone."""
    ground = stage(calm_world)
    yield ground
    ground.journal.close()


class _Memory(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@pytest.fixture(scope="session")
def run_log() -> list[str]:
    """Keep what anybody logs while `analysed` runs, tracebacks included."""
    return []


@pytest.fixture(scope="session")
def analysed(nursery: Nursery, stage: Stage, run_log: list[str]) -> Iterator[Ground]:
    """Run the whole playbook with the analysis of the code, for all who look at what it left."""
    with broken_ground(nursery, stage) as ground:
        whole = YAML(typ="safe").load((PROJECT / "protocol.yaml").read_text(encoding="utf-8"))
        build = whole["services"]["shop"]["build"]
        ground.change(lambda protocol: protocol["services"]["shop"].update(build=build))
        ground.answers("ada", "revert")
        memory = _Memory(run_log)
        for name in ("", "prefect"):  # Prefect's loggers do not hand on to the root
            logging.getLogger(name).addHandler(memory)
        try:
            assert ground.run() is None
        finally:
            for name in ("", "prefect"):
                logging.getLogger(name).removeHandler(memory)
        yield ground
