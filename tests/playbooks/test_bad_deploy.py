"""The bad-deploy playbook, run whole against the sandbox shop."""

import pytest

from crisis.errors import ProtocolError
from tests.playbooks.conftest import Ground


def test_it_puts_the_last_known_good_release_back(broken: Ground) -> None:
    """One decision, one revert, and production serves the tree that was good."""
    bad = broken.world.state()["serving"]
    broken.answers("ada", "revert")

    error = broken.run()

    assert error is None
    state = broken.world.state()
    good = broken.done("revert_release")[0].body["facts"]["good"]
    assert broken.tree(state["serving"]) == broken.tree(good)
    assert state["serving"] != bad
    assert state["switches"]["mode"] == "normal"
    assert broken.outcomes() == ["recovered"]
    assert list(broken.journal.verify(broken.incident)) == []


def test_a_second_run_changes_nothing(broken: Ground) -> None:
    """Running the playbook again finds nothing to revert, and says so."""
    broken.answers("ada", "revert")
    broken.run()
    serving = broken.world.state()["serving"]

    error = broken.run()

    assert "something to revert" in str(error)
    assert broken.world.state()["serving"] == serving
    assert len(broken.done("revert_release")) == 1


def test_an_unknown_service_is_answered_with_the_known_ones(calm: Ground) -> None:
    """A service that protocol.yaml does not know is refused in one line."""
    error = calm.run(service="shpo")

    assert str(error) == "service 'shpo': wanted one of: shop, saw an unknown one"
    assert isinstance(error, ProtocolError)
    assert calm.entries() == []


def test_an_unknown_level_is_answered_with_the_known_ones(calm: Ground) -> None:
    """A level that does not exist is refused before the run opens."""
    with pytest.raises(Exception, match="1, 2 or 3") as refused:
        calm.run(level=7)

    assert "level" in str(refused.value)
    assert calm.entries() == []
