"""What a stack takes over from the environment it is started in: nothing that is ours or Prefect's."""

from pathlib import Path

import pytest

from crisis.drill.stack import Stack


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand where a team's own `crisis up` runs."""
    for name in ("CRISIS_JOURNAL_URL", "CRISIS_PUBLIC_URL", "CRISIS_PROTOCOL", "CRISIS_LEASE", "PREFECT_API_URL"):
        monkeypatch.setenv(name, "of-production")


@pytest.mark.usefixtures("production")
def test_nothing_of_another_stack_is_inherited(tmp_path: Path, project: Path) -> None:
    """Journal, address, protocol and Prefect of the environment stay outside."""
    stack = Stack(tmp_path, {}, project)

    assert "of-production" not in stack.environment.values()


@pytest.mark.usefixtures("production")
def test_what_the_caller_says_is_taken(tmp_path: Path, project: Path) -> None:
    """A protocol, a lease or a Prefect that is given by name counts."""
    given = {"CRISIS_PROTOCOL": "mine.yaml", "CRISIS_LEASE": "3", "PREFECT_API_URL": "http://prefect.test/api"}
    stack = Stack(tmp_path, given, project)

    assert given.items() <= stack.environment.items()
