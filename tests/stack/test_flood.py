"""Killed with -9 in the middle of a flood, every alert that was answered 202 has started its run or joined it."""

import random
from pathlib import Path

from crisis.journal.inbox import JOINED, STARTED
from tests.stack.flooding import SERVICES, flood_and_kill


# Twenty times is `make kill-test`'s second half.
def test_accepted_is_run_or_joined(prefect_seed: Path) -> None:
    """One run for each cause, each person told once, no alert lost and none counted twice."""
    account = flood_and_kill(3, prefect_seed, random.Random(1))  # noqa: S311 - instants, not secrets

    assert account.lost == []
    assert set(account.states) <= {STARTED, JOINED}
    assert sorted(account.incidents.values()) == sorted(SERVICES)
    assert set(account.runs.values()) == {1}
    assert account.alerts == account.sent
    assert set(account.messages.values()) == {1}
    assert account.faults == []
    assert account.exact
