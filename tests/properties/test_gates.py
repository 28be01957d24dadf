"""Gates under random votes, times, absences, forgeries and restarts: nothing is done that people did not decide."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)
from ruamel.yaml import YAML

from crisis.domain.change import Change
from crisis.domain.clock import utc_now
from crisis.journal.store import Journal
from tests.attacks.conftest import CLOCKED
from tests.attacks.ground import SECRETS, Clock
from tests.properties.machine import Gates
from tests.properties.oracle import Ballot, Question, Rules


@pytest.fixture
def machine(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Gates]]:
    """Make what all examples share: the clock, the phones, two actions, and an empty journal to copy."""
    from crisis.engine.action import ACTIONS, action  # noqa: PLC0415 - loads Prefect

    clock = Clock(utc_now())
    for module in CLOCKED:
        monkeypatch.setattr(f"crisis.{module}.utc_now", clock)
    for who, secret in SECRETS.items():
        monkeypatch.setenv(f"CRISIS_SANDBOX_TOTP_{who.upper()}", secret)

    @action(kind="restore", needs=(), undo="none")
    def touch_release(what: str) -> Change:
        return Change.done(what, "touched")

    @action(kind="destroy", needs=(), undo="none")
    def burn_release(what: str) -> Change:
        return Change.done(what, "burnt")

    template = tmp_path / "template.db"
    Journal.open(f"sqlite:///{template}").close()
    memory = Path("/dev/shm")  # noqa: S108 - a private folder in it; the record's flushes cost nothing there
    Gates.template, Gates.clock = template, clock
    Gates.written = YAML(typ="safe").load((project / "protocol.yaml").read_text(encoding="utf-8"))
    Gates.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path))
    yield Gates
    shutil.rmtree(Gates.folder)
    for one in (touch_release, burn_release):
        del ACTIONS[one.__name__]


@pytest.mark.timeout(600)  # only where it fails: then the shortest way there is looked for
@pytest.mark.parametrize(("attacked", "examples"), [(False, 15), (True, 30)], ids=["honest", "attacked"])
def test_gates_hold(machine: type[Gates], attacked: bool, examples: int, request: pytest.FixtureRequest) -> None:
    """Whatever happens in whatever order, the engine does not go beyond the oracle, nor stay behind it unattacked."""
    machine.attacked = attacked
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples * (10 if request.config.getoption("--long") else 1),
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=slow,
        ),
    )


def test_the_oracle_says_yes_sometimes() -> None:
    """The oracle is no wall: one vote of one makes a step good, until it runs out."""
    now = utc_now()
    rules = Rules(needed=1, good_for=timedelta(hours=1))
    ways: dict[str, tuple[str, ...]] = {"go": ("a", "b")}
    question = Question(1, ways, frozenset(), rules, 1, now, now + timedelta(hours=1), frozenset({"ada"}), frozenset())
    question.answered(Ballot("ada", "go", frozenset({0}), glass=False, at=now))

    assert question.carries("a", 1, now)
    assert not question.carries("b", 1, now)
    assert not question.carries("a", 1, now + timedelta(hours=1, seconds=1))
