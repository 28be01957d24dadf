"""Killed with -9 at a journal entry and started again, the world ends as in an undisturbed run."""

from pathlib import Path

import pytest

from tests.stack.killing import Trial, rehearse_once


@pytest.fixture(scope="module")
def calm(prefect_seed: Path) -> Trial:
    """A rehearsal that nothing disturbed."""
    return rehearse_once((), prefect_seed)


# Every event is `make kill-test`; this is a decision.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("event", [23])
def test_the_world_is_the_same(calm: Trial, prefect_seed: Path, event: int) -> None:
    """Git tree, switches, tickets and messages are equal, and no effect happened twice."""
    killed = rehearse_once([event], prefect_seed)

    assert killed.world == calm.world
    assert killed.faults == []
