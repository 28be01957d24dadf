"""Grounds to attack, and the count of what was refused and what was accepted."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from crisis.domain.change import Change
from crisis.domain.clock import utc_now
from crisis.journal.store import Journal
from tests.attacks.ground import SECRETS, Clock, Ground, a_protocol
from tests.receiver.conftest import browser, context, inside, journal, protocol, room, wakes

__all__ = ["CLOCKED", "browser", "context", "inside", "journal", "protocol", "room", "wakes"]

CLOCKED = ("engine.votes", "engine.question", "engine.action", "engine.parked", "journal.store")
_counts: dict[tuple[str, str], int] = {}


@pytest.fixture(scope="session")
def written(project: Path) -> dict[str, Any]:
    """Read the sandbox's protocol.yaml once."""
    found: dict[str, Any] = YAML(typ="safe").load((project / "protocol.yaml").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def ground(
    tmp_path: Path, written: dict[str, Any], monkeypatch: pytest.MonkeyPatch, prefect: str, migrated: Path
) -> Iterator[Ground]:
    """Open a journal, give everybody a phone, and two actions that touch the world: one restores, one destroys."""
    from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings  # noqa: PLC0415

    from crisis.engine.action import ACTIONS, action  # noqa: PLC0415 - loads Prefect

    assert prefect
    clock = Clock(utc_now() - timedelta(seconds=1))
    for module in CLOCKED:
        monkeypatch.setattr(f"crisis.{module}.utc_now", clock)
    monkeypatch.setattr("crisis.engine.question.time", clock)
    for who, secret in SECRETS.items():
        monkeypatch.setenv(f"CRISIS_SANDBOX_TOTP_{who.upper()}", secret)
    shutil.copyfile(migrated, tmp_path / "journal.db")
    opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    made = Ground(tmp_path, clock, opened, a_protocol(written))

    @action(kind="restore", needs=(), undo="none")
    def touch_release(what: str) -> Change:
        made.touched.append(what)
        return Change.done(what, "touched")

    @action(kind="destroy", needs=(), undo="none")
    def burn_release(what: str) -> Change:
        made.touched.append(what)
        return Change.done(what, "burnt")

    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield made
    for one in (touch_release, burn_release):
        del ACTIONS[one.__name__]
    opened.close()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count attacks and twins as they end."""
    if report.when != "call" or "tests/attacks/" not in report.nodeid:
        return
    side = "attack" if "::test_attack[" in report.nodeid else "honest" if "::test_honest[" in report.nodeid else ""
    said = "open" if hasattr(report, "wasxfail") else report.outcome
    _counts[side, said] = _counts.get((side, said), 0) + 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many attacks were refused."""
    known = sum(count for (side, said), count in _counts.items() if (side, said) == ("attack", "open"))
    totals = {side: sum(count for (one, _), count in _counts.items() if one == side) for side in ("attack", "honest")}
    if not any(totals.values()):
        return
    refused, accepted = _counts.get(("attack", "passed"), 0), _counts.get(("honest", "passed"), 0)
    line = f"{refused} of {totals['attack']} attacks refused, {accepted} of {totals['honest']} honest twins accepted"
    terminalreporter.write_line(f"{line}; {known} attacks succeed as known defects" if known else line)
